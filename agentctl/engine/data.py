"""The data plane through the control plane: loads, stored queries, and a look at the graphs.

A query runs as it was applied: its payload comes from the catalog, hashed again, and is checked
afresh against the schema that the live graph has now. A load holds the lease of the graph's `main`
and is an Op. Detached graphs are in `agentctl.engine.detached`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.observations import GraphPresence, LiveGraph
from agentctl.domain.ledger.state import State, Tombstone
from agentctl.domain.ops.record import Lineage, Op
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import recorded_digests
from agentctl.engine.bracket import (
    Begin,
    abandon_load,
    begin_op,
    fail_op,
    settle_graph_ops,
    snapshot,
)
from agentctl.engine.cluster import Cluster
from agentctl.engine.detached import GraphMoved, graph_purge, graph_restore
from agentctl.engine.embedders import bound_embedder
from agentctl.engine.gather import known_graphs, observe_graph, observe_graphs
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Head
from agentctl.engine.moving import fence_graph, main_lease
from agentctl.engine.ready import state_missing
from agentctl.engine.stored import StoredQuery, stored_queries, stored_query
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.chunks import each_chunk
from agentctl.graph.port import CommitInfo, GraphError, LoadReport, ReadReply, Stamp
from agentctl.graph.runnable import refusal
from agentctl.ids import Address, graph_address, is_resource_id
from agentctl.languages.query.descriptor import Descriptor, param_kinds, result_columns
from agentctl.languages.query.params import bind_params

__all__ = [
    "GraphDetails",
    "GraphMoved",
    "GraphSummary",
    "QueryEntry",
    "QueryOutcome",
    "graph_list",
    "graph_purge",
    "graph_restore",
    "graph_show",
    "list_queries",
    "load",
    "run_query",
]

Mode = Literal["append", "merge", "overwrite"]
Lines = AsyncIterator[bytes] | Iterable[bytes]


class QueryOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a stored query, or why there is none."""

    reply: ReadReply | None
    diagnostics: tuple[Diagnostic, ...] = ()


class QueryEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored query as a catalog shows it."""

    address: Address
    description: str | None = None
    instruction: str | None = None
    mutation: bool = False
    """Whether it changes the graph."""
    params: tuple[Descriptor, ...] = ()
    columns: tuple[Descriptor, ...] = ()
    trouble: str | None = None
    """Why it cannot run now."""


class GraphSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One graph of the storage root."""

    id: str
    presence: GraphPresence
    recorded: bool
    """Whether the ledger has it."""
    commit: str | None
    rows: int
    purge_after: str | None
    """Of a detached one: until when it can be restored."""


class GraphDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One graph, closer."""

    summary: GraphSummary
    uri: str
    incarnation: str | None
    schema_digest: str | None
    rows: Mapping[str, int]
    """By type name."""
    bytes: int
    last_write: str | None
    error: str | None
    commits: tuple[CommitInfo, ...]
    """Newest first."""


async def load(  # noqa: PLR0913  # what a load is
    cluster: Cluster,
    caller: Caller,
    graph: str,
    lines: Lines,
    mode: Mode,
    intent: str,
    *,
    wait_s: float = 0,
    op_id: str | None = None,
) -> tuple[LoadReport, Op | None]:
    """Loads NDJSON lines into a recorded graph by one commit, or nothing at all.

    The op has *op_id* where that was minted before, else a fresh one.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the graph, for longer than *wait_s* seconds.
    """
    head = await cluster.ledger.head()
    refusal = _load_refusal(head, graph, intent) or _replaces_protected(head, graph, mode)
    if refusal is not None:
        return _nothing(refusal), None
    assert head is not None
    cluster.ledger.require_writable(head)
    await cluster.freezes.require_thawed(graph_address(graph), head.envelope.freezes)
    async with cluster.leases.hold(
        main_lease(await cluster.graphs.root_of(graph)),
        principal=caller.id,
        operation="load",
        wait_s=wait_s,
    ) as lease:
        op_id = op_id or cluster.journal.mint_id(caller.nid)
        stamp = _stamp(cluster, caller, op_id, intent, lease)
        live = await fence_graph(cluster, graph, lease, stamp)
        if live.presence != "live":
            return _nothing(_not_live(live)), None
        if mode == "overwrite":
            refusal = _replaces_protected(await cluster.ledger.head(), graph, mode)
            if refusal is not None:
                return _nothing(refusal), None
        await settle_graph_ops(cluster, lease, graph_address(graph))
        op = await _begin_load(cluster, caller, lease, head, live, op_id=op_id, intent=intent)
        write = msgspec.structs.replace(stamp, nonce=mint_nonce(cluster.world))
        try:
            watched = _watched(cluster, graph, lines)
            report = await cluster.graphs.load(graph, watched, mode=mode, stamp=write)
        except GraphError as failure:
            await fail_op(cluster, op, lease, failure.diagnostic.message)
            return _nothing(failure.diagnostic), await cluster.journal.get(op.id)
        except Exception as failure:
            await abandon_load(cluster, op, lease, graph, str(failure))
            raise
        return report, await _end_load(cluster, op, lease, head, report)


async def run_query(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001  # one shape for all commands
    address: str,
    params: Mapping[str, object],
    limit: int | None = None,
) -> QueryOutcome:
    """Returns the rows of a stored query of the applied revision."""
    found = await stored_query(cluster, address)
    if found.query is None:
        return QueryOutcome(reply=None, diagnostics=found.diagnostics)
    refused = refusal(found.query, path=address)
    if refused is not None:
        return QueryOutcome(reply=None, diagnostics=(refused,))
    bound = bind_params(found.query, params, path=address)
    if has_errors(bound.diagnostics):
        return QueryOutcome(reply=None, diagnostics=bound.diagnostics)
    try:
        async with bound_embedder(cluster, found.graph) as embedder:
            reply = await cluster.graphs.run(
                found.graph, found.query, bound.values, limit=limit, embedder=embedder
            )
    except GraphError as failure:
        return QueryOutcome(reply=None, diagnostics=(failure.diagnostic,))
    return QueryOutcome(reply=reply, diagnostics=bound.diagnostics)


async def list_queries(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001  # one shape for all commands
    permitted: frozenset[str] | None = None,
) -> tuple[QueryEntry, ...]:
    """Returns the stored queries of the applied revision, by address; of *permitted*, where given."""
    return tuple(_entry(found) for found in await stored_queries(cluster, permitted))


async def graph_list(cluster: Cluster, caller: Caller) -> tuple[GraphSummary, ...]:  # noqa: ARG001
    """Returns every graph that the ledger knows or the storage root holds, by id."""
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else State()
    ids = known_graphs(None, state) | set(await cluster.graphs.roots())
    live = await observe_graphs(cluster, ids)
    return tuple(_summary(state, seen) for seen in live.values())


async def graph_show(cluster: Cluster, caller: Caller, graph: str) -> GraphDetails | None:  # noqa: ARG001
    """Returns one graph with its newest commits; None where neither ledger nor storage has it."""
    if not is_resource_id(graph):
        return None
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else State()
    live = await observe_graph(cluster, graph)
    summary = _summary(state, live)
    if live.presence == "absent" and not summary.recorded:
        return None
    readable = live.presence in {"live", "detached", "purged"}
    return GraphDetails(
        summary=summary,
        uri=live.uri,
        incarnation=live.incarnation,
        schema_digest=live.source_digest,
        rows=live.rows,
        bytes=live.bytes,
        last_write=live.last_write,
        error=live.error,
        commits=await cluster.graphs.history(graph) if readable else (),
    )


async def _watched(cluster: Cluster, graph: str, lines: Lines) -> AsyncIterator[bytes]:
    """Gives the lines, and looks behind the last one whether the graph may still be written to.

    Raises:
        FrozenError: it was frozen while the lines came in.
    """
    async for chunk in each_chunk(lines):
        for line in chunk:
            yield line
    await cluster.freezes.require_thawed(graph_address(graph))


def _load_refusal(head: Head | None, graph: str, intent: str) -> Diagnostic | None:
    if not intent.strip():
        return error("intent_required", "intent", "a load needs an intent: why it is wanted")
    if head is None:
        return state_missing()
    address = graph_address(graph)
    if address not in recorded_digests(head.envelope.state):
        return error(
            "graph_not_found",
            address,
            f"the applied revision has no graph {graph}",
            remedy="agentctl apply",
        )
    return None


def _replaces_protected(head: Head | None, graph: str, mode: Mode) -> Diagnostic | None:
    """Returns why rows of a protected graph are not replaced: nobody has consented to it.

    A load has no gate that a human could open; taking the protection off has one.
    """
    address = graph_address(graph)
    if mode != "overwrite" or head is None or address not in head.envelope.protected:
        return None
    return error(
        "approval_required",
        address,
        f"graph {graph} is protected: a load that replaces its rows needs a human's decision",
        remedy=f"Load with --mode append or merge; or take {address} out of `protect`, which a"
        " human approves, and load then.",
    )


def _not_live(live: LiveGraph) -> Diagnostic:
    codes = {
        "detached": "graph_detached",
        "purged": "graph_detached",
        "absent": "graph_root_missing",
    }
    return error(
        codes.get(live.presence, "graph_observation_error"),
        graph_address(live.graph_id),
        f"graph {live.graph_id} is {live.presence}; nothing can be loaded into it",
        detail=live.error,
        remedy="agentctl refresh",
    )


async def _begin_load(  # noqa: PLR0913  # where an op comes from
    cluster: Cluster,
    caller: Caller,
    lease: Lease,
    head: Head | None,
    live: LiveGraph,
    *,
    op_id: str,
    intent: str,
) -> Op:
    """Begins the op; its parent is the op of the branch's newest commit."""
    newest = await cluster.graphs.history(live.graph_id, limit=1)
    known = bool(newest) and await cluster.journal.get(newest[0].op) is not None
    begin = Begin(
        action="load",
        verb="update",
        intent=intent,
        component=graph_address(live.graph_id),
        targets=(graph_address(live.graph_id),),
        lineage=Lineage(parent_op=newest[0].op if known else None),
        op_id=op_id,
    )
    return await begin_op(
        cluster, caller, begin, lease=lease, head=head, live={live.graph_id: live}
    )


async def _end_load(
    cluster: Cluster, op: Op, lease: Lease, head: Head | None, report: LoadReport
) -> Op:
    if has_errors(report.diagnostics):
        await fail_op(cluster, op, lease, "the input has errors; nothing was loaded")
        return await cluster.journal.get(op.id) or op
    live = await observe_graph(cluster, op.component.removeprefix("graph."))
    post = snapshot(head, (live,))
    return await cluster.journal.move(op.id, "success", epoch=lease.epoch, post=post)


def _stamp(cluster: Cluster, caller: Caller, op_id: str, intent: str, lease: Lease) -> Stamp:
    return Stamp(
        op=op_id,
        actor=caller.id,
        on_behalf_of=caller.on_behalf_of,
        intent=intent,
        epoch=lease.epoch,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )


def _nothing(diagnostic: Diagnostic) -> LoadReport:
    return LoadReport(commit=None, rows={}, diagnostics=(diagnostic,))


def _entry(found: StoredQuery) -> QueryEntry:
    query = found.query
    if query is None:
        told = found.diagnostics[0].message if found.diagnostics else None
        return QueryEntry(address=found.address, trouble=told)
    refused = refusal(query, path=found.address)
    return QueryEntry(
        address=found.address,
        description=query.description,
        instruction=query.instruction,
        mutation=query.mutates,
        params=param_kinds(query),
        columns=result_columns(query),
        trouble=refused.message if refused is not None else None,
    )


def _summary(state: State, live: LiveGraph) -> GraphSummary:
    address = graph_address(live.graph_id)
    observation = state.observations.get(address)
    tombstone = observation if isinstance(observation, Tombstone) else None
    waits = tombstone is not None and tombstone.purged_at is None
    return GraphSummary(
        id=live.graph_id,
        presence=live.presence,
        recorded=address in recorded_digests(state),
        commit=None if live.commit is None else f"main:{live.commit}",
        rows=sum(live.rows.values()),
        purge_after=tombstone.purge_after if tombstone is not None and waits else None,
    )
