"""`branch_list`, `branch_create`: the branches of a graph, and one more."""

import msgspec

from agentctl.engine import branches
from agentctl.graph.port import BranchInfo
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import (
    At,
    BranchName,
    WriteAnswer,
    WriteArguments,
    common,
    engine_call,
    once,
)
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId, Inside
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import permitted_branches, permitted_point, refused_on
from agentctl_tools.policies import refused_beside
from agentctl_tools.served import withheld


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `branch_list` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId


class Branches(msgspec.Struct, frozen=True, kw_only=True):
    """The live branches, `main` first, then by name."""

    branches: tuple[BranchInfo, ...]


class CreateArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `branch_create` takes."""

    branch: BranchName
    source: BranchName = "main"
    at: At | None = None


class Created(WriteAnswer, frozen=True, kw_only=True):
    """The branch that was cut."""

    branch: BranchInfo | None


async def _list(call: Call) -> Envelope:
    graph = call.arguments.graph
    held_back = await withheld(call.cluster, graph)
    if held_back is not None:
        return failed((held_back,))
    listed = await branches.branch_list(call.cluster, graph)
    seen = await permitted_branches(call, graph, "read", (b.name for b in listed))
    if isinstance(seen, Envelope):
        return seen
    found = tuple(b for b in listed if b.name in seen)
    return done(f"{count(len(found), 'branch', 'branches')}.", data=Branches(branches=found))


async def _create(call: Call) -> Envelope:
    """Cuts a branch; whoever cuts one has all that it is cut from, and so has to be one who may read it."""
    given: CreateArguments = call.arguments
    at = given.at
    refused = await refused_on(call, "read", given.graph, given.source)
    if refused is None and at is not None:
        point = await permitted_point(call, given.graph, branch=given.source, at=at)
        if isinstance(point, Envelope):
            return point
        at = point.id
        if point.branch != given.source:
            target = {"target_branch": given.branch}
            about = branch_address(given.graph, given.branch)
            context = {"branch": point.branch, **target}
            refused = await refused_beside(call, "branch_create", about, context)
    if refused is not None:
        return refused

    async def act(op_id: str | None) -> Created:
        written = await branches.branch_create(
            call.cluster,
            call.caller,
            engine_call(given, op_id),
            given.branch,
            source=given.source,
            at=at,
        )
        return Created(**common(given, written), branch=written.value)

    return await once(call, "branch_create", Created, act, _created)


def _created(answer: Created) -> str:
    assert answer.branch is not None
    return f"Branch {answer.branch.name} is there, at {answer.branch.head.id}."


LIST = Operation(
    name="branch_list",
    operation_class="read",
    action="read",
    arguments=ListArguments,
    handler=_list,
    describe="Look. The branches of a graph, with their newest commits.",
    inside=True,
    resource=lambda given: f"graph.{given.graph}",
    result=Branches,
    idempotent=True,
)
CREATE = Operation(
    name="branch_create",
    operation_class="write",
    action="branch_create",
    arguments=CreateArguments,
    handler=_create,
    describe="Real. Cuts a branch of a graph from a commit; copies nothing.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.source, "target_branch": given.branch},
    result=Created,
    idempotent=True,
)
