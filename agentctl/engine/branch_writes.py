"""How one branch of a graph is written through the control plane: lease, fence, Op, effect, end.

A write holds the lease of the one branch that it may change (a merge that of its target), so that
loads, merges and care of other branches go on beside it. Whoever takes the lease settles the writes
of this kind whose process died under it, by what the branch's commits say. Source: control-plane 3.5.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.record import Lineage, Op, OpVerb
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.bracket import DIED, HISTORY_MAX, Begin, begin_op, fail_op, snapshot
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import Place, named, place_of, recorded
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Head
from agentctl.engine.moving import branch_lease, fence_branch
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.port import GraphError, Stamp
from agentctl.ids import graph_address

BRANCH_ACTIONS: Final = frozenset(
    {
        "branch_create",
        "branch_delete",
        "branch_merge",
        "graph_tag",
        "graph_untag",
        "graph_optimize",
        "graph_cleanup",
    }
)
"""Actions of the ops that are bracketed here."""

T = TypeVar("T")


class BranchWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written, and by which call."""

    action: str
    verb: OpVerb
    graph: str
    branch: str
    """Whose lease is held."""
    intent: str
    wait_s: float = 0
    op_id: str | None = None
    """Where it was minted before."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a write is made with."""

    place: Place
    head: Head
    stamp: Stamp


class Written(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What became of a write."""

    value: T | None = None
    """What the engine said; None where it refused."""
    op: Op | None = None
    """None where nothing was begun."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def write_branch(
    cluster: Cluster,
    caller: Caller,
    write: BranchWrite,
    act: Callable[[Held], Awaitable[T]],
    *,
    check: Callable[[Held], Awaitable[Diagnostic | None]] | None = None,
    refused: Callable[[T], str | None] = lambda _: None,
) -> Written[T]:
    """Writes to a branch of a recorded graph by one op.

    Args:
        cluster: the opened cluster.
        caller: who writes.
        write: what, and why.
        act: makes the write; repeated with the same stamp it does nothing more.
        check: looks, under the lease and before the op, whether there is a reason against it.
        refused: says of what *act* returned why nothing was done; None where it was.

    Raises:
        GraphError: there is no such graph, or no engine.
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the branch, for longer than `wait_s`.
    """
    address = graph_address(write.graph)
    if not write.intent.strip():
        why = f"`{write.action}` needs an intent: why it is wanted"
        return Written(diagnostics=(error("intent_required", "intent", why),))
    head = await recorded(cluster, write.graph)
    place = await place_of(cluster, write.graph)
    cluster.ledger.require_writable(head)
    await cluster.freezes.require_thawed(address, head.envelope.freezes)
    async with cluster.leases.hold(
        branch_lease(place.root, write.branch),
        principal=caller.id,
        operation=write.action,
        wait_s=write.wait_s,
    ) as lease:
        op_id = write.op_id or cluster.journal.mint_id(caller.nid)
        stamp = _stamp(cluster, caller, write, op_id, lease)
        await fence_branch(cluster, write.graph, write.branch, lease, stamp)
        await settle_branch_ops(cluster, lease, write.graph, write.branch)
        fresh = msgspec.structs.replace(stamp, nonce=mint_nonce(cluster.world))
        held = Held(place=place, head=await recorded(cluster, write.graph), stamp=fresh)
        why_not = await check(held) if check is not None else None
        if why_not is not None:
            return Written(diagnostics=(why_not,))
        op = await _begin(cluster, caller, write, lease, held)
        return await _made(cluster, write, lease, op, held, act, refused)


async def settle_branch_ops(cluster: Cluster, lease: Lease, graph: str, branch: str) -> None:
    """Ends the writes to a branch whose process died under its lease, as its commits say.

    What made no commit that is there is told as failed: it did nothing, or can be repeated.
    """
    target = branch_target(graph, branch)
    left = [
        op
        for op in await cluster.journal.unfinished()
        if op.action in BRANCH_ACTIONS and target in op.targets
    ]
    if not left:
        return
    place = await place_of(cluster, graph)
    made = await _ops_of(place, branch)
    tagged = {tag.op for tag in await place.data.tags(place.root)}
    for op in left:
        is_deleted = op.action == "branch_delete" and not made
        if op.status == "pending":
            await cluster.journal.move(op.id, "cancelled", epoch=lease.epoch, reason=DIED)
        elif op.id in made or op.id in tagged or is_deleted:
            await _end(cluster, op, lease, graph)
        else:
            await fail_op(cluster, op, lease, DIED)


def branch_target(graph: str, branch: str) -> str:
    """Returns how ops and policy name a branch."""
    return f"{graph_address(graph)}@{branch}"


async def _ops_of(place: Place, branch: str) -> frozenset[str]:
    """Returns the ops of a live branch's newest commits; none of a branch that is not there."""
    live = {b.name for b in await place.data.branches(place.root)}
    if branch not in live:
        return frozenset()
    commits = await place.data.commits(place.root, branch=branch, limit=HISTORY_MAX)
    return frozenset(commit.op for commit in commits)


async def _made(  # noqa: PLR0913  # a write, and what it is made with
    cluster: Cluster,
    write: BranchWrite,
    lease: Lease,
    op: Op,
    held: Held,
    act: Callable[[Held], Awaitable[T]],
    refused: Callable[[T], str | None],
) -> Written[T]:
    try:
        async with named(write.graph, held.place.root):
            value = await act(held)
    except GraphError as failure:
        await fail_op(cluster, op, lease, failure.diagnostic.message)
        ended = await cluster.journal.get(op.id)
        return Written(op=ended, diagnostics=(failure.diagnostic,))
    except Exception as failure:
        await _abandon(cluster, write, lease, op, held.place, str(failure))
        raise
    why_not = refused(value)
    if why_not is not None:
        await fail_op(cluster, op, lease, why_not)
        return Written(value=value, op=await cluster.journal.get(op.id))
    return Written(value=value, op=await _end(cluster, op, lease, write.graph))


async def _abandon(
    cluster: Cluster, write: BranchWrite, lease: Lease, op: Op, place: Place, reason: str
) -> None:
    """Records that a write broke off, unless its commit is there: then the next one ends the op."""
    try:
        if op.id not in await _ops_of(place, write.branch):
            await fail_op(cluster, op, lease, reason)
    except (BackendError, GraphError):
        return


async def _begin(
    cluster: Cluster, caller: Caller, write: BranchWrite, lease: Lease, held: Held
) -> Op:
    newest = await cluster.graphs.history(write.graph, limit=1)
    known = bool(newest) and await cluster.journal.get(newest[0].op) is not None
    begin = Begin(
        action=write.action,
        verb=write.verb,
        intent=write.intent,
        component=graph_address(write.graph),
        targets=(branch_target(write.graph, write.branch),),
        lineage=Lineage(parent_op=newest[0].op if known else None),
        op_id=held.stamp.op,
    )
    live = await observe_graph(cluster, write.graph)
    return await begin_op(
        cluster, caller, begin, lease=lease, head=held.head, live={write.graph: live}
    )


async def _end(cluster: Cluster, op: Op, lease: Lease, graph: str) -> Op:
    live = await observe_graph(cluster, graph)
    post = snapshot(await cluster.ledger.head(), (live,))
    return await cluster.journal.move(op.id, "success", epoch=lease.epoch, post=post)


def _stamp(cluster: Cluster, caller: Caller, write: BranchWrite, op_id: str, lease: Lease) -> Stamp:
    return Stamp(
        op=op_id,
        actor=caller.id,
        on_behalf_of=caller.on_behalf_of,
        intent=write.intent,
        epoch=lease.epoch,
        nonce=mint_nonce(cluster.world),
        at=stamp_now(cluster.world),
    )
