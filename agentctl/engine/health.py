"""Whether a recorded resource is as it should be: what a `health_check` asks. Source: ops 3."""

from collections.abc import Mapping
from typing import Final

import anyio

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs, observe_graph
from agentctl.engine.ledger import Head
from agentctl.engine.stored import stored_query
from agentctl.graph.port import GraphError
from agentctl.graph.runnable import refusal
from agentctl.ids import graph_address, parse_address, schema_address
from agentctl.languages.query.params import bind_params

RETRY_S: Final = 1.0
TIMEOUT_S: Final = 30.0


async def trouble_of(cluster: Cluster, resource: str, params: Mapping[str, object]) -> str | None:
    """Returns why *resource*, ``cluster`` or a recorded address, is not healthy now; None where it is.

    Of the parameters `probe` is a stored query that has to answer too, `retries` how often it is
    looked at again, a second apart, and `timeout` the seconds of one look.
    """
    probe, retries, timeout = params.get("probe"), params.get("retries"), params.get("timeout")
    retries = retries if isinstance(retries, int) else 0
    timeout_s = float(timeout) if isinstance(timeout, int | float) else TIMEOUT_S
    why: str | None = None
    for attempt in range(retries + 1):
        if attempt:
            await cluster.sleep(RETRY_S)
        why = f"no answer within {timeout_s:g} s"
        with anyio.move_on_after(timeout_s):
            why = await _look(cluster, resource, probe if isinstance(probe, str) else None)
        if why is None:
            return None
    return why


async def _look(cluster: Cluster, resource: str, probe: str | None) -> str | None:
    try:
        head = await cluster.ledger.head()
        why = await _trouble(cluster, head, resource)
        if why is None and probe is not None:
            why = await _probe(cluster, probe)
    except (BackendError, GraphError) as failure:
        return str(failure)
    return why


async def _trouble(cluster: Cluster, head: Head | None, resource: str) -> str | None:
    if head is None:
        return "the cluster has no ledger"
    recorded = recorded_digests(head.envelope.state)
    if resource == "cluster":
        return await _cluster(cluster, head)
    if resource not in recorded:
        return "it is not recorded"
    parsed = parse_address(resource)
    assert parsed is not None, "what is recorded has an address"
    if parsed.kind in {"graph", "schema"}:
        assert parsed.graph is not None
        return await _graph(cluster, parsed.graph, recorded)
    if parsed.kind == "query":
        return await _query(cluster, resource)
    check = await cluster.catalog.check(resource, recorded[resource])
    told = None if check is None else check.diagnostic()
    return None if told is None else told.message


async def _query(cluster: Cluster, address: str) -> str | None:
    found = await stored_query(cluster, address)
    if found.query is None:
        return _first(found.diagnostics)
    refused = refusal(found.query, path=address)
    return None if refused is None else refused.message


async def _cluster(cluster: Cluster, head: Head) -> str | None:
    """Returns what is wrong with any graph, or with the copy of the ledger."""
    copy = await cluster.ledger.state_json_diagnostic(head)
    troubles = [] if copy is None else [copy.message]
    recorded = recorded_digests(head.envelope.state)
    for graph_id in sorted(known_graphs(None, head.envelope.state)):
        if graph_address(graph_id) in recorded:
            why = await _graph(cluster, graph_id, recorded)
            troubles += [f"{graph_address(graph_id)}: {why}"] if why else []
    return "; ".join(troubles) or None


async def _graph(cluster: Cluster, graph_id: str, recorded: dict[str, str]) -> str | None:
    live = await observe_graph(cluster, graph_id)
    if live.presence != "live":
        return f"it is {live.presence}" + (f": {live.error}" if live.error else "")
    digest = recorded.get(schema_address(graph_id))
    if digest is not None and digest != live.source_digest:
        return "it has another schema than is recorded"
    return None


async def _probe(cluster: Cluster, address: str) -> str | None:
    found = await stored_query(cluster, address)
    if found.query is None:
        return f"{address}: {_first(found.diagnostics)}"
    if found.query.mutates:
        return f"{address} changes data, so it is no probe"
    bound = bind_params(found.query, {}, path=address)
    if has_errors(bound.diagnostics):
        return f"{address}: {_first(bound.diagnostics)}"
    await cluster.graphs.run(found.graph, found.query, bound.values, limit=1)
    return None


def _first(diagnostics: tuple[Diagnostic, ...]) -> str:
    return diagnostics[0].message if diagnostics else "it does not say why"
