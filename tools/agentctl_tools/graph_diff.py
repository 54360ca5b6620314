"""`graph_diff`: what differs between two points of a graph."""

from typing import Annotated

import msgspec

from agentctl.engine import history_of_graphs
from agentctl.graph.branching.told import DiffReport
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import At, BranchName
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId, Inside
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import permitted_point
from agentctl_tools.served import withheld

SAMPLE_MAX = 1_000


class DiffArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_diff` takes; `after` is the head of `branch` where it is not given."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    before: At
    after: At | None = None
    branch: BranchName = "main"
    sample: Annotated[
        int, msgspec.Meta(description="Changes shown of each type.", ge=0, le=SAMPLE_MAX)
    ] = 20


async def _diff(call: Call) -> Envelope:
    given: DiffArguments = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    points: list[str] = []
    for at in (given.before, given.after):
        point = await permitted_point(call, given.graph, branch=given.branch, at=at)
        if isinstance(point, Envelope):
            return point
        points.append(point.id)
    report = await history_of_graphs.graph_diff(
        call.cluster,
        given.graph,
        *points,
        branch=given.branch,
        sample=given.sample,
    )
    changes = sum(t.inserted + t.updated + t.deleted for t in report.types)
    return done(f"{count(changes, 'change')}.", data=report)


DIFF = Operation(
    name="graph_diff",
    operation_class="read",
    action="read",
    arguments=DiffArguments,
    handler=_diff,
    describe="Look. What differs between two points of a graph: counts, and some of it.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=DiffReport,
    idempotent=True,
)
