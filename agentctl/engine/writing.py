"""A write to one branch of a graph, whatever it is: lease, fence, op, the write itself, the op's end.

Loads, mutations, merges, tags and care differ in what is done in between. A write holds the lease of
the one branch that it may change (a merge that of its target), so that others go on beside it. The op
is begun before anything is written, and ended after; where the process dies in between, what the
branch's commits say ends it (`left_writes`). Source: ops 2, 5; control-plane 3.5; graph-engine 1.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ops.record import Lineage, Op, OpVerb
from agentctl.domain.policy.caller import Caller
from agentctl.engine.bracket import Begin, fail_op, new_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import branch_commits, named, recorded
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Head
from agentctl.engine.left_writes import abandon, branch_snapshot, settle_branch
from agentctl.engine.moving import branch_lease, fence_branch, fence_graph
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, ReadSetConflictError, Stamp
from agentctl.graph.refusals import branch_missing
from agentctl.ids import branch_address, graph_address

T = TypeVar("T")


class BranchWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written, and where."""

    action: str
    """One of `GRAPH_ACTIONS`."""
    verb: OpVerb = "update"
    graph: str
    branch: str = MAIN
    """Whose lease is held."""
    source: str | None = None
    """The branch that is merged into it, or that it is cut from."""
    intent: str
    replaces: bool = False
    """Whether rows are replaced whole, which a protected graph does not let happen."""
    rollback_of: str | None = None
    """The op that is undone."""
    wait_s: float = 0
    """How long a lease that somebody else holds is waited for, in seconds."""
    op_id: str | None = None
    """Where it was minted before."""


class Written(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What became of a write."""

    value: T | None = None
    """What the engine said; None where the write was refused or failed on the way."""
    op: Op | None = None
    """None where nothing was begun."""
    diagnostics: tuple[Diagnostic, ...] = ()
    is_race: bool = False
    """Whether somebody else was faster."""


Check = Callable[[Head], Awaitable[Diagnostic | None]]


async def write_branch(
    cluster: Cluster,
    caller: Caller,
    write: BranchWrite,
    act: Callable[[Stamp], Awaitable[T]],
    *,
    check: Check | None = None,
    refused: Callable[[T], str | None] = lambda _: None,
) -> Written[T]:
    """Writes to a branch of a recorded graph by one op, and by one commit or none.

    Args:
        cluster: whose graph it is.
        caller: writes.
        write: what, where and why.
        act: makes the write; called at most once, under the branch's lease.
        check: looks, under the lease and before the op, whether there is a reason against it.
        refused: says of what *act* returned why nothing was done; None where it was.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the branch, for longer than `wait_s`.
    """
    if not write.intent.strip():
        why = f"`{write.action}` needs an intent: why it is wanted"
        return Written(diagnostics=(error("intent_required", "intent", why),))
    try:
        head = await recorded(cluster, write.graph)
        cluster.ledger.require_writable(head)
        await cluster.freezes.require_thawed(graph_address(write.graph), head.envelope.freezes)
        root = await cluster.graphs.root_of(write.graph)
        async with cluster.leases.hold(
            branch_lease(root, write.branch),
            principal=caller.id,
            operation=write.action,
            wait_s=write.wait_s,
        ) as lease:
            writing = _Writing(caller, write, lease, root)
            return await _held(cluster, writing, act, check, refused)
    except GraphError as failure:  # Before there was an op.
        return Written(diagnostics=(failure.diagnostic,))


class _Writing:
    """One write under its lease."""

    def __init__(self, caller: Caller, write: BranchWrite, lease: Lease, root: str) -> None:
        self.caller = caller
        self.write = write
        self.lease = lease
        self.root = root

    def stamp(self, cluster: Cluster, op_id: str) -> Stamp:
        """Returns what a commit of it bears; of a nonce of its own each time."""
        return Stamp(
            op=op_id,
            actor=self.caller.id,
            on_behalf_of=self.caller.on_behalf_of,
            intent=self.write.intent,
            epoch=self.lease.epoch,
            nonce=mint_nonce(cluster.world),
            at=stamp_now(cluster.world),
        )


async def _held(
    cluster: Cluster,
    writing: _Writing,
    act: Callable[[Stamp], Awaitable[T]],
    check: Check | None,
    refused: Callable[[T], str | None],
) -> Written[T]:
    write, lease = writing.write, writing.lease
    op_id = write.op_id or cluster.journal.mint_id(writing.caller.nid)
    live = await _fenced(cluster, writing, writing.stamp(cluster, op_id))
    if live.presence == "live":
        await settle_branch(cluster, lease, write.graph, write.branch)
    head = await recorded(cluster, write.graph)
    why_not = _not_live(live) or _no_branch(write, live)
    if why_not is None and cluster.sandbox is None:  # Nothing in a sandbox is real.
        why_not = _replaces_protected(head, write)
    if why_not is None and check is not None:
        why_not = await check(head)
    if why_not is not None:
        return Written(diagnostics=(why_not,))
    op = await _begin(cluster, writing, live, op_id)
    try:
        with named(write.graph, writing.root):
            value = await act(writing.stamp(cluster, op_id))
    except GraphError as failure:
        await fail_op(cluster, op, lease, failure.diagnostic.message)
        return Written(
            op=await cluster.journal.get(op.id),
            diagnostics=(failure.diagnostic,),
            is_race=isinstance(failure, ReadSetConflictError),
        )
    except Exception as failure:
        await abandon(cluster, op, lease, str(failure))
        raise
    not_done = refused(value)
    if not_done is not None:
        await fail_op(cluster, op, lease, not_done)
        return Written(value=value, op=await cluster.journal.get(op.id))
    return Written(value=value, op=await _end(cluster, op, writing))


async def _fenced(cluster: Cluster, writing: _Writing, stamp: Stamp) -> LiveGraph:
    """Returns what the graph holds once no dead holder can write to the branch any more."""
    graph, branch, lease = writing.write.graph, writing.write.branch, writing.lease
    if branch == MAIN:
        return await fence_graph(cluster, graph, lease, stamp)
    live = await observe_graph(cluster, graph)
    if live.presence == "live":
        await fence_branch(cluster, graph, branch, lease, stamp)
    return live


async def _begin(cluster: Cluster, writing: _Writing, live: LiveGraph, op_id: str) -> Op:
    write, caller, lease = writing.write, writing.caller, writing.lease
    address = branch_address(write.graph, write.branch)
    begin = Begin(
        action=write.action,
        verb=write.verb,
        intent=write.intent,
        component=address,
        targets=(address,),
        lineage=await _lineage(cluster, write, live),
        op_id=op_id,
    )
    pre = await branch_snapshot(cluster, live, write.branch)
    op = await cluster.journal.begin(new_op(cluster, caller, begin, lease), pre=pre)
    return await cluster.journal.move(op.id, "running", epoch=lease.epoch)


async def _end(cluster: Cluster, op: Op, writing: _Writing) -> Op:
    write = writing.write
    live = await observe_graph(cluster, write.graph)
    post = await branch_snapshot(cluster, live, write.branch)
    return await cluster.journal.move(op.id, "success", epoch=writing.lease.epoch, post=post)


async def _lineage(cluster: Cluster, write: BranchWrite, live: LiveGraph) -> Lineage:
    """Returns the ops of the newest commits that it goes on from; of a merge two."""
    merged = None if write.source is None else await _op_of(cluster, write, write.source, live)
    if write.action == "branch_create":
        return Lineage(parent_op=merged)
    parent = await _op_of(cluster, write, write.branch, live)
    return Lineage(parent_op=parent, merged_op=merged, rollback_of=write.rollback_of)


async def _op_of(cluster: Cluster, write: BranchWrite, branch: str, live: LiveGraph) -> str | None:
    """Returns the op of a branch's newest commit, where there are both."""
    if branch != MAIN and branch not in live.branches:
        return None
    newest = await branch_commits(cluster, write.graph, branch, limit=1)
    known = bool(newest) and await cluster.journal.get(newest[0].op) is not None
    return newest[0].op if known else None


def _no_branch(write: BranchWrite, live: LiveGraph) -> Diagnostic | None:
    there = write.branch == MAIN or write.branch in live.branches
    if there or write.action == "branch_create":
        return None
    return branch_missing(write.graph, write.branch).diagnostic


def _replaces_protected(head: Head, write: BranchWrite) -> Diagnostic | None:
    """Returns why rows of a protected graph are not replaced: nobody has consented to it.

    A load has no gate that a human could open; taking the protection off has one.
    """
    address = graph_address(write.graph)
    if not write.replaces or address not in head.envelope.protected:
        return None
    return error(
        "approval_required",
        address,
        f"graph {write.graph} is protected: a load that replaces its rows needs a human's decision",
        remedy=f"Load with --mode append or merge; or take {address} out of `protect`, which a"
        " human approves, and load then.",
    )


def _not_live(live: LiveGraph) -> Diagnostic | None:
    if live.presence == "live":
        return None
    codes = {
        "detached": "graph_detached",
        "purged": "graph_detached",
        "absent": "graph_root_missing",
    }
    return error(
        codes.get(live.presence, "graph_observation_error"),
        graph_address(live.graph_id),
        f"graph {live.graph_id} is {live.presence}; nothing can be written to it",
        detail=live.error,
        remedy="agentctl refresh",
    )
