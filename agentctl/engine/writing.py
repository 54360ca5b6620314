"""A write to one branch of a graph, whatever it is: lease, fence, op, the write itself, the op's end.

Loads and mutations differ in what is done in between. The op is begun before anything is written,
and ended after; where the process dies in between, the next writer to the branch ends it by what the
branch's commits say. Source: ops 2, 5; graph-engine 1.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.observations import LiveGraph
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
from agentctl.engine.data_plane import branch_address, branch_commits
from agentctl.engine.gather import observe_graph
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Head
from agentctl.engine.moving import branch_lease, fence_branch, fence_graph
from agentctl.engine.ready import state_missing
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, Stamp
from agentctl.graph.refusals import branch_missing
from agentctl.ids import graph_address


class Report(Protocol):
    """What a write answers."""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """With an error among them nothing was written."""
        ...


R = TypeVar("R", bound=Report)


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written, and where."""

    action: Literal["load", "mutate"]
    graph: str
    branch: str = MAIN
    intent: str
    replaces: bool = False
    """Whether rows are replaced whole, which a protected graph does not let happen."""
    wait_s: float = 0
    """How long a lease that somebody else holds is waited for, in seconds."""
    op_id: str | None = None
    """Where it was minted before."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """How a write went that was refused or failed on the way; a report says the rest."""

    refusal: Diagnostic
    op: Op | None = None
    """None where it was refused before there was one."""
    is_race: bool = False
    """Whether somebody else was faster."""


async def write_branch(
    cluster: Cluster, caller: Caller, write: Write, act: Callable[[Stamp], Awaitable[R]]
) -> tuple[R, Op] | Written:
    """Writes to a branch of a recorded graph by one commit, or nothing at all.

    Args:
        cluster: whose graph it is.
        caller: writes.
        write: what, where and why.
        act: makes the one commit; called at most once, under the branch's lease.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the branch, for longer than `Write.wait_s`.
    """
    head = await cluster.ledger.head()
    refused = _refusal(head, write) or _replaces_protected(head, write)
    if refused is not None:
        return Written(refusal=refused)
    assert head is not None
    cluster.ledger.require_writable(head)
    await cluster.freezes.require_thawed(graph_address(write.graph), head.envelope.freezes)
    async with cluster.leases.hold(
        branch_lease(await cluster.graphs.root_of(write.graph), write.branch),
        principal=caller.id,
        operation=write.action,
        wait_s=write.wait_s,
    ) as lease:
        return await _held(cluster, caller, write, act, lease=lease, head=head)


async def _held(  # what is written, under which lease
    cluster: Cluster,
    caller: Caller,
    write: Write,
    act: Callable[[Stamp], Awaitable[R]],
    *,
    lease: Lease,
    head: Head,
) -> tuple[R, Op] | Written:
    op_id = write.op_id or cluster.journal.mint_id(caller.nid)
    stamp = _stamp(cluster, caller, op_id, write.intent, lease)
    live = await _fenced(cluster, write, lease, stamp)
    if live.presence != "live":
        return Written(refusal=_not_live(live))
    if write.branch != MAIN and write.branch not in live.branches:
        return Written(refusal=branch_missing(write.graph, write.branch).diagnostic)
    if write.replaces:
        refused = _replaces_protected(await cluster.ledger.head(), write)
        if refused is not None:
            return Written(refusal=refused)
    await settle_graph_ops(cluster, lease, branch_address(write.graph, write.branch))
    op = await _begin(cluster, caller, write, lease=lease, head=head, live=live, op_id=op_id)
    stamp = msgspec.structs.replace(stamp, nonce=mint_nonce(cluster.world))
    try:
        report = await act(stamp)
    except GraphError as failure:
        told = failure.diagnostic
        await fail_op(cluster, op, lease, told.message)
        is_race = told.code == "read_set_conflict"
        return Written(refusal=told, op=await cluster.journal.get(op.id), is_race=is_race)
    except Exception as failure:
        await abandon_load(cluster, op, lease, str(failure))
        raise
    return report, await _end(cluster, op, lease, head, write, report)


async def _fenced(cluster: Cluster, write: Write, lease: Lease, stamp: Stamp) -> LiveGraph:
    if write.branch == MAIN:
        return await fence_graph(cluster, write.graph, lease, stamp)
    await fence_branch(cluster, write.graph, write.branch, lease, stamp)
    return await observe_graph(cluster, write.graph)


async def _begin(  # noqa: PLR0913  # where an op comes from
    cluster: Cluster,
    caller: Caller,
    write: Write,
    *,
    lease: Lease,
    head: Head,
    live: LiveGraph,
    op_id: str,
) -> Op:
    """Begins the op; its parent is the op of the branch's newest commit."""
    newest = await branch_commits(cluster, write.graph, write.branch, limit=1)
    known = bool(newest) and await cluster.journal.get(newest[0].op) is not None
    address = branch_address(write.graph, write.branch)
    begin = Begin(
        action=write.action,
        verb="update",
        intent=write.intent,
        component=address,
        targets=(address,),
        lineage=Lineage(parent_op=newest[0].op if known else None),
        op_id=op_id,
    )
    return await begin_op(
        cluster, caller, begin, lease=lease, head=head, live={live.graph_id: live}
    )


async def _end(
    cluster: Cluster, op: Op, lease: Lease, head: Head, write: Write, report: Report
) -> Op:
    if has_errors(report.diagnostics):
        done = {"load": "the input has errors; nothing was loaded"}
        why = done.get(write.action, "the schema does not permit it; nothing was changed")
        await fail_op(cluster, op, lease, why)
        return await cluster.journal.get(op.id) or op
    live = await observe_graph(cluster, write.graph)
    post = snapshot(head, (live,))
    return await cluster.journal.move(op.id, "success", epoch=lease.epoch, post=post)


def _refusal(head: Head | None, write: Write) -> Diagnostic | None:
    if not write.intent.strip():
        return error(
            "intent_required", "intent", f"a {write.action} needs an intent: why it is wanted"
        )
    if head is None:
        return state_missing()
    address = graph_address(write.graph)
    if address not in recorded_digests(head.envelope.state):
        return error(
            "graph_not_found",
            address,
            f"the applied revision has no graph {write.graph}",
            remedy="agentctl apply",
        )
    return None


def _replaces_protected(head: Head | None, write: Write) -> Diagnostic | None:
    """Returns why rows of a protected graph are not replaced: nobody has consented to it.

    A load has no gate that a human could open; taking the protection off has one.
    """
    address = graph_address(write.graph)
    if not write.replaces or head is None or address not in head.envelope.protected:
        return None
    return error(
        "approval_required",
        address,
        f"graph {write.graph} is protected: a load that replaces its rows needs a human's decision",
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
