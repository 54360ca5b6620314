"""The rows of one type as they lie, a bounded batch at a time, and hashes of their values.

For looks at whole graphs: what is held at once does not grow with the rows. In a worker thread.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.adjacency.hashing import Hashes, hash_texts
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrType

BATCH_ROWS: Final = 1 << 16
BATCH_BYTES: Final = 16 << 20
"""Of a batch, about: rows that are wide come fewer at a time."""
READ_AHEAD_COUNT: Final = 2
"""Batches that Lance reads before they are asked for; by itself it would read 16."""
BUFFER_BYTES: Final = 64 << 20
"""What Lance may have read and not yet decoded; by itself it would take 2 GiB."""

_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(32)


class StoredRows:
    """All rows of one type at a snapshot."""

    def __init__(
        self, snapshot: Snapshot, ir_type: IrType, *, batch_rows: int = BATCH_ROWS
    ) -> None:
        self.type = ir_type
        self._dataset = snapshot.dataset(ir_type)
        self._batch_rows = batch_rows

    def count(self) -> int:
        """Returns how many there are, whatever the commit says."""
        return int(self._dataset.count_rows())

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields some columns of all rows, each time in the same order."""
        yield from self._dataset.scanner(
            columns=list(dict.fromkeys(columns)),
            batch_size=self._batch_rows,
            batch_size_bytes=BATCH_BYTES,
            batch_readahead=READ_AHEAD_COUNT,
            io_buffer_size=BUFFER_BYTES,
            scan_in_order=True,
        ).to_batches()


def complete(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """Returns the rows that have no null in *columns*."""
    for name in columns:
        if batch.column(name).null_count:
            batch = batch.filter(batch.column(name).is_valid())
    return batch


def hashes_of(batch: pa.RecordBatch, columns: Sequence[str]) -> Hashes:
    """Returns a hash of the values of each row, none of which is null.

    What is equal has the same; what has the same is hardly ever different, and is to be compared.
    """
    found = _hashes(batch.column(columns[0]))
    for name in columns[1:]:
        found = (found ^ (found >> _SHIFT)) * _FACTOR ^ _hashes(batch.column(name))
    return found


def _hashes(values: pa.Array) -> Hashes:
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return hash_texts(values)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = pa.utf8() if pa.types.is_binary(kind) else pa.large_utf8()
        return hash_texts(
            pa.Array.from_buffers(texts, len(values), values.buffers(), 0, values.offset)
        )
    if pa.types.is_nested(kind):
        return hash_texts(pa.array([repr(value) for value in values.to_pylist()], pa.utf8()))
    if pa.types.is_floating(kind):
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # one zero
        bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
    elif pa.types.is_uint64(kind):
        bits = values.to_numpy(zero_copy_only=False)
    else:
        whole = _INTEGER_FORM.get(kind)
        numbers = values if whole is None else values.cast(whole)
        bits = pc.cast(numbers, pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64)
    mixed: Hashes = bits * _FACTOR
    return (mixed ^ mixed >> _SHIFT) * _FACTOR


_INTEGER_FORM: Final = {pa.date32(): pa.int32(), pa.date64(): pa.int64()}
