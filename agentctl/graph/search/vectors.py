"""Which vectors lie nearest: exactly, or by an index where the schema asks for one. Source: ADR 25.

Distances that decide are squared differences of 32-bit numbers, added up in 64 bits. Where few are
wanted, a matrix product in 32 bits says first which vectors may be among them: its error is bounded,
so none is lost.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import lance
import msgspec
import numpy as np
import pyarrow as pa

from agentctl.graph.search.best import Scored, best_first, kept_ids
from agentctl.graph.search.cache import SearchCache, place_of
from agentctl.graph.search_indexes import has_vector_index, is_large
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrType

FEW: Final = 1_000
"""So many rows at most are read by their ids."""
OVERSHOOT: Final = 4
"""How many times the wanted rows an index is asked for."""
PROBED_PART: Final = 8
"""One partition of so many is looked through."""
PROBED_MIN: Final = 20
ROWS_AT_ONCE: Final = 4_096
_EPSILON: Final = 2.0**-22
"""Four times the rounding of a 32-bit number."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows that have a vector."""

    ids: pa.Array
    matrix: np.ndarray
    """A row for each, float32."""
    squares: np.ndarray
    """The squared length of each, float32."""
    lengths: np.ndarray
    """The length of each, float32."""


class VectorColumn:
    """All vectors of a property at one version."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        held = list(blocks)
        self.block = held[0] if len(held) == 1 else None
        """None where no row has a vector."""
        if len(held) > 1:
            self.block = Block(
                ids=pa.concat_arrays([b.ids for b in held]),
                matrix=np.concatenate([b.matrix for b in held]),
                squares=np.concatenate([b.squares for b in held]),
                lengths=np.concatenate([b.lengths for b in held]),
            )

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        held = self.block
        return 0 if held is None else held.ids.nbytes + held.matrix.nbytes + 8 * len(held.ids)


class VectorSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for."""

    column: str
    wanted: np.ndarray
    """The vector, float32."""
    among: pa.Array | None = None
    """Ids; others are left out."""
    count: int | None = None
    """How many are wanted; those that tie with the last one come too."""


def nearest_ids(
    snapshot: Snapshot,
    ir_type: IrType,
    search: VectorSearch,
    cache: SearchCache | None,
    note: Callable[[int], None],
) -> pa.Table:
    """Returns ``id`` and ``score``, the squared distance, nearest first, equal ones by id.

    *note* is called after each batch, and may stop it.
    """
    dataset = snapshot.dataset(ir_type)
    if search.among is not None and len(search.among) <= FEW:
        return _exact(_blocks(dataset, search.column, note, among=search.among), search)
    approximate = (
        search.among is None
        and search.count is not None
        and is_large(ir_type, search.column, snapshot.rows(ir_type))
        and has_vector_index(dataset, search.column)
    )
    if approximate:
        return _by_index(dataset, search)
    vector_bytes = snapshot.rows(ir_type) * search.wanted.nbytes
    if cache is None or vector_bytes > cache.values.bytes_max // 2:
        return _exact(_blocks(dataset, search.column, note), search)

    def make() -> VectorColumn:
        return VectorColumn(_blocks(dataset, search.column, note))

    place = place_of(snapshot, ir_type, search.column, "vector")
    block = cache.values.get(place, make).block
    return _exact([] if block is None else [block], search)


def _exact(blocks: Iterable[Block], search: VectorSearch) -> pa.Table:
    """Compares all, block by block; no more than what may still be wanted is held."""
    found: list[Scored] = []
    for block in blocks:
        if search.count is None or search.among is not None:
            rows = np.arange(len(block.ids))
        else:
            rows = _candidates(block, search.wanted, search.count)
        distances = _distances(block.matrix, rows, search.wanted)
        found.append(kept_ids(block.ids.take(pa.array(rows)), distances, search.among))
    return best_first(found, count=search.count, more_is_better=False)


def _candidates(block: Block, wanted: np.ndarray, count: int) -> np.ndarray:
    """Returns the rows of a block that may be among its *count* nearest, or tie with the last."""
    if count >= len(block.ids) or count <= 0:
        return np.arange(len(block.ids) if count > 0 else 0)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows stays a candidate
        square = np.dot(wanted, wanted)
        rough = block.squares - 2 * (block.matrix @ wanted) + square
        error = _EPSILON * (len(wanted) + 8) * (block.lengths + np.sqrt(square)) ** 2
        most = np.partition(rough + error, count - 1)[count - 1]
        return np.flatnonzero(~(rough - error > most))


def _distances(matrix: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    found = np.empty(len(rows))
    aim = wanted.astype(np.float64)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        apart = matrix[rows[part]].astype(np.float64) - aim
        found[part] = (apart * apart).sum(axis=1)
    return found


def _by_index(dataset: lance.LanceDataset, search: VectorSearch) -> pa.Table:
    """Asks Lance's index for more than is wanted, and measures what comes."""
    assert search.count is not None
    rows = dataset.count_rows()
    asked = min(max(OVERSHOOT * search.count, search.count + 64), rows)  # Lance makes room for it
    partitions = round(np.sqrt(rows))
    table = dataset.scanner(
        columns=["id", search.column, "_distance"],
        nearest={
            "column": search.column,
            "q": search.wanted,
            "k": asked,
            "minimum_nprobes": max(PROBED_MIN, partitions // PROBED_PART),
        },
    ).to_table()
    return _exact([_block(batch, search.column) for batch in table.to_batches()], search)


def _blocks(
    dataset: lance.LanceDataset,
    column: str,
    note: Callable[[int], None],
    among: pa.Array | None = None,
) -> Iterator[Block]:
    """Yields the rows that have a vector; of *among*, where that is given, which is short."""
    condition = f"`{column}` IS NOT NULL"
    if among is not None:
        quoted = ("'" + i.replace("'", "''") + "'" for i in among.to_pylist())
        named = ", ".join(quoted)
        condition = f"id IN ({named}) AND {condition}" if named else "false"
    for batch in dataset.scanner(columns=["id", column], filter=condition).to_batches():
        note(batch.nbytes)
        yield _block(batch, column)


def _block(batch: pa.RecordBatch, column: str) -> Block:
    vectors = batch.column(column)
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    matrix = flat.reshape(len(vectors), vectors.type.list_size)
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", matrix, matrix)
    lengths = np.sqrt(squares)
    return Block(ids=batch.column("id"), matrix=matrix, squares=squares, lengths=lengths)
