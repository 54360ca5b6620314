"""Lines of an input, some at a time."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Final

from agentctl.graph.lines import LINE_BYTES_MAX
from agentctl.graph.threads import in_thread

CHUNK_LINES: Final = 4_096
CHUNK_BYTES: Final = 4 << 20


def lines_of(path: Path) -> Iterator[bytes]:
    """Gives the lines of a file with their ends.

    One that is longer than any load takes is cut off behind that: it is refused as it is, and the
    rest of it, which may be the whole of a large file, is never in memory.
    """
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX + 1):
            yield line
            rest = line
            while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
                rest = file.readline(LINE_BYTES_MAX + 1)


async def each_chunk(
    lines: AsyncIterator[bytes] | Iterable[bytes],
) -> AsyncIterator[list[bytes]]:
    """Gives the lines in order, in lists that are bounded in count and in bytes.

    A plain iterable is read in a worker thread, for it may be a file.
    """
    if not isinstance(lines, AsyncIterator):
        iterator = iter(lines)
        while chunk := await in_thread(lambda: _next_chunk(iterator)):
            yield chunk
        return
    gathered: list[bytes] = []
    size = 0
    async for line in lines:
        gathered.append(line)
        size += len(line)
        if _is_full(gathered, size):
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _next_chunk(lines: Iterator[bytes]) -> list[bytes]:
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if _is_full(gathered, size):
            break
    return gathered


def _is_full(gathered: list[bytes], size: int) -> bool:
    return len(gathered) >= CHUNK_LINES or size >= CHUNK_BYTES
