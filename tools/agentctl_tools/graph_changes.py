"""`graph_changes`: the change feed of a branch, and where one begins after an export."""

from typing import Annotated

import msgspec

from agentctl.engine import history_of_graphs
from agentctl.graph.data_port import CommitRef
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import At, BranchName
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId, Inside
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import permitted_point
from agentctl_tools.served import withheld

CHANGES_MAX = 1_000
CURSOR_MAX = 4_000


class ChangesArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_changes` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    branch: BranchName = "main"
    since: Annotated[
        str,
        msgspec.Meta(
            description="`now`, `beginning`, a commit's id, or a cursor that was given.",
            min_length=1,
            max_length=CURSOR_MAX,
        ),
    ] = "beginning"
    limit: Annotated[int, msgspec.Meta(ge=1, le=CHANGES_MAX)] = 200


class BaselineArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_baseline` takes."""

    graph: GraphId
    branch: BranchName = "main"
    at: At | None = None


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Where to take an export, and where its feed goes on."""

    commit: CommitRef
    """Export at its id."""
    cursor: str
    """`since` of the feed whose first change is the first that the export does not have."""


async def _changes(call: Call) -> Envelope:
    given: ChangesArguments = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    found = await history_of_graphs.graph_changes(
        call.cluster, given.graph, since=given.since, branch=given.branch, limit=given.limit
    )
    changes = sum(len(c.changes) for c in found.commits)
    return done(f"{count(changes, 'change')}.", data=found)


async def _baseline(call: Call) -> Envelope:
    given: BaselineArguments = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    commit = await permitted_point(call, given.graph, branch=given.branch, at=given.at)
    if isinstance(commit, Envelope):
        return commit
    return done("Export at that commit.", data=Baseline(commit=commit, cursor=commit.id))


CHANGES = Operation(
    name="graph_changes",
    operation_class="read",
    action="read",
    arguments=ChangesArguments,
    handler=_changes,
    describe="Look. What commits of a branch did to the rows, in order, from a point on.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=history_of_graphs.Changes,
    idempotent=True,
)
BASELINE = Operation(
    name="graph_baseline",
    operation_class="read",
    action="read",
    arguments=BaselineArguments,
    handler=_baseline,
    describe="Look. At which commit to export, and from where to follow the changes then.",
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=Baseline,
    idempotent=True,
)
