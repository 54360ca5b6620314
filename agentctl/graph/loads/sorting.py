"""Rows of a type in the order of an export, in bounded memory: sorted runs on a disk, then merged.

Nodes are in the order of their ids, edges of from, to and id; texts compare by code point, as their
UTF-8 does.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

RUN_BYTES: Final = 32 << 20
"""Of the rows that are sorted in memory at once."""
BLOCK_ROWS: Final = 8_192
"""Of each run that are in memory while runs are merged, and of each batch that comes out."""


def sorted_batches(
    batches: Iterator[pa.RecordBatch],
    keys: Sequence[str],
    folder: Path,
    *,
    run_bytes: int = RUN_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Gives the rows of *batches* in the order of the text columns *keys*.

    No two rows may have the same keys. What *run_bytes* does not hold goes through files in
    *folder*, which is there and has no others; they are removed when all was given.
    """
    runs: list[Path] = []
    pending: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        pending.append(batch)
        size += batch.nbytes
        if size >= run_bytes:
            runs.append(_written(_ordered(pending, keys), folder / f"run-{len(runs)}.arrow"))
            pending, size = [], 0
    if pending and not runs:
        yield from _ordered(pending, keys).combine_chunks().to_batches(max_chunksize=BLOCK_ROWS)
        return
    if pending:
        runs.append(_written(_ordered(pending, keys), folder / f"run-{len(runs)}.arrow"))
        pending = []
    yield from _merged([_Run(path) for path in runs], keys)
    for path in runs:
        path.unlink()


class _Run:
    """A sorted file, some rows of which are at hand."""

    def __init__(self, path: Path) -> None:
        self._source = pa.memory_map(str(path))
        self._reader = pa.ipc.open_file(self._source)
        self._next = 0
        self.rows: pa.RecordBatch | None = None
        """The next rows; None behind the last."""
        self.advance()

    def advance(self) -> None:
        """Brings the next block to hand."""
        if self._next < self._reader.num_record_batches:
            self.rows = self._reader.get_batch(self._next)
            self._next += 1
        else:
            self.rows = None
            self._source.close()

    def taken(self, bound: tuple[str, ...], keys: Sequence[str]) -> pa.RecordBatch | None:
        """Takes the rows at hand that are not beyond *bound*."""
        rows = self.rows
        if rows is None:
            return None
        count = _not_beyond(rows, bound, keys)
        if count == rows.num_rows:
            self.advance()
            return rows
        self.rows = rows.slice(count)
        return rows.slice(0, count) if count else None


def _merged(runs: list[_Run], keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Gives the rows of all runs in order.

    The least of the runs' last keys at hand is a bound: whatever is not beyond it is at hand.
    """
    while True:
        alive = [run for run in runs if run.rows is not None]
        if not alive:
            return
        bound = min(_last_key(run.rows, keys) for run in alive if run.rows is not None)
        taken = [run.taken(bound, keys) for run in alive]
        found = _ordered([rows for rows in taken if rows is not None], keys)
        yield from found.combine_chunks().to_batches(max_chunksize=BLOCK_ROWS)


def _ordered(batches: Sequence[pa.RecordBatch], keys: Sequence[str]) -> pa.Table:
    table = pa.Table.from_batches(batches)
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in keys]))


def _written(table: pa.Table, path: Path) -> Path:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=BLOCK_ROWS)
    return path


def _last_key(rows: pa.RecordBatch, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(rows.column(name)[rows.num_rows - 1].as_py() for name in keys)


def _not_beyond(rows: pa.RecordBatch, bound: tuple[str, ...], keys: Sequence[str]) -> int:
    """Returns how many of the first rows, which are sorted, are not beyond *bound*."""
    beyond = np.zeros(rows.num_rows, dtype=bool)
    equal = np.ones(rows.num_rows, dtype=bool)
    for name, value in zip(keys, bound, strict=True):
        column = rows.column(name)
        beyond |= equal & pc.greater(column, value).to_numpy(zero_copy_only=False)
        equal &= pc.equal(column, value).to_numpy(zero_copy_only=False)
    return int(rows.num_rows - beyond.sum())
