"""`graph_export`: all rows at a point of a graph, as the NDJSON lines that a load reads.

The lines go out as they are read, each block by `notify` to the face that asked; none is held, and
the answer at the end only counts them. A face that takes no blocks is refused.
"""

from contextlib import aclosing

import msgspec

from agentctl.engine import history_of_graphs
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import At, BranchName
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import GraphId, Inside
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import permitted_point
from agentctl_tools.served import withheld


class ExportArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_export` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    branch: BranchName = "main"
    at: At | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Whole lines of an export."""

    lines: bytes


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What went out."""

    graph: str
    commit: str
    """Id of the one commit that was read."""
    rows: int
    bytes: int


async def _export(call: Call) -> Envelope:
    given: ExportArguments = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    if call.notify is None:
        why = "an export goes out as it is read, and this face takes its answers whole"
        remedy = f"POST /graphs/{given.graph}/export; or agentctl graph export {given.graph}"
        return refused("not_supported_yet", "operation", why, remedy=remedy)
    commit = await permitted_point(
        call, given.graph, branch=given.branch, at=given.at, action="export"
    )
    if isinstance(commit, Envelope):
        return commit
    rows, size = 0, 0
    exporting = history_of_graphs.graph_export(call.cluster, given.graph, at=commit.id)
    async with aclosing(exporting) as blocks:
        async for lines in blocks:
            await call.notify(Block(lines=lines))
            rows, size = rows + lines.count(b"\n"), size + len(lines)
    exported = Exported(graph=given.graph, commit=commit.id, rows=rows, bytes=size)
    return done(f"Exported {count(rows, 'row')}.", data=exported)


EXPORT = Operation(
    name="graph_export",
    operation_class="read",
    action="export",
    arguments=ExportArguments,
    handler=_export,
    describe="Look. All rows of a graph at a point, as lines that a load reads.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=Exported,
    idempotent=True,
)
