"""Loading into a graph: read and spooled first, then checked, then written by one commit or not at all.

Lines that are wrong are told of, and set aside where the caller allows some; a graph whose load was
refused is as it was. Memory is bounded, whatever is loaded: rows wait in a temporary folder. Source:
graph-engine 4, access-and-faces 2.4, ADR 24.
"""

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

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
from agentctl.graph.port import LoadReport, ReadSetConflictError, Stamp
from agentctl.graph.roots import ATTEMPT_COUNT_MAX, GraphRoots, require_engine, tag_of
from agentctl.graph.threads import in_thread
from agentctl.ids import graph_address

if TYPE_CHECKING:
    from agentctl.graph.loads.settling import Rejected, Settled
    from agentctl.graph.loads.spool import Spool, StagedType
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

    With the nonce of a recent commit nothing is written, and the answer is that commit's.

    Raises:
        GraphError: there is no such graph or branch, or a file cannot be read.
        ReadSetConflictError: an overwrite met another writer, or the schema changed meanwhile.
    """
    assert 0 <= options.rejected_max <= REJECTED_MAX
    head = require_live(graph_id, await roots.head(graph_id, branch))
    done = await roots.done_lately(head, graph_id, stamp)
    check_epoch(graph_id, head, stamp.epoch)
    ir = await roots.ir(graph_id, head)
    await in_thread(functools.partial(require_engine, graph_id))
    import tempfile  # slow to load, and only for who loads

    from agentctl.graph.loads.spool import Spool

    with tempfile.TemporaryDirectory(prefix="agentctl-load-") as folder:
        spool = Spool(ir, Path(folder), rejected_max=options.rejected_max)
        numbering = Numbering()
        tell = options.progress or _untold
        await read_sources(Reading(ir, mint, spool, numbering, tell), tuple(sources))
        if done is not None:
            return LoadOutcome(commit=commit_id(done, branch), rows=spool.rows_by_name())
        loading = _Loading(roots, graph_id, spool, options, stamp)
        number, settled = await _write(loading, head)
        outcome = _outcome(loading, numbering, branch, number, settled)
        if outcome.rejected and options.rejects is not None:
            text = await in_thread(lambda: _reject_file(numbering, _all_rejected(spool, settled)))
            await in_thread(functools.partial(options.rejects.write_bytes, text))
        return outcome


class _Loading(NamedTuple):
    roots: GraphRoots
    graph_id: str
    spool: "Spool"
    options: LoadOptions
    stamp: Stamp


async def _write(loading: _Loading, head: Commit) -> tuple[int | None, "Settled | None"]:
    """Writes what was spooled; no number where there is nothing to write or something is wrong.

    Appending and merging are tried again on top of a faster writer's commit, checked anew.
    """
    roots, graph_id, spool, options, _ = loading
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


async def _write_once(loading: _Loading, head: Commit) -> tuple[int | None, "Settled"]:
    roots, graph_id, spool, options, stamp = loading
    ir = await roots.ir(graph_id, head)
    tag = tag_of(head.n + 1, stamp, head.branch)

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
    _tell(loading, "committing", spool.rows)
    commit = next_commit(head, "write", stamp, types=types)
    return await roots.log.append(graph_id, commit, head=head), settled


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
    numbering: Numbering,
    branch: str,
    number: int | None,
    settled: "Settled | None",
) -> LoadOutcome:
    spool = loading.spool
    path = graph_address(loading.graph_id)
    told = [spool.violations]
    if settled is not None and settled.violations is not spool.violations:
        told.append(settled.violations)
    found = [numbering.placed(d) for violations in told for d in violations.diagnostics(path)]
    refused = settled is not None and settled.changes is None
    if not refused:
        found = [msgspec.structs.replace(d, severity="warning") for d in found]
    return LoadOutcome(
        commit=None if number is None else commit_id(number, branch),
        rows={} if number is None else spool.rows_by_name(),
        rejected=0 if refused else len(_all_rejected(spool, settled)),
        diagnostics=tuple(found),
    )


def _all_rejected(spool: "Spool", settled: "Settled | None") -> "list[Rejected]":
    from agentctl.graph.loads.settling import Rejected

    unread = [Rejected(b.line, [(f.code, f.message) for f in b.faults], b.text) for b in spool.bad]
    return sorted(unread + (settled.rejected if settled is not None else []))


def _reject_file(numbering: Numbering, rejected: "list[Rejected]") -> bytes:
    from agentctl.graph.loads.settling import encoded

    return b"".join(encoded(r, *numbering.place(r.line)) for r in rejected)


def _untold(progress: Progress) -> None:
    """Stands for who does not want to know."""
