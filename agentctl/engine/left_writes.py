"""Writes to branches of graphs whose process died: told of, and ended as the branch's commits say.

Whoever writes to a branch settles what was left on it before. Every command that writes the ledger
settles all branches, each under its own lease, which it takes where no living writer has it; a branch
that a writer is at work on is left to that writer. What made no commit that is there did nothing, or
can be repeated: it is told as failed, and never run again. Source: ops 2, 5; control-plane 3.2, 3.5.
"""

from collections.abc import Iterable

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.roots import renamed_roots
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.machine import TERMINAL
from agentctl.domain.ops.record import GRAPH_ACTIONS, Op, Snapshot
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.bracket import DIED, HISTORY_MAX, fail_op, settle_cluster_ops, snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import branch_commits, place_of
from agentctl.engine.leases import Lease, LeaseLostError, StateLockHeldError
from agentctl.engine.moving import branch_lease, fence_branch
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, Stamp
from agentctl.ids import branch_address, graph_address, split_branch

TOLD_OF_MAX = 50
"""How many of the newest ops are looked at for what to tell."""


async def settle_ops(cluster: Cluster, lease: Lease) -> None:
    """Ends every op whose process died: those of the cluster, and those of branches of graphs.

    *lease* is the cluster's.
    """
    unfinished = await cluster.journal.unfinished()
    await settle_cluster_ops(cluster, lease, unfinished)
    left = [op for op in unfinished if op.action in GRAPH_ACTIONS]
    if not left:
        return
    holder = await cluster.leases.holder()
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else State()
    by_branch: dict[tuple[str, str], list[Op]] = {}
    for op in left:
        by_branch.setdefault(_where(op, state), []).append(op)
    for (graph, branch), ops in sorted(by_branch.items()):
        who = holder.principal if holder is not None else ops[0].actor.identity
        try:
            await _taken_over(cluster, graph, branch, ops, principal=who)
        except (StateLockHeldError, FrozenError, GraphError, LeaseLostError):
            continue  # A writer is at work there, or nothing can be seen now: nothing is guessed.


async def settle_branch(cluster: Cluster, lease: Lease, graph: str, branch: str) -> None:
    """Ends the writes to a branch whose process died, as its commits say; *lease* is the branch's."""
    address = branch_address(graph, branch)
    left = [
        op
        for op in await cluster.journal.unfinished()
        if op.action in GRAPH_ACTIONS and op.component == address
    ]
    await _settled(cluster, lease, graph, branch, left)


async def left_writes(
    cluster: Cluster, state: State, ops: Iterable[Op] | None = None
) -> tuple[Diagnostic, ...]:
    """Returns a warning for each write to a branch whose process died and that is not settled yet.

    Args:
        cluster: the opened cluster; nothing of it is written.
        state: as the ledger records it.
        ops: which are looked at; the newest where none are given.
    """
    if ops is None:
        ops = await cluster.journal.unfinished(TOLD_OF_MAX)
    told: list[Diagnostic] = []
    for op in ops:
        if op.action not in GRAPH_ACTIONS or op.status in TERMINAL:
            continue
        graph, branch = _where(op, state)
        root = await cluster.graphs.root_of(graph)
        holder = await cluster.leases.holder(branch_lease(root, branch))
        if holder is None or holder.holder_gone:
            told.append(_left(op))
    return tuple(told)


async def is_done(cluster: Cluster, op: Op, graph: str, branch: str) -> bool:
    """Returns whether what a write was to do is there.

    Raises:
        GraphError: that cannot be seen.
    """
    if branch != MAIN:
        live = {found.name for found in await cluster.graphs.branches(graph)}
        if branch not in live or op.action == "branch_delete":
            return branch not in live and op.action == "branch_delete"
    commits = await branch_commits(cluster, graph, branch, limit=HISTORY_MAX)
    # A fence bears the op of the write before which it came, whatever became of that.
    if any(commit.op == op.id and commit.kind != "fence" for commit in commits):
        return True
    if op.action != "graph_tag":
        return False
    place = await place_of(cluster, graph)
    return any(tag.op == op.id for tag in await place.data.tags(place.root))


async def abandon(cluster: Cluster, op: Op, lease: Lease, reason: str) -> None:
    """Records that a write broke off, unless what it was to do is there: then the next one ends it.

    Where that cannot be seen now, nothing is guessed either.
    """
    graph, branch = split_branch(op.component)
    try:
        if not await is_done(cluster, op, graph, branch):
            await fail_op(cluster, op, lease, reason)
    except (BackendError, GraphError):
        return


async def branch_snapshot(cluster: Cluster, live: LiveGraph, branch: str) -> Snapshot:
    """Returns digests and positions of a graph as it is now, and of the branch that is written."""
    if branch == MAIN or branch not in live.branches:
        return snapshot(await cluster.ledger.head(), (live,))
    written = await observe_graph(cluster, f"{live.graph_id}@{branch}")
    return snapshot(await cluster.ledger.head(), (live, written))


async def _taken_over(
    cluster: Cluster, graph: str, branch: str, ops: list[Op], *, principal: str
) -> None:
    root = await cluster.graphs.root_of(graph)
    async with cluster.leases.hold(
        branch_lease(root, branch), principal=principal, operation="recover"
    ) as lease:
        live = await observe_graph(cluster, graph)
        if lease.fence_needed and live.presence == "live":
            stamp = Stamp(
                op=ops[0].id,
                actor=principal,
                on_behalf_of=None,
                intent=f"settle an interrupted {ops[0].action}",
                epoch=lease.epoch,
                nonce=mint_nonce(cluster.world),
                at=stamp_now(cluster.world),
            )
            await fence_branch(cluster, graph, branch, lease, stamp)
        now = [await cluster.journal.get(op.id) for op in ops]
        left = [op for op in now if op is not None and op.status not in TERMINAL]
        await _settled(cluster, lease, graph, branch, left)


async def _settled(
    cluster: Cluster, lease: Lease, graph: str, branch: str, left: Iterable[Op]
) -> None:
    for op in left:
        if op.status == "pending":
            await cluster.journal.move(op.id, "cancelled", epoch=lease.epoch, reason=DIED)
        elif (
            op.status == "running"
            and await is_done(cluster, op, graph, branch)
            and not await _brought_back(cluster, op, lease, graph, branch)
        ):
            post = await branch_snapshot(cluster, await observe_graph(cluster, graph), branch)
            await cluster.journal.move(op.id, "success", epoch=lease.epoch, post=post)
        else:
            await fail_op(cluster, op, lease, DIED)


async def _brought_back(cluster: Cluster, op: Op, lease: Lease, graph: str, branch: str) -> bool:
    """Brings back what a deletion of a protected graph's branch ended before it had looked again.

    Of another graph whoever deleted may have said that nobody else needs to have it.
    """
    head = await cluster.ledger.head()
    protected = head.envelope.protected if head is not None else ()
    if op.action != "branch_delete" or graph_address(graph) not in protected:
        return False
    place = await place_of(cluster, graph)
    stamp = Stamp(
        op=op.id,
        actor=op.actor.identity,
        on_behalf_of=op.on_behalf_of,
        intent=f"settle an interrupted {op.action}",
        epoch=lease.epoch,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )
    return await place.data.brought_back(place.root, branch, stamp=stamp)


def _where(op: Op, state: State) -> tuple[str, str]:
    """Returns the graph, by the id that it has today, and the branch of a write."""
    graph, branch = split_branch(op.component)
    if graph_address(graph) not in state.applied_revision.resources:
        graph = renamed_roots(state).get(graph, graph)
    return graph, branch


def _left(op: Op) -> Diagnostic:
    return warning(
        "cluster_recovery_pending",
        op.id,
        f"an interrupted {op.action} of {op.component}, begun at {op.started_at}, is not settled yet",
        remedy="agentctl refresh",
    )
