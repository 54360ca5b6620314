"""What the two kinds of reads share: where they look, within what bounds, and who may."""

from typing import Annotated, Final, Literal

import msgspec

from agentctl.engine.reading import Look, QueryOutcome
from agentctl.graph.reads.options import MEMORY_BYTES
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import Inside
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.points import permitted_point, refused_on

ROWS: Final = 50
ROWS_MAX: Final = 10_000
SERVED_S: Final = 60.0
"""Seconds that a read of a caller elsewhere may take where nothing is said."""

Explain = Annotated[
    Literal["plan", "analyze"] | None,
    msgspec.Meta(description="The plan instead of rows; `analyze` runs it."),
]
At = (
    Annotated[str, msgspec.Meta(description="Commit, tag or RFC 3339 time.", max_length=200)] | None
)
Rows = Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX)]
DeadlineS = Annotated[float, msgspec.Meta(gt=0, le=3600)] | None
MemoryBytes = Annotated[int, msgspec.Meta(ge=1 << 20, le=MEMORY_BYTES)]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of every read."""

    within: Inside = msgspec.field(default="cluster", name="in")
    branch: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "main"
    at: At = None
    explain: Explain = None
    limit: Rows = ROWS
    deadline_s: DeadlineS = None
    memory_bytes: MemoryBytes = MEMORY_BYTES


async def permitted_look(call: Call, graph: str, *, asked: str | None) -> Look | Envelope:
    """Returns the look at the commit that is meant, or why the caller may not read its branch.

    A stored query lends what it returns of the newest of `main`: its plan, other branches and other
    points are for whoever may read there.

    Args:
        call: its arguments are `Bounds`.
        graph: which is read.
        asked: the branch that policy was asked about before; None where only the query was.
    """
    given: Bounds = call.arguments
    deadline_s = given.deadline_s
    if deadline_s is None and not call.caller.at_terminal:
        deadline_s = SERVED_S
    look = Look(
        branch=given.branch,
        at=given.at,
        explain=given.explain,
        limit=given.limit,
        deadline_s=deadline_s,
        memory_bytes=given.memory_bytes,
    )
    if asked is None and not look.is_plain:
        refused = await refused_on(call, "read", graph, given.branch)
        if refused is not None:
            return refused
    if given.at is None:
        return look
    point = await permitted_point(call, graph, branch=given.branch, at=given.at)
    if isinstance(point, Envelope):
        return point
    return msgspec.structs.replace(look, at=point.id)


def told_of(outcome: QueryOutcome) -> Envelope:
    """Returns the envelope of a read."""
    reply = outcome.reply
    if reply is None:
        return failed(outcome.diagnostics)
    summary = f"{count(reply.row_count, 'row')}."
    if reply.plan is not None:
        summary = f"A plan of {count(len(reply.plan.steps), 'step')}."
    return done(summary, data=reply, diagnostics=outcome.diagnostics)
