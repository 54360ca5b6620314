"""What a call on a graph is about beside the branch that it names: points of other branches, and all of them.

The door asks policy about the branch that a call names. A commit's id, a tag and a time may lead to
another one, a cut and a merge tell of two, and some operations look at every branch there is. What a
caller may not see is not told to be there: a tag of a branch that they may not read is a tag that
there is none of. Source: access-and-faces 3.2, ADR 17.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.policy.decide import authorise
from agentctl.engine import branches, history_of_graphs
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.data_port import CommitRef
from agentctl.graph.refusals import NOTHING_THERE, point_missing
from agentctl.ids import branch_address, graph_address
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.policies import policies_for, refused_beside


async def refused_on(
    call: Call, action: str, graph: str, branch: str, **more: object
) -> Envelope | None:
    """Returns why the caller may not do *action* to a branch as well; None where they may."""
    context: Mapping[str, object] = {"branch": branch, **more}
    return await refused_beside(call, action, branch_address(graph, branch), context)


async def permitted_point(
    call: Call, graph: str, *, branch: str, at: str | None, action: str = "read"
) -> CommitRef | Envelope:
    """Returns the commit that is meant, or why the caller may not do *action* to what has it.

    Policy was asked about *branch* before. About a branch that *at* names by a commit's id it is asked
    before anything is looked up; what a tag or a time leads to is told as missing where it is denied.

    Raises:
        GraphError: there is no such point.
    """
    named = None if at is None else parse_commit_id(at)
    asked = branch if named is None else named.branch
    if asked != branch:
        refused = await refused_on(call, action, graph, asked)
        if refused is not None:
            return refused
    commit = await history_of_graphs.graph_point(call.cluster, graph, branch=branch, at=at)
    if commit.branch == asked:
        return commit
    refused = await refused_on(call, action, graph, commit.branch)
    if refused is None:
        return commit
    return await _as_missing(call, graph, at or "", refused)


async def permitted_branches(
    call: Call, graph: str, action: str, names: Iterable[str]
) -> frozenset[str] | Envelope:
    """Returns those of *names* to which the caller may do *action*; nothing is recorded of the others."""
    policies = await policies_for(call.cluster, call.caller)
    if isinstance(policies, Envelope):
        return policies
    return frozenset(
        name
        for name in names
        if authorise(
            call.caller, action, branch_address(graph, name), {"branch": name}, policies=policies
        ).allow
    )


async def refused_on_some(call: Call, action: str, graph: str) -> Envelope | None:
    """Returns why a call that is about every live branch is not for this caller; it names no branch."""
    for one in await branches.branch_list(call.cluster, graph):
        refused = await refused_on(call, action, graph, one.name)
        if refused is not None:
            return _without_name(call, action, graph, refused)
    return None


def _without_name(call: Call, action: str, graph: str, refused: Envelope) -> Envelope:
    if not _is_denial(refused):
        return refused
    why = f"{call.caller.id} may not {action} every branch of graph {graph}, and this is about all"
    return failed((error("denied", graph_address(graph), why),))


async def _as_missing(call: Call, graph: str, at: str, refused: Envelope) -> Envelope:
    """Returns what is told of a point that there is none of."""
    if not _is_denial(refused):
        return refused
    root = await call.cluster.graphs.root_of(graph)
    told = point_missing(root, at, NOTHING_THERE).diagnostic
    return failed((msgspec.structs.replace(told, path=graph_address(graph)),))


def _is_denial(refused: Envelope) -> bool:
    return any(d.code == "denied" for d in refused.diagnostics)
