"""`schema_show`: the text of the schema that a graph has, at any point of its history."""

import msgspec

from agentctl.engine import history_of_graphs
from agentctl.ids import graph_address
from agentctl_tools.branch_calls import At, BranchName
from agentctl_tools.envelopes import done, failed
from agentctl_tools.fields import GraphId, Inside
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import permitted_point, refused_on
from agentctl_tools.served import withheld


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `schema_show` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    branch: BranchName = "main"
    at: At | None = None


class AppliedSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A schema in force, as it is written."""

    graph: str
    commit: str
    """Id of the commit whose schema it is."""
    digest: str
    """SHA-256 of its bytes."""
    source: str
    """The text of the `.pg` file that was applied."""


async def _handle(call: Call) -> Envelope:
    """Shows it to whoever may read the branch as well, for branches have schemas of their own."""
    given: Arguments = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    refused = await refused_on(call, "read", given.graph, given.branch)
    if refused is not None:
        return refused
    point = await permitted_point(call, given.graph, branch=given.branch, at=given.at)
    if isinstance(point, Envelope):
        return point
    text = await history_of_graphs.graph_schema(call.cluster, given.graph, at=point.id)
    data = AppliedSchema(graph=given.graph, commit=point.id, digest=text.digest, source=text.source)
    return done(f"The schema of {given.graph} at {point.id}.", data=data)


OPERATION = Operation(
    name="schema_show",
    operation_class="read",
    action="schema_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. The schema that a graph has on a branch, or had at a commit, tag or time.",
    inside=True,
    resource=lambda given: graph_address(given.graph),
    result=AppliedSchema,
    idempotent=True,
)
