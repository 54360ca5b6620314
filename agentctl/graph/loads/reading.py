"""All sources of a load, read one after the other into its spool, in bounded memory."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.span import Span
from agentctl.foreign import Foreign, show
from agentctl.graph.chunks import each_chunk
from agentctl.graph.loads.sources import CsvSource, NdjsonSource, Progress, Source
from agentctl.graph.port import GraphError
from agentctl.graph.threads import in_thread
from agentctl.languages.schema.ir import SchemaIr

if TYPE_CHECKING:
    from agentctl.graph.loads.parts import Chunk
    from agentctl.graph.loads.spool import Spool

Mint = Callable[[], str]


class Numbering:
    """Which source a line of a load is of. Lines count on over all sources."""

    def __init__(self) -> None:
        self._starts: list[tuple[int, str]] = []

    def begin(self, name: str, lines: int) -> None:
        """Says that the lines behind the first *lines* are of a source."""
        self._starts.append((lines, name))

    def place(self, line: int) -> tuple[str, int]:
        """Returns the source of a line, and the line's number there."""
        start, name = next(s for s in reversed(self._starts) if s[0] < line or s[0] == 0)
        return name, line - start

    def placed(self, diagnostic: Diagnostic) -> Diagnostic:
        """Returns a diagnostic about a line of the load as one about its source."""
        if diagnostic.where is None:
            return diagnostic
        name, line = self.place(diagnostic.where.line)
        where = Span(file=name, line=line, column=1, end_line=line, end_column=1)
        return _replaced(diagnostic, where)


class Reading(NamedTuple):
    """What is read, and who is told how far it is."""

    ir: SchemaIr
    mint: Mint
    spool: "Spool"
    numbering: Numbering
    tell: Callable[[Progress], None]


async def read_sources(reading: Reading, sources: tuple[Source, ...]) -> None:
    """Reads the sources in order; afterwards the spool's rows can be read.

    Raises:
        GraphError: `load_file_missing`, where a file cannot be read.
    """
    for source in sources:
        spool = reading.spool
        reading.numbering.begin(name_of(source), spool.lines)
        if isinstance(source, NdjsonSource):
            await _read_lines(reading, source)
        else:
            await _read_file(reading, source.path, _chunks(reading, source))
        if spool.broken:
            break
    await in_thread(reading.spool.finish)


def name_of(source: Source) -> str:
    """Returns how reports name a source."""
    return source.name if isinstance(source, NdjsonSource) else source.path.name


async def _read_lines(reading: Reading, source: NdjsonSource) -> None:
    from agentctl.graph.loads.ndjson import NdjsonReader

    spool = reading.spool
    reader = NdjsonReader(reading.ir, reading.mint)
    size = 0

    def take(lines: list[bytes]) -> None:
        spool.take(reader.read(lines, spool.lines + 1), len(lines))

    async for chunk in each_chunk(source.lines):
        await in_thread(functools.partial(take, chunk))
        size += sum(map(len, chunk))
        reading.tell(_progress(spool, size))


async def _read_file(reading: Reading, path: Path, chunks: Iterator[tuple["Chunk", int]]) -> None:
    spool = reading.spool

    def take() -> bool:
        found = next(chunks, None)
        if found is not None:
            spool.take(*found)
        return found is not None

    try:
        while await in_thread(take):
            reading.tell(_progress(spool, 0))
    except OSError as failure:
        said = show(Foreign(failure.strerror or str(failure)))
        raise GraphError(
            error(
                "load_file_missing",
                str(path),
                f"{path.name} cannot be read: {said}",
                remedy="Name a file that you may read.",
            )
        ) from failure


def _chunks(reading: Reading, source: Source) -> Iterator[tuple["Chunk", int]]:
    first = reading.spool.lines + 1
    if isinstance(source, CsvSource):
        from agentctl.graph.loads.delimited import read_csv

        return read_csv(source, reading.ir, reading.mint, first)
    assert not isinstance(source, NdjsonSource)
    from agentctl.graph.loads.parquet import read_parquet

    return read_parquet(source, reading.ir, reading.mint, first)


def _progress(spool: "Spool", size: int) -> Progress:
    return Progress(
        phase="reading", lines=spool.lines, rejected=spool.bad_count, rows=spool.rows, bytes=size
    )


def _replaced(diagnostic: Diagnostic, where: Span) -> Diagnostic:
    import msgspec

    return msgspec.structs.replace(diagnostic, where=where)
