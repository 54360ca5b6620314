"""`load_rows`: loads rows that the caller sends along, by one commit or not at all.

`load` reads a file of the operator's own process; this takes the lines themselves, so that it needs
no file and no path of anyone.
"""

import functools
from typing import Annotated, Final, Literal

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.domain.ops.record import Op
from agentctl.engine.loading import Loading, LoadTold
from agentctl.graph.loads.sources import REJECTED_MAX, LoadOptions, NdjsonSource
from agentctl.ids import branch_address
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import Branch, GraphId, IdempotencyKey, Inside, Intent
from agentctl_tools.keyed import keyed
from agentctl_tools.load import LoadAnswer, loaded
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.served import withheld

ROWS_CHARACTERS_MAX: Final = 32 << 20
"""Of the rows of one load. Source: access-and-faces 2.4."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `load_rows` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    rows: Annotated[
        str, msgspec.Meta(description="NDJSON, one row a line.", max_length=ROWS_CHARACTERS_MAX)
    ]
    mode: Literal["append", "merge", "overwrite"] = "append"
    branch: Branch = "main"
    max_errors: Annotated[
        int,
        msgspec.Meta(
            description="Bad rows to set aside; each is told of, as far as the list goes.",
            ge=0,
            le=REJECTED_MAX,
        ),
    ] = 0
    intent: Intent
    idempotency_key: IdempotencyKey = None


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    told = await withheld(call.cluster, given.graph)
    if told is not None:
        return failed((told,))

    def succeeded(op: Op) -> Envelope:
        answer = _answer(given, LoadTold(commit=None, rows={}), op, ok=True)
        return done("It was loaded before; the op tells by which commit.", data=answer)

    act = functools.partial(_load, call)
    return await keyed(call, "load_rows", LoadAnswer, act, shown=_envelope, succeeded=succeeded)


async def _load(call: Call, op_id: str | None) -> LoadAnswer:
    given = call.arguments
    lines = (line.encode() + b"\n" for line in given.rows.split("\n"))
    loading = Loading(
        graph=given.graph,
        source=NdjsonSource(lines=lines),
        branch=given.branch,
        options=LoadOptions(mode=given.mode, rejected_max=given.max_errors),
        intent=given.intent,
        op_id=op_id,
        on_event=call.notify,
    )
    report, op = await loaded(call, loading)
    ok = not has_errors(report.diagnostics)
    return _answer(given, report, op, ok=ok)


def _answer(given: Arguments, report: LoadTold, op: Op | None, *, ok: bool) -> LoadAnswer:
    return LoadAnswer(
        ok=ok, graph=given.graph, branch=given.branch, mode=given.mode, report=report, op=op
    )


def _envelope(answer: LoadAnswer) -> Envelope:
    told = answer.report.diagnostics
    if not answer.ok:
        return failed(told, summary="Nothing was loaded.", data=answer)
    rows = sum(answer.report.rows.values())
    aside = f", set aside {answer.report.rejected}" if answer.report.rejected else ""
    return done(f"Loaded {count(rows, 'row')}{aside}.", data=answer, diagnostics=told)


OPERATION = Operation(
    name="load_rows",
    operation_class="write",
    action="change",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Loads the given rows into a graph by one commit, or nothing at all.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=LoadAnswer,
    idempotent=True,
)
