"""Rows in columns: the intermediate results of a read. In a worker thread.

Ids are text, or positions that become text when they are read; Dates and DateTimes are integers as everywhere in the engine, all else is as it is
stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.places import Held, Places, texts_of

Positions: TypeAlias = npt.NDArray[np.int64]
Marks: TypeAlias = npt.NDArray[np.bool_]

_INTEGER_FORM: Final = {pa.date32(): pa.int32(), pa.date64(): pa.int64()}


class Frame:
    """A number of rows, and their columns, all of that length."""

    __slots__ = ("columns", "rows")

    def __init__(self, rows: int, columns: Mapping[str, Held]) -> None:
        self.rows = rows
        self.columns = dict(columns)

    def __getitem__(self, name: str) -> pa.Array:
        """Returns a column as Arrow has it; ids become text here."""
        return texts_of(self.columns[name])

    @property
    def nbytes(self) -> int:
        """How many bytes the columns take, as Arrow counts them."""
        return sum(column.nbytes for column in self.columns.values())

    def take(self, positions: Positions | pa.Array) -> "Frame":
        """Returns the rows at *positions*; at a null a row of nulls."""
        at = positions if isinstance(positions, pa.Array) else pa.array(positions)
        taken = {name: column.take(at) for name, column in self.columns.items()}
        return Frame(len(at), taken)

    def filter(self, kept: pa.Array) -> "Frame":
        """Returns the rows where *kept* is true."""
        found = {name: column.filter(kept) for name, column in self.columns.items()}
        rows = int(pc.sum(kept).as_py() or 0) if not found else len(next(iter(found.values())))
        return Frame(rows, found)

    def slice(self, offset: int, count: int | None) -> "Frame":
        """Returns *count* rows behind the first *offset*."""
        begin = min(offset, self.rows)
        rows = self.rows - begin if count is None else min(count, self.rows - begin)
        return Frame(rows, {n: c.slice(begin, rows) for n, c in self.columns.items()})

    def select(self, names: Iterable[str]) -> "Frame":
        """Returns the rows with those columns alone."""
        return Frame(self.rows, {name: self.columns[name] for name in names})

    def having(self, columns: Mapping[str, Held]) -> "Frame":
        """Returns the rows with further columns."""
        return Frame(self.rows, {**self.columns, **columns})

    def table(self, names: Sequence[str]) -> pa.Table:
        """Returns columns as an Arrow table."""
        return pa.table({name: self[name] for name in names})


def flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Returns *values* in one piece."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    if values.num_chunks == 1:
        return values.chunk(0)
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def plain(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Returns a stored column as frames have it: in one piece, times as integers."""
    found = flat(values)
    if isinstance(found, pa.DictionaryArray):
        found = found.dictionary_decode()
    form = _INTEGER_FORM.get(found.type)
    if form is not None:
        return found.cast(form)
    if pa.types.is_list(found.type):
        item = _INTEGER_FORM.get(found.type.value_type)
        return found if item is None else found.cast(pa.list_(item))
    return found


def positions(values: pa.Array) -> Positions:
    """Returns integers without nulls as an array of positions."""
    found: Positions = np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False))
    return found


def codes_of(values: Held) -> tuple[Held, Positions]:
    """Returns the different values, and for each row the place of its own; -1 for null."""
    if isinstance(values, Places):
        return values.numbered()
    encoded = values.dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    return encoded.dictionary, codes.astype(np.int64, copy=False)


def repeated(counts: Positions) -> tuple[Positions, Positions]:
    """Returns, for rows that come *counts* times each, the row of each copy and its number within."""
    rows = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    within = np.arange(total) - np.repeat(ends - counts, counts)
    return rows, within


def nulls(rows: int, type_: pa.DataType) -> pa.Array:
    """Returns a column of nothing but nulls."""
    return pa.nulls(rows, type_)
