"""Loading lines into a graph: spooled and checked first, then written by one commit or not at all."""

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentctl.graph.chunks import each_chunk
from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.layout import commit_id
from agentctl.graph.log import check_epoch, require_live
from agentctl.graph.port import LoadReport, ReadSetConflictError, Stamp
from agentctl.graph.roots import ATTEMPT_COUNT_MAX, GraphRoots, require_engine, tag_of
from agentctl.graph.threads import in_thread
from agentctl.ids import graph_address
from agentctl.languages.schema.ir import SchemaIr

if TYPE_CHECKING:
    from agentctl.graph.spool import Spool
    from agentctl.graph.tables import Tables

Mode = Literal["append", "merge", "overwrite"]


async def load(  # the port's, and what it works on
    roots: GraphRoots,
    graph_id: str,
    lines: AsyncIterator[bytes] | Iterable[bytes],
    *,
    mode: Mode,
    stamp: Stamp,
    mint: Callable[[], str],
) -> LoadReport:
    """Loads NDJSON lines by one commit, or nothing at all."""
    head = require_live(graph_id, await roots.head(graph_id))
    done = await roots.done_lately(head, graph_id, stamp)
    check_epoch(graph_id, head, stamp.epoch)
    ir = await roots.ir(graph_id, head)
    import tempfile  # slow to load, and only for who loads

    with tempfile.TemporaryDirectory(prefix="agentctl-load-") as folder:
        spool = await _spooled(graph_id, ir, lines, mint, Path(folder))
        if done is not None:
            return LoadReport(commit=commit_id(done), rows=spool.rows_by_name())
        number = await _write_loaded(roots, graph_id, head, spool, mode=mode, stamp=stamp)
        return LoadReport(
            commit=None if number is None else commit_id(number),
            rows={} if number is None else spool.rows_by_name(),
            diagnostics=spool.violations.diagnostics(graph_address(graph_id)),
        )


async def _spooled(
    graph_id: str,
    ir: SchemaIr,
    lines: AsyncIterator[bytes] | Iterable[bytes],
    mint: Callable[[], str],
    folder: Path,
) -> "Spool":
    await in_thread(functools.partial(require_engine, graph_id))
    from agentctl.graph.loads.ndjson import NdjsonReader
    from agentctl.graph.spool import Spool

    spool = Spool(ir, NdjsonReader(ir, mint), folder)
    async for chunk in each_chunk(lines):
        await in_thread(functools.partial(spool.feed, chunk))
    await in_thread(spool.finish)
    return spool


async def _write_loaded(
    roots: GraphRoots, graph_id: str, head: Commit, spool: "Spool", *, mode: Mode, stamp: Stamp
) -> int | None:
    """Writes what was spooled; None where there is nothing to write or something is wrong.

    Appending and merging are tried again on top of a faster writer's commit, checked anew.
    """
    if not spool.staged and not spool.violations.count:
        return None
    for _ in range(ATTEMPT_COUNT_MAX - 1):
        try:
            return await _write_once(roots, graph_id, head, spool, mode=mode, stamp=stamp)
        except ReadSetConflictError:
            moved = require_live(graph_id, await roots.head(graph_id))
            if mode == "overwrite" or moved.schema != head.schema:
                raise
            head = moved
    return await _write_once(roots, graph_id, head, spool, mode=mode, stamp=stamp)


async def _write_once(
    roots: GraphRoots, graph_id: str, head: Commit, spool: "Spool", *, mode: Mode, stamp: Stamp
) -> int | None:
    ir = await roots.ir(graph_id, head)

    def write(tables: "Tables") -> Mapping[str, TypeState] | None:
        from agentctl.graph.snapshot import Snapshot
        from agentctl.graph.writing import write_rows

        return write_rows(
            tables, Snapshot(head, ir, tables), spool, mode=mode, tag=tag_of(head.n + 1, stamp)
        )

    types = await roots.on_tables(graph_id, head.incarnation, write)
    if types is None:
        return None
    commit = next_commit(head, "write", stamp, types=types)
    return await roots.log.append(graph_id, commit, head=head)
