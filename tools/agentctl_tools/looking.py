"""What the two kinds of reads share: where they look, within what bounds, and who may."""

from typing import Annotated, Final, Literal

import msgspec

from agentctl.engine.graph_data import branch_address
from agentctl.engine.reading import Look, QueryOutcome, looked_at
from agentctl.graph.port import GraphError
from agentctl.graph.reads.options import MEMORY_BYTES
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.policies import refused_beside

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

    branch: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "main"
    at: At = None
    explain: Explain = None
    limit: Rows = ROWS
    deadline_s: DeadlineS = None
    memory_bytes: MemoryBytes = MEMORY_BYTES


async def permitted_look(call: Call, graph: str, *, asked: str | None) -> Look | Envelope:
    """Returns the look at the commit that is meant, or why the caller may not read its branch.

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
    try:
        branch, look = await looked_at(call.cluster, graph, look)
    except GraphError as failure:
        return failed((failure.diagnostic,))
    if branch == (asked or "main"):
        return look
    about = branch_address(graph, branch)
    return await refused_beside(call, "read", about, {"branch": branch}) or look


def told_of(outcome: QueryOutcome) -> Envelope:
    """Returns the envelope of a read."""
    reply = outcome.reply
    if reply is None:
        return failed(outcome.diagnostics)
    summary = f"{count(reply.row_count, 'row')}."
    if reply.plan is not None:
        summary = f"A plan of {count(len(reply.plan.steps), 'step')}."
    return done(summary, data=reply, diagnostics=outcome.diagnostics)
