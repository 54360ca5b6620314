"""`load`: reads rows from a file of the operator into a graph, by one commit or not at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import anyio
import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.record import Op
from agentctl.engine import data
from agentctl.graph.port import LoadReport
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import GraphId, Intent
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.waiting import WaitS


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `load` takes."""

    graph: GraphId
    file: Annotated[str, msgspec.Meta(description="NDJSON, one row a line.")]
    mode: Literal["append", "merge", "overwrite"] = "append"
    intent: Intent
    wait_s: WaitS = 0.0


class LoadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded, and the op that did it."""

    ok: bool
    graph: str
    mode: str
    report: LoadReport
    op: Op | None


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    path = Path(given.file)
    if not call.caller.at_terminal:
        return refused(
            "path_outside_folder",
            given.file,
            "files to load are read by the operator's own process only",
        )
    if not await anyio.Path(path).exists() or await anyio.Path(path).is_dir():
        return refused(
            "load_file_missing",
            given.file,
            "there is no such file to load",
            remedy="Name a file of NDJSON lines.",
        )
    try:
        report, op = await data.load(
            call.cluster,
            call.caller,
            given.graph,
            _lines(path),
            mode=given.mode,
            intent=given.intent,
            wait_s=given.wait_s,
        )
    except OSError as failure:
        why = f"the file to load cannot be read, so nothing was loaded: {failure.strerror}"
        remedy = "Name a file of NDJSON lines that you may read."
        return refused("load_file_missing", given.file, why, remedy=remedy)
    told = tuple(_of_file(d, given.file) for d in report.diagnostics)
    report = msgspec.structs.replace(report, diagnostics=told)
    ok = not has_errors(told)
    answer = LoadAnswer(ok=ok, graph=given.graph, mode=given.mode, report=report, op=op)
    if not ok:
        return failed(report.diagnostics, summary="Nothing was loaded.", data=answer)
    rows = sum(report.rows.values())
    return done(f"Loaded {count(rows, 'row')}.", data=answer, diagnostics=report.diagnostics)


def _of_file(found: Diagnostic, file: str) -> Diagnostic:
    """Returns a diagnostic about the input as one about *file*, with what to do about a bad line."""
    where = msgspec.structs.replace(found.where, file=file) if found.where is not None else None
    path = file if found.where is not None and found.path == found.where.file else found.path
    remedy = found.remedy
    if remedy is None and where is not None:
        remedy = f"Mend line {where.line} of the file and load it again: nothing of it was loaded."
    return msgspec.structs.replace(found, where=where, path=path, remedy=remedy)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


OPERATION = Operation(
    name="load",
    operation_class="write",
    action="change",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Loads rows into a graph by one commit, or nothing at all.",
    resource=lambda given: f"graph.{given.graph}",
    result=LoadAnswer,
)
