"""Loading into a graph: read and spooled first, then checked, then written by one commit or not at all.

Lines that are wrong are told of, and set aside where the caller allows some; a graph whose load was
refused is as it was. Memory is bounded, whatever is loaded: rows wait in a temporary folder. Source:
graph-engine 4, access-and-faces 2.4, ADR 24.
"""

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agentctl.adapters.scratch.work_folder import work_folder
from agentctl.diagnostics.diagnostic import error
from agentctl.foreign import Foreign, show
from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.loads.reading import Mint, Numbering, Reading, read_sources
from agentctl.graph.loads.sources import (
    REJECTED_MAX,
    LoadOptions,
    LoadOutcome,
    Mode,
    NdjsonSource,
    Phase,
    Progress,
    Source,
)
from agentctl.graph.log import check_epoch, require_live
from agentctl.graph.port import GraphError, LoadReport, ReadSetConflictError, Stamp
from agentctl.graph.roots import ATTEMPT_COUNT_MAX, GraphRoots, require_engine
from agentctl.graph.threads import in_thread
from agentctl.ids import graph_address

if TYPE_CHECKING:
    from agentctl.graph.loads.rejects import Rejected, RejectFile
    from agentctl.graph.loads.settling import Settled
    from agentctl.graph.loads.spool import Spool, StagedType
    from agentctl.graph.snapshot import Snapshot
    from agentctl.graph.tables import Tables

__all__ = ["Mode", "load", "load_from"]


async def load(  # the port's, and what it works on
    roots: GraphRoots,
    graph_id: str,
    lines: AsyncIterator[bytes] | Iterable[bytes],
    *,
    mode: Mode,
    stamp: Stamp,
    mint: Mint,
) -> LoadReport:
    """Loads NDJSON lines into `main` by one commit, or nothing at all."""
    options = LoadOptions(mode=mode)
    done = await load_from(
        roots, graph_id, [NdjsonSource(lines=lines)], options=options, stamp=stamp, mint=mint
    )
    return LoadReport(commit=done.commit, rows=done.rows, diagnostics=done.diagnostics)


async def load_from(  # noqa: PLR0913  # what, where, how, and by whom
    roots: GraphRoots,
    graph_id: str,
    sources: Sequence[Source],
    *,
    branch: str = MAIN,
    options: LoadOptions,
    stamp: Stamp,
    mint: Mint,
) -> LoadOutcome:
    """Loads sources into a branch by one commit, or nothing at all.

    With the nonce of a recent commit nothing is written but the reject file, and the answer is that
    commit's.

    Raises:
        GraphError: there is no such graph or branch, a file cannot be read, or the reject file
            cannot be written.
        ReadSetConflictError: an overwrite met another writer, or the schema changed meanwhile.
    """
    assert 0 <= options.rejected_max <= REJECTED_MAX
    head = require_live(graph_id, await roots.head(graph_id, branch))
    done = await roots.done_lately(head, graph_id, stamp)
    check_epoch(graph_id, head, stamp.epoch)
    ir = await roots.ir(graph_id, head)
    await in_thread(functools.partial(require_engine, graph_id))
    from agentctl.graph.loads.spool import Spool

    with work_folder("load") as folder:
        spool = Spool(ir, folder, rejected_max=options.rejected_max)
        numbering = Numbering()
        tell = options.progress or _untold
        await read_sources(Reading(ir, mint, spool, numbering, tell), tuple(sources))
        await _require_permitted(options)
        loading = _Loading(roots, graph_id, spool, options, stamp, numbering)
        try:
            if done is None:
                number, settled = await _write(loading, head)
            else:
                again = options.rejected_max > 0
                number = done
                settled = await _settled_again(loading, branch, done) if again else None
            if number is None or done is not None:
                await _write_rejects(loading, settled)
            await _put_rejects(loading, settled)
            return _outcome(loading, branch, number, settled)
        finally:
            spool.aside.close()


class _Loading(NamedTuple):
    roots: GraphRoots
    graph_id: str
    spool: "Spool"
    options: LoadOptions
    stamp: Stamp
    numbering: Numbering


async def _write(loading: _Loading, head: Commit) -> tuple[int | None, "Settled | None"]:
    """Writes what was spooled; no number where there is nothing to write or something is wrong.

    Appending and merging are tried again on top of a faster writer's commit, checked anew.
    """
    roots, graph_id, spool, options, _, _ = loading
    if not spool.staged and (not spool.violations.count or _may_be_set_aside(loading)):
        return None, None
    for _ in range(ATTEMPT_COUNT_MAX - 1):
        try:
            return await _write_once(loading, head)
        except ReadSetConflictError:
            moved = require_live(graph_id, await roots.head(graph_id, head.branch))
            if options.mode == "overwrite" or moved.schema != head.schema:
                raise
            head = moved
    return await _write_once(loading, head)


async def _settled_again(loading: _Loading, branch: str, number: int) -> "Settled":
    """Returns what the commit of that number, which is this load's, was made of."""
    roots, graph_id, spool, options, _, _ = loading
    before = await roots.log.at(graph_id, number - 1, branch)

    def look(snapshot: "Snapshot") -> "Settled":
        from agentctl.graph.loads.settling import settle

        return settle(snapshot, spool, mode=options.mode, rejected_max=options.rejected_max)

    return await roots.on_snapshot(graph_id, before, look)


async def _write_once(loading: _Loading, head: Commit) -> tuple[int | None, "Settled"]:
    roots, graph_id, spool, options, stamp, _ = loading
    ir = await roots.ir(graph_id, head)
    tag = roots.tag(head.n + 1, stamp, head.branch)

    def write(tables: "Tables") -> tuple["Settled", Mapping[str, TypeState] | None]:
        from agentctl.graph.loads.settling import settle
        from agentctl.graph.snapshot import Snapshot
        from agentctl.graph.writes.applying import apply_changes

        snapshot = Snapshot(head, ir, tables)
        _tell(loading, "checking", spool.rows)
        settled = settle(snapshot, spool, mode=options.mode, rejected_max=options.rejected_max)
        if settled.changes is None or not spool.rows:
            return settled, None
        _count_rows(loading)
        changes, matched = settled.changes, settled.matched
        return settled, apply_changes(tables, snapshot, changes, tag, matched=matched)

    settled, types = await roots.on_tables(graph_id, head.incarnation, write)
    if types is None:
        return None, settled
    await _require_permitted(options)
    _tell(loading, "committing", spool.rows)
    await _write_rejects(loading, settled)
    commit = next_commit(head, "write", stamp, types=types)
    try:
        return await roots.log.append(graph_id, commit, head=head), settled
    except GraphError:  # so there is no commit; of any other failure that is not known
        await _withdraw_rejects(loading)
        raise


async def _require_permitted(options: LoadOptions) -> None:
    if options.permitted is not None:
        await options.permitted()


def _count_rows(loading: _Loading) -> None:
    """Tells of the rows that the datasets take, from whichever thread takes them."""
    counts: dict[str, int] = {}

    def watch(staged: "StagedType") -> Callable[[int], None]:
        counts[staged.type.id] = 0

        def given(count: int) -> None:
            counts[staged.type.id] = min(counts[staged.type.id] + count, staged.rows)
            _tell(loading, "writing", sum(counts.values()))

        return given

    for staged in loading.spool.staged.values():
        staged.given = watch(staged)


def _tell(loading: _Loading, phase: Phase, rows: int) -> None:
    if loading.options.progress is not None:
        spool = loading.spool
        loading.options.progress(
            Progress(
                phase=phase,
                lines=spool.lines,
                rejected=spool.bad_count,
                rows=rows,
                rows_total=spool.rows,
            )
        )


def _may_be_set_aside(loading: _Loading) -> bool:
    """Returns whether the lines that could not be read are few enough to be set aside."""
    spool = loading.spool
    return not spool.broken and spool.bad_count <= loading.options.rejected_max


def _outcome(
    loading: _Loading,
    branch: str,
    number: int | None,
    settled: "Settled | None",
) -> LoadOutcome:
    spool, numbering = loading.spool, loading.numbering
    path = graph_address(loading.graph_id)
    told = [spool.violations]
    if settled is not None and settled.violations is not spool.violations:
        told.append(settled.violations)
    found = [numbering.placed(d) for violations in told for d in violations.diagnostics(path)]
    if not _is_refused(settled):
        found = [msgspec.structs.replace(d, severity="warning") for d in found]
    return LoadOutcome(
        commit=None if number is None else commit_id(number, branch),
        rows={} if number is None else spool.rows_by_name(),
        rejected=len(_all_rejected(loading, settled)),
        diagnostics=tuple(found),
    )


def _is_refused(settled: "Settled | None") -> bool:
    return settled is not None and settled.changes is None


def _all_rejected(loading: _Loading, settled: "Settled | None") -> "list[Rejected]":
    """Returns what is set aside, by line; nothing where all is refused."""
    if _is_refused(settled):
        return []
    return sorted(loading.spool.bad + (settled.rejected if settled is not None else []))


async def _write_rejects(loading: _Loading, settled: "Settled | None") -> None:
    """Writes the reject file beside its place, where there is something to write."""
    rejected = _all_rejected(loading, settled)
    file = _reject_file(loading) if rejected else None
    if file is None:
        return
    numbering, aside = loading.numbering, loading.spool.aside

    def write() -> None:
        from agentctl.graph.loads.rejects import encoded

        loading.roots.before_write("write rejects")
        file.write(encoded(r, aside.text(r.place), *numbering.place(r.line)) for r in rejected)

    try:
        await in_thread(write)
    except OSError as failure:
        path, said = loading.options.rejects, show(Foreign(failure.strerror or str(failure)))
        raise GraphError(
            error(
                "load_rejects_unwritable",
                str(path),
                f"The reject file cannot be written, so nothing was loaded: {said}.",
                remedy="Name a file that you may write with --rejects.",
            )
        ) from failure


async def _put_rejects(loading: _Loading, settled: "Settled | None") -> None:
    file = _reject_file(loading) if _all_rejected(loading, settled) else None
    if file is not None:
        loading.roots.before_write("put rejects")
        await in_thread(file.put)


async def _withdraw_rejects(loading: _Loading) -> None:
    file = _reject_file(loading)
    if file is not None:
        await in_thread(file.withdraw)


def _reject_file(loading: _Loading) -> "RejectFile | None":
    from agentctl.graph.loads.rejects import RejectFile

    path = loading.options.rejects
    return None if path is None else RejectFile(path, loading.stamp.nonce)


def _untold(progress: Progress) -> None:
    """Stands for who does not want to know."""
