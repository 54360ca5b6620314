"""Detached graphs: brought back until their time is over, purged after it. Source: control-plane 3.5.

Both run under the cluster's lease and the graph's. A restore is one commit of the graph, then one
ledger object; a command that died between the two is simply given again, and finds the graph live.
"""

from collections.abc import Awaitable, Callable

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.envelope import RevisionKind
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.roots import tombstone_root
from agentctl.domain.ledger.state import State, Tombstone
from agentctl.domain.ops.record import OpVerb
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import graph_purged, graph_restored
from agentctl.engine.bracket import Begin, abandon_op, begin_op, end_op, fail_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.engine.ledger import Head
from agentctl.engine.moving import fence_graph, main_lease
from agentctl.engine.ready import settled_head
from agentctl.engine.record import commit_revision
from agentctl.engine.sidecars import read_sidecars
from agentctl.engine.sweep import DuePurge, purge
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.port import GraphError, Stamp
from agentctl.ids import graph_address


class GraphMoved(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a restore or a purge."""

    ok: bool
    graph: str
    op: str | None = None
    commit: str | None = None
    """Newest commit of `main` afterwards."""
    seq: int | None = None
    """Of the ledger object that recorded it."""
    diagnostics: tuple[Diagnostic, ...] = ()


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one command does to one detached graph."""

    action: str
    verb: OpVerb
    kind: RevisionKind
    refusal: Callable[[Tombstone, LiveGraph], Diagnostic | None]
    act: Callable[[Tombstone, LiveGraph, Stamp, Lease], Awaitable[Diagnostic | None]]
    """Moves the graph, under the cluster's lease; returns why it did not."""
    moved: Callable[[State, Tombstone, LiveGraph], State]


async def graph_restore(
    cluster: Cluster, caller: Caller, graph: str, intent: str, *, wait_s: float = 0
) -> GraphMoved:
    """Brings a detached graph back, with its schema and its queries.

    Raises:
        StateLockHeldError: another command holds the cluster's lease or the graph's.
    """

    def refusal(tombstone: Tombstone, live: LiveGraph) -> Diagnostic | None:
        back = live.presence == "live" and live.incarnation == tombstone.incarnation
        if live.presence == "detached" or back:
            return None
        return error(
            "graph_restore_refused",
            graph_address(graph),
            f"graph {graph} cannot be restored: its root is {live.presence}",
            detail=live.error,
        )

    async def act(
        tombstone: Tombstone, live: LiveGraph, stamp: Stamp, lease: Lease
    ) -> Diagnostic | None:
        del lease
        if live.presence == "live":
            return None
        assert tombstone.incarnation is not None
        try:
            await cluster.graphs.restore(graph, incarnation=tombstone.incarnation, stamp=stamp)
        except GraphError as failure:
            return failure.diagnostic
        return None

    def moved(state: State, tombstone: Tombstone, live: LiveGraph) -> State:
        return graph_restored(state, tombstone, live, at=stamp_now(cluster.world))

    step = _Step(
        action="graph_restore",
        verb="update",
        kind="restore",
        refusal=refusal,
        act=act,
        moved=moved,
    )
    return await _run(cluster, caller, graph, intent, step, wait_s=wait_s)


async def graph_purge(
    cluster: Cluster, caller: Caller, graph: str, intent: str, *, wait_s: float = 0
) -> GraphMoved:
    """Removes the data of a detached graph whose time is over.

    Raises:
        StateLockHeldError: another command holds the cluster's lease or the graph's.
    """
    key = graph_address(graph)

    def refusal(tombstone: Tombstone, live: LiveGraph) -> Diagnostic | None:
        del live
        if tombstone.purge_after is not None and tombstone.purge_after <= stamp_now(cluster.world):
            return None
        until = f"kept until {tombstone.purge_after}"
        if tombstone.purge_after is None:
            until = "kept: how long it is to be is not on record"
        return error(
            "graph_purge_not_due",
            key,
            f"graph {graph} is {until}",
            remedy=f"agentctl graph restore {graph}",
        )

    async def act(
        tombstone: Tombstone, live: LiveGraph, stamp: Stamp, lease: Lease
    ) -> Diagnostic | None:
        del live
        assert tombstone.incarnation is not None
        assert tombstone.purge_after is not None, "its time is over"
        due = DuePurge(
            key=key,
            graph_id=graph,
            root=tombstone_root(key, tombstone),
            incarnation=tombstone.incarnation,
            after=tombstone.purge_after,
        )
        trouble = await purge(cluster, due, lease=lease, stamp=stamp)
        return msgspec.structs.replace(trouble, severity="error") if trouble is not None else None

    def moved(state: State, tombstone: Tombstone, live: LiveGraph) -> State:
        del tombstone, live
        return graph_purged(state, key, at=stamp_now(cluster.world))

    step = _Step(
        action="graph_purge", verb="delete", kind="record", refusal=refusal, act=act, moved=moved
    )
    return await _run(cluster, caller, graph, intent, step, wait_s=wait_s)


async def _run(  # a step, and how long it may wait
    cluster: Cluster, caller: Caller, graph: str, intent: str, step: _Step, *, wait_s: float
) -> GraphMoved:
    async with (
        cluster.leases.hold(
            CLUSTER, principal=caller.id, operation=step.action, wait_s=wait_s
        ) as lease,
        cluster.leases.hold(
            main_lease(await cluster.graphs.root_of(graph)),
            principal=caller.id,
            operation=step.action,
            wait_s=wait_s,
        ) as branch,
    ):
        told = Bag()
        head = await _settled(cluster, lease, graph, told)
        if not intent.strip():
            told.add(error("intent_required", "intent", "a change needs an intent"))
        if head is None or has_errors(told):
            return _answer(graph, told)
        return await _moved(
            cluster, caller, intent, step, _Ground(graph, head, lease, branch), told
        )


class _Ground:
    """What a command stands on while it holds its leases."""

    def __init__(self, graph: str, head: Head, lease: Lease, branch: Lease) -> None:
        self.graph = graph
        self.head = head
        self.lease = lease
        self.branch = branch


async def _moved(  # one step on its ground
    cluster: Cluster, caller: Caller, intent: str, step: _Step, ground: _Ground, told: Bag
) -> GraphMoved:
    graph, head = ground.graph, ground.head
    tombstone = head.envelope.state.observations.get(graph_address(graph))
    op_id = cluster.journal.mint_id(caller.nid)
    stamp = Stamp(
        op=op_id,
        actor=caller.id,
        on_behalf_of=caller.on_behalf_of,
        intent=intent,
        epoch=ground.branch.epoch,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )
    live = await fence_graph(cluster, graph, ground.branch, stamp)
    refusal = _not_detached(graph, tombstone)
    if refusal is None and isinstance(tombstone, Tombstone):
        refusal = step.refusal(tombstone, live)
    if refusal is not None or not isinstance(tombstone, Tombstone):
        told.add(*(() if refusal is None else (refusal,)))
        return _answer(graph, told)
    begin = Begin(
        action=step.action,
        verb=step.verb,
        intent=intent,
        component=graph_address(graph),
        targets=(graph_address(graph),),
        op_id=op_id,
    )
    op = await begin_op(cluster, caller, begin, lease=ground.lease, head=head, live={graph: live})
    try:
        stamp = msgspec.structs.replace(stamp, nonce=mint_nonce(cluster.world))
        failure = await step.act(tombstone, live, stamp, ground.lease)
        if failure is not None:
            told.add(failure)
            await fail_op(cluster, op, ground.lease, failure.message)
            return _answer(graph, told, op=op.id)
        live = await observe_graph(cluster, graph)
        head = await commit_revision(
            cluster,
            base=head,
            kind=step.kind,
            op=op.id,
            lease=ground.lease,
            state=step.moved(head.envelope.state, tombstone, live),
            source=head.envelope.source,
        )
    except Exception as failed:
        await abandon_op(cluster, op, ground.lease, str(failed))
        raise
    await end_op(cluster, op, ground.lease, head)
    return _answer(graph, told, op=op.id, live=live, seq=head.seq)


async def _settled(cluster: Cluster, lease: Lease, graph: str, told: Bag) -> Head | None:
    head = await settled_head(cluster, lease, told)
    pending = [s for s in (await read_sidecars(cluster.store)).sidecars if s.graph_id == graph]
    if pending:
        told.add(
            error(
                "cluster_recovery_pending",
                graph_address(graph),
                f"an interrupted {pending[0].kind} of {graph} is not settled yet",
                remedy="agentctl refresh",
            )
        )
    return head


def _not_detached(graph: str, observation: object) -> Diagnostic | None:
    address = graph_address(graph)
    if not isinstance(observation, Tombstone) or observation.incarnation is None:
        return error("graph_not_detached", address, f"the ledger records no detached graph {graph}")
    if observation.purged_at is not None:
        return error(
            "graph_restore_refused",
            address,
            f"the data of graph {graph} was purged at {observation.purged_at}",
        )
    return None


def _answer(
    graph: str,
    told: Bag,
    *,
    op: str | None = None,
    live: LiveGraph | None = None,
    seq: int | None = None,
) -> GraphMoved:
    commit = live.commit if live is not None else None
    return GraphMoved(
        ok=not has_errors(told),
        graph=graph,
        op=op,
        commit=None if commit is None else f"main:{commit}",
        seq=seq,
        diagnostics=sort_diagnostics(told),
    )
