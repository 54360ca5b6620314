"""The stored queries of the applied revision, checked against the graphs as they are now."""

from collections.abc import Iterable

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.engine.absent import state_missing
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import named, place_of
from agentctl.graph.asking import NEWEST, Point
from agentctl.graph.port import GraphError
from agentctl.ids import Address, ParsedAddress, graph_address, parse_address
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import catalog_of
from agentctl.languages.text.suggest import did_you_mean


class StoredQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One stored query, ready to run, or why it is not."""

    address: Address
    graph: str
    query: CheckedQuery | None
    diagnostics: tuple[Diagnostic, ...] = ()


def query_unknown(address: str, listed: Iterable[str]) -> Diagnostic:
    """Returns what is told of a query that is not there; what was meant is guessed among *listed*."""
    return error(
        "query_not_found",
        address,
        "the applied revision has no such query",
        remedy=_near_query(address, listed),
    )


def wrong_kind(query: CheckedQuery, address: str, *, changes: bool) -> Diagnostic | None:
    """Returns why a mutation is not run as a read is, or the other way round; None where it fits.

    Args:
        query: of that address.
        address: how it is told of.
        changes: whether a mutation is wanted.
    """
    if query.mutates == changes:
        return None
    name = address.removeprefix("query.")
    if changes:
        why, instead = "only reads, and is run as a query", f"agentctl query {name}"
    else:
        why, instead = "changes the graph, and is run as a mutation", f"agentctl mutate {name}"
    return error("query_wrong_kind", address, f"`{query.name}` {why}", remedy=instead)


async def stored_addresses(cluster: Cluster) -> tuple[str, ...]:
    """Returns the addresses of all queries of the applied revision; no graph is looked at."""
    head = await cluster.ledger.head()
    recorded = recorded_digests(head.envelope.state) if head is not None else {}
    return tuple(sorted(a for a in recorded if a.startswith("query.")))


def _near_query(address: str, recorded: Iterable[str]) -> str | None:
    """Returns which query was probably meant, or how to see them."""
    queries = (known for known in recorded if known.startswith("query."))
    return did_you_mean(address, queries, otherwise="agentctl queries list")


async def stored_query(cluster: Cluster, address: str, point: Point = NEWEST) -> StoredQuery:
    """Returns the query of that address as it was applied, checked against the schema at *point*."""
    parsed = parse_address(address)
    head = await cluster.ledger.head()
    if head is None:
        return _none(address, parsed, state_missing())
    recorded = recorded_digests(head.envelope.state)
    digest = recorded.get(address)
    if parsed is None or parsed.kind != "query" or digest is None:
        return _none(address, parsed, query_unknown(address, recorded))
    assert parsed.graph is not None
    live = await observe_graph(cluster, parsed.graph)
    if live.presence == "live" and point != NEWEST:
        try:
            live = await seen_at(cluster, live, point)
        except GraphError as failure:
            return _none(address, parsed, failure.diagnostic)
    return await _checked(cluster, parsed, Address(address), digest, live)


async def seen_at(cluster: Cluster, live: LiveGraph, point: Point) -> LiveGraph:
    """Returns a live graph with the schema that it has at *point*: branches keep their own.

    Raises:
        GraphError: there is no such point, or no data plane.
    """
    place = await place_of(cluster, live.graph_id)
    with named(live.graph_id, place.root):
        ir = await place.data.schema_at(place.root, branch=point.branch, at=point.at)
    return msgspec.structs.replace(live, ir=ir)


async def stored_queries(
    cluster: Cluster, permitted: frozenset[str] | None = None
) -> tuple[StoredQuery, ...]:
    """Returns the queries of the applied revision, by address; each graph is looked at once.

    All of them, or those of *permitted*.
    """
    head = await cluster.ledger.head()
    if head is None:
        return ()
    seen: dict[str, LiveGraph] = {}
    found: list[StoredQuery] = []
    for address, digest in sorted(recorded_digests(head.envelope.state).items()):
        parsed = parse_address(address)
        if parsed is None or parsed.kind != "query" or parsed.graph is None:
            continue
        if permitted is not None and address not in permitted:
            continue
        if parsed.graph not in seen:
            seen[parsed.graph] = await observe_graph(cluster, parsed.graph)
        live = seen[parsed.graph]
        found.append(await _checked(cluster, parsed, Address(address), digest, live))
    return tuple(found)


async def _checked(
    cluster: Cluster, parsed: ParsedAddress, address: Address, digest: str, live: LiveGraph
) -> StoredQuery:
    check, data = await cluster.catalog.read(address, digest)
    if data is None:
        told = check.diagnostic()
        assert told is not None, "a payload without bytes has trouble"
        return _none(address, parsed, msgspec.structs.replace(told, severity="error"))
    if live.presence != "live" or live.ir is None:
        gone = error(
            "graph_root_missing" if live.presence == "absent" else "graph_observation_error",
            graph_address(live.graph_id),
            f"graph {live.graph_id} is {live.presence}, so its queries cannot run",
            detail=live.error,
            remedy="agentctl refresh",
        )
        return _none(address, parsed, gone)
    # Many commands may run a stored query, and few do.
    from agentctl.languages.query.compile import check_query, parse_query_file

    file = parse_query_file(data, file=check.key)
    declaration = next((d for d in file.declarations if d.name == parsed.name), None)
    if declaration is None:
        undeclared = error(
            "query_key_mismatch", address, f"the applied file does not declare {parsed.name}"
        )
        return _none(address, parsed, *(file.diagnostics or (undeclared,)))
    checked = check_query(declaration, catalog_of(live.ir))
    if checked.query is None or has_errors(checked.diagnostics):
        return _none(address, parsed, *checked.diagnostics)
    return StoredQuery(
        address=address,
        graph=live.graph_id,
        query=checked.query,
        diagnostics=checked.diagnostics,
    )


def _none(address: str, parsed: ParsedAddress | None, *told: Diagnostic) -> StoredQuery:
    graph = parsed.graph if parsed is not None and parsed.graph is not None else ""
    return StoredQuery(address=Address(address), graph=graph, query=None, diagnostics=told)
