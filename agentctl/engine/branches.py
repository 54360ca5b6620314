"""Branches of graphs through the control plane: cut, listed, merged, deleted. Source: graph-engine 5.

Deleting a branch is a tombstone; what only it named goes with the next cleanup. So a branch with
commits that no other branch has is deleted only by whoever says so, and of a protected graph not at
all: that is gated (control-plane 3.3), and a deletion has no gate that a human could open. Whether
others have them is looked at before the tombstone and once more after it, for these others may be
deleted at the same time.
"""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.record import OpVerb
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import BRANCH_PREFIX
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import place_of, recorded
from agentctl.engine.ledger import Head
from agentctl.engine.writing import BranchWrite, Written, write_branch
from agentctl.graph.branching.told import MergeReport
from agentctl.graph.layout import MAIN
from agentctl.graph.port import BranchInfo, GraphError, Stamp
from agentctl.graph.refusals import branch_invalid, branch_missing
from agentctl.ids import branch_address, graph_address


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What every write of a branch is called with."""

    graph: str
    intent: str
    wait_s: float = 0
    op_id: str | None = None

    def write(
        self, action: str, branch: str, *, verb: OpVerb = "update", source: str | None = None
    ) -> BranchWrite:
        """Returns the write of *branch* that it asks for."""
        return BranchWrite(
            action=action,
            verb=verb,
            graph=self.graph,
            branch=branch,
            source=source,
            intent=self.intent,
            wait_s=self.wait_s,
            op_id=self.op_id,
        )


async def branch_list(cluster: Cluster, graph: str) -> tuple[BranchInfo, ...]:
    """Returns the live branches of a recorded graph, `main` first."""
    await recorded(cluster, graph)
    return await cluster.graphs.branches(graph)


async def branch_create(
    cluster: Cluster,
    caller: Caller,
    call: Call,
    name: str,
    *,
    source: str = MAIN,
    at: str | None = None,
) -> Written[BranchInfo]:
    """Cuts a branch from a point of the history of *source*, under the new branch's own lease."""
    place = await place_of(cluster, call.graph)

    async def act(stamp: Stamp) -> BranchInfo:
        return await place.data.branch_create(place.root, name, source=source, at=at, stamp=stamp)

    write = call.write("branch_create", name, verb="install", source=source)
    return await write_branch(cluster, caller, write, act)


async def branch_delete(
    cluster: Cluster, caller: Caller, call: Call, name: str, *, unmerged: bool = False
) -> Written[int]:
    """Ends a branch; with *unmerged* also one that holds what no other branch has."""
    if name == MAIN:
        said = "The branch 'main' is not deleted but with its graph"
        return Written(diagnostics=(branch_invalid(call.graph, said).diagnostic,))

    place = await place_of(cluster, call.graph)

    def lost(head: Head) -> Diagnostic | None:
        is_real = cluster.sandbox is None
        if is_real and graph_address(call.graph) in head.envelope.protected:
            return _gated(call.graph, name)
        return None if unmerged else _unmerged(call.graph, name)

    async def check(head: Head) -> Diagnostic | None:
        if not await place.data.is_unmerged(place.root, name):
            return None
        return lost(head)

    async def act(stamp: Stamp) -> int:
        newest = await place.data.commit_at(place.root, branch=name)
        ended = await place.data.branch_delete(place.root, name, observed=newest.n, stamp=stamp)
        why = lost(await recorded(cluster, call.graph))
        if why is not None and await place.data.brought_back(place.root, name, stamp=stamp):
            raise GraphError(why)
        return ended

    write = call.write("branch_delete", name, verb="delete")
    return await write_branch(cluster, caller, write, act, check=check)


async def branch_merge(
    cluster: Cluster,
    caller: Caller,
    call: Call,
    source: str,
    *,
    into: str = MAIN,
    if_commit: str | None = None,
) -> Written[MergeReport]:
    """Merges branch *source* into *into* by one commit, or tells the conflicts and does nothing.

    The branch of a sandbox is merged by `sandbox_merging` alone.
    """
    if source.startswith(BRANCH_PREFIX):
        return Written(diagnostics=(branch_missing(call.graph, source).diagnostic,))
    place = await place_of(cluster, call.graph)

    async def act(stamp: Stamp) -> MergeReport:
        return await place.data.merge(
            place.root, source, into=into, if_commit=if_commit, stamp=stamp
        )

    def refused(report: MergeReport) -> str | None:
        if report.outcome != "conflicts":
            return None
        return f"the branches are in conflict ({report.conflict_count}); nothing was merged"

    write = call.write("branch_merge", into, source=source)
    made = await write_branch(cluster, caller, write, act, refused=refused)
    told = made.value.diagnostics if made.value is not None else ()
    return msgspec.structs.replace(made, diagnostics=(*made.diagnostics, *told))


def _gated(graph: str, name: str) -> Diagnostic:
    address = graph_address(graph)
    return error(
        "approval_required",
        branch_address(graph, name),
        f"graph {graph} is protected, and branch {name} holds what no other branch has: to delete"
        " it needs a human's decision",
        remedy=f"Merge it first: agentctl branch merge {graph} {name}; or take {address} out of"
        " `protect`, which a human approves, and delete it then.",
    )


def _unmerged(graph: str, name: str) -> Diagnostic:
    return error(
        "branch_unmerged",
        branch_address(graph, name),
        f"branch {name} of graph {graph} holds what no other branch has",
        remedy=f"agentctl branch merge {graph} {name}; or delete it with what it holds:"
        f" agentctl branch delete {graph} {name} --unmerged",
    )
