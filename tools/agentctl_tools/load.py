"""`load`: reads rows from a file of the operator into a graph, by one commit or not at all."""

from pathlib import Path
from typing import Annotated, Literal

import anyio
import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.record import Op
from agentctl.engine import data
from agentctl.engine.graph_data import has_data
from agentctl.engine.loading import Loading, LoadTold, load_source
from agentctl.graph.chunks import lines_of
from agentctl.graph.loads.sources import (
    REJECTED_MAX,
    ColumnMapping,
    CsvSource,
    LoadOptions,
    NdjsonSource,
    ParquetSource,
    Source,
)
from agentctl.ids import branch_address
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import Branch, GraphId, Inside, Intent
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.waiting import WaitS


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `load` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    graph: GraphId
    file: Annotated[str, msgspec.Meta(description="NDJSON, CSV or Parquet.")]
    mode: Literal["append", "merge", "overwrite"] = "append"
    branch: Branch = "main"
    format: Annotated[
        Literal["ndjson", "csv", "parquet"] | None,
        msgspec.Meta(description="By the file's name where it is not given."),
    ] = None
    mapping: Annotated[
        ColumnMapping | None,
        msgspec.Meta(description="Of CSV and Parquet: of which type the rows are."),
    ] = None
    delimiter: Annotated[
        str,
        msgspec.Meta(
            description="Between the cells of a CSV: one character.",
            min_length=1,
            max_length=1,
            pattern=r'[^"\r\n]',
        ),
    ] = ","
    null: Annotated[str, msgspec.Meta(description="The cell of a CSV that is no value.")] = ""
    max_errors: Annotated[
        int, msgspec.Meta(description="Bad rows to set aside.", ge=0, le=REJECTED_MAX)
    ] = 0
    rejects: Annotated[str | None, msgspec.Meta(description="File for rows set aside.")] = None
    intent: Intent
    wait_s: WaitS = 0.0


class LoadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded, and the op that did it."""

    ok: bool
    graph: str
    branch: str = "main"
    mode: str
    report: LoadTold
    op: Op | None


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    path = Path(given.file)
    unfit = _unfit(given, at_terminal=call.caller.at_terminal)
    if unfit is not None:
        return unfit
    if not await anyio.Path(path).exists() or await anyio.Path(path).is_dir():
        return refused(
            "load_file_missing",
            given.file,
            "there is no such file to load",
            remedy="Name a file of NDJSON lines, a CSV or a Parquet file.",
        )
    try:
        report, op = await _loaded(call, path)
    except OSError as failure:
        why = f"the file to load cannot be read, so nothing was loaded: {failure.strerror}"
        remedy = "Name a file that you may read."
        return refused("load_file_missing", given.file, why, remedy=remedy)
    told = tuple(_of_file(d, given.file) for d in report.diagnostics)
    report = msgspec.structs.replace(report, diagnostics=told)
    ok = not has_errors(told)
    answer = LoadAnswer(
        ok=ok, graph=given.graph, branch=given.branch, mode=given.mode, report=report, op=op
    )
    if not ok:
        return failed(report.diagnostics, summary="Nothing was loaded.", data=answer)
    rows = sum(report.rows.values())
    aside = f", set aside {report.rejected}" if report.rejected else ""
    return done(f"Loaded {count(rows, 'row')}{aside}.", data=answer, diagnostics=report.diagnostics)


async def _loaded(call: Call, path: Path) -> tuple[LoadTold, Op | None]:
    given = call.arguments
    options = LoadOptions(
        mode=given.mode,
        rejected_max=given.max_errors,
        rejects=None if given.rejects is None else Path(given.rejects),
    )
    loading = Loading(
        graph=given.graph,
        source=_source(given, form_of(given.file, given.format), path),
        branch=given.branch,
        options=options,
        intent=given.intent,
        wait_s=given.wait_s,
        on_event=call.notify,
    )
    return await loaded(call, loading)


async def loaded(call: Call, loading: Loading) -> tuple[LoadTold, Op | None]:
    """Loads; where the graphs have no data plane, lines into `main` alone, and none is set aside."""
    source, options = loading.source, loading.options
    is_plain = (loading.branch, options.rejected_max) == ("main", 0)
    if has_data(call.cluster) or not is_plain or not isinstance(source, NdjsonSource):
        return await load_source(call.cluster, call.caller, loading)
    report, op = await data.load(
        call.cluster,
        call.caller,
        loading.graph,
        source.lines,
        mode=options.mode,
        intent=loading.intent,
        wait_s=loading.wait_s,
        op_id=loading.op_id,
    )
    told = LoadTold(commit=report.commit, rows=report.rows, diagnostics=report.diagnostics)
    return told, op


def _unfit(given: Arguments, *, at_terminal: bool) -> Envelope | None:
    """Returns why the arguments do not go together, or are not the caller's to give."""
    if not at_terminal:
        why = "files to load are read by the operator's own process only"
        return refused("path_outside_folder", given.file, why)
    form, mapping = form_of(given.file, given.format), given.mapping
    if form != "ndjson" and (mapping is None or (mapping.type is None) == (mapping.edge is None)):
        why = "rows of a CSV or a Parquet file are all of one type, which has to be named"
        return refused("invalid_arguments", "$.mapping", why, remedy="Add --type T or --edge E.")
    if form == "ndjson" and mapping is not None:
        why = "lines of NDJSON say themselves of which type they are and what is where"
        remedy = "Leave out the mapping; or add --format csv or --format parquet."
        return refused("invalid_arguments", "$.mapping", why, remedy=remedy)
    for name, standard in (("delimiter", ","), ("null", "")):
        if form != "csv" and getattr(given, name) != standard:
            why = f"`{name}` is about the cells of a CSV, and the file is {form}"
            remedy = f"Leave out --{name}; or add --format csv."
            return refused("invalid_arguments", f"$.{name}", why, remedy=remedy)
    rejects = given.rejects
    if rejects is not None and (Path(rejects).is_dir() or not Path(rejects).parent.is_dir()):
        why = "rows that are set aside cannot be written there: it is no file in a folder"
        return refused("invalid_arguments", "$.rejects", why, remedy="Name a file with --rejects.")
    return None


def form_of(file: str, given: str | None) -> str:
    """Returns the form of a file: the one that is given, or what its name ends with."""
    ending = Path(file).suffix.lower().removeprefix(".")
    return given or (ending if ending in {"csv", "parquet"} else "ndjson")


def _source(given: Arguments, form: str, path: Path) -> Source:
    mapping = given.mapping or ColumnMapping()
    if form == "csv":
        return CsvSource(path=path, mapping=mapping, delimiter=given.delimiter, null=given.null)
    if form == "parquet":
        return ParquetSource(path=path, mapping=mapping)
    return NdjsonSource(lines=lines_of(path), name=given.file)


def _of_file(found: Diagnostic, file: str) -> Diagnostic:
    """Returns a diagnostic about the input as one about *file*, with what to do about a bad line."""
    where = msgspec.structs.replace(found.where, file=file) if found.where is not None else None
    path = file if found.where is not None and found.path == found.where.file else found.path
    remedy = found.remedy
    if remedy is None and where is not None and found.severity == "warning":
        remedy = f"Line {where.line} was set aside: mend it and load it by itself."
    elif remedy is None and where is not None:
        remedy = f"Mend line {where.line} of the file and load it again: nothing of it was loaded."
    return msgspec.structs.replace(found, where=where, path=path, remedy=remedy)


OPERATION = Operation(
    name="load",
    operation_class="write",
    action="change",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Loads rows into a graph by one commit, or nothing at all.",
    inside=True,
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=LoadAnswer,
)
