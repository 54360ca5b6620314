"""Rows of one type that have the same values as an earlier one, found within bounded memory.

A first look holds nothing but a hash of each row, and of large types those of one part of all hashes
at a time. Only rows whose hash comes twice are read again, and compared as they are: what is told is
never a guess.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from agentctl.graph.adjacency.hashing import Hashes
from agentctl.graph.care.stored_rows import StoredRows, complete, hashes_of
from agentctl.graph.writes.check_keys import repeats

PART_ROWS: Final = 1 << 23
"""So many rows are hashed in one pass, 8 bytes each and as much again to put them together."""
SUSPECT_COUNT: Final = 1 << 17
"""So many hashes that come twice are looked into in one pass."""

Tell = Callable[[pa.Table], None]
"""Takes rows that repeat an earlier one."""


def repeated_rows(
    rows: StoredRows,
    columns: Sequence[str],
    tell: Tell,
    *,
    part_rows: int = PART_ROWS,
    suspect_count: int = SUSPECT_COUNT,
) -> None:
    """Tells of every row whose values in *columns* an earlier one has; a null exempts.

    Args:
        rows: where they are.
        columns: what must not repeat together.
        tell: takes ``id`` and *columns* of the rows that repeat, in their order, some at a time.
        part_rows: rows of one pass, about.
        suspect_count: hashes that are looked into in one pass.
    """
    for part in _parts(rows, part_rows):
        twice = _twice(rows, columns, part)
        for begin in range(0, len(twice), suspect_count):
            _compare(rows, columns, twice[begin : begin + suspect_count], tell)


def _parts(rows: StoredRows, part_rows: int) -> Iterator[tuple[int, int]]:
    """Yields remainder and divisor of the hashes of each pass."""
    count = max(1, -(-rows.count() // part_rows))
    yield from ((remainder, count) for remainder in range(count))


def _twice(rows: StoredRows, columns: Sequence[str], part: tuple[int, int]) -> Hashes:
    """Returns the hashes of a part that more than one row has, sorted."""
    remainder, divisor = part
    kept: list[Hashes] = []
    for batch in rows.batches(columns):
        found = hashes_of(complete(batch, columns), columns)
        if divisor > 1:
            found = found[found % np.uint64(divisor) == remainder]
        kept.append(found)
    if not kept:
        return np.empty(0, np.uint64)
    hashes = np.concatenate(kept)
    kept.clear()
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def _compare(rows: StoredRows, columns: Sequence[str], twice: Hashes, tell: Tell) -> None:
    """Compares the rows that have one of the hashes; holds each of their values once."""
    names = list(dict.fromkeys(["id", *columns]))
    firsts: pa.Table | None = None
    for batch in rows.batches(names):
        whole = complete(batch, columns)
        found = hashes_of(whole, columns)
        at = np.minimum(np.searchsorted(twice, found), len(twice) - 1)
        suspect = twice[at] == found
        if not suspect.any():
            continue
        some = pa.Table.from_batches([whole.filter(pa.array(suspect))])
        both = some if firsts is None else pa.concat_tables([firsts, some])
        again = repeats(both, columns) != np.arange(both.num_rows)
        if again.any():
            tell(both.filter(pa.array(again)))
        firsts = both.filter(pa.array(~again))
