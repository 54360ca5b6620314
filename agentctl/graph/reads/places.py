"""Ids of nodes as positions: a column that is text only when somebody reads it. In a worker thread.

Where the ids of a type are at hand as an index, a row needs but the position of its node. It is
joined, filtered and told apart by that number; the text of an id is looked up at last, for the rows
that are left.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.adjacency.id_index import Positions

_DENSE_PART: Final = 16
"""From a sixteenth of the nodes on, marking all of them is quicker than sorting the positions."""


class Places:
    """A column of ids of one node type at one version; behaves as the Arrow array that it stands for."""

    __slots__ = ("_values", "at", "texts")

    def __init__(self, texts: pa.Array, at: pa.Array) -> None:
        """Looks nothing up.

        Args:
            texts: the ids of all nodes of the type, by position.
            at: a position for each row; null where there is no node.
        """
        self.texts = texts
        self.at = at
        self._values: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.at)

    @property
    def nbytes(self) -> int:
        """What the positions take."""
        return int(self.at.nbytes)

    @property
    def null_count(self) -> int:
        """How many rows have no node."""
        return int(self.at.null_count)

    def is_valid(self) -> pa.Array:
        """Returns for each row whether it has a node."""
        return self.at.is_valid()

    def take(self, rows: pa.Array) -> "Places":
        """Returns the ids at *rows*; null at a null."""
        return Places(self.texts, self.at.take(rows))

    def filter(self, kept: pa.Array) -> "Places":
        """Returns the ids where *kept* is true."""
        return Places(self.texts, self.at.filter(kept))

    def slice(self, offset: int, length: int | None = None) -> "Places":
        """Returns *length* ids behind the first *offset*."""
        return Places(self.texts, self.at.slice(offset, length))

    def values(self) -> pa.Array:
        """Returns the ids as text, looked up once."""
        if self._values is None:
            self._values = self.texts.take(self.at)
        return self._values

    def positions(self) -> Positions:
        """Returns the position of each row, -1 for null."""
        given = self.at.fill_null(-1) if self.at.null_count else self.at
        return np.asarray(given).astype(np.int64, copy=False)

    def numbered(self) -> tuple["Places", Positions]:
        """Returns the different ids, and for each row the place of its own; -1 for null."""
        positions = self.positions()
        there = positions[positions >= 0] if self.at.null_count else positions
        if len(there) * _DENSE_PART < len(self.texts):
            nodes, found = np.unique(there, return_inverse=True)
        else:
            marks = np.zeros(len(self.texts), np.bool_)
            marks[there] = True
            nodes = np.flatnonzero(marks)
            numbers = np.empty(len(self.texts), np.int64)
            numbers[nodes] = np.arange(len(nodes))
            found = numbers[there]
        codes = found
        if len(there) < len(positions):
            codes = np.full(len(positions), -1, np.int64)
            codes[positions >= 0] = found
        return Places(self.texts, pa.array(nodes)), codes


Held: TypeAlias = pa.Array | Places
"""A column as frames hold one."""


def texts_of(column: Held) -> pa.Array:
    """Returns a column as Arrow has it."""
    return column.values() if isinstance(column, Places) else column


def concatenated(parts: Sequence[Held]) -> Held:
    """Returns *parts*, of which there is one at least, one behind the other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if isinstance(first, Places):
        alike = [p.at for p in parts if isinstance(p, Places) and p.texts is first.texts]
        if len(alike) == len(parts):
            return Places(first.texts, pa.concat_arrays(alike))
    return pa.concat_arrays([texts_of(part) for part in parts])


def equal(left: Held, right: Held) -> pa.Array:
    """Returns for each row whether both are the same id; null where one is null."""
    if isinstance(left, Places) and isinstance(right, Places) and left.texts is right.texts:
        return pc.equal(left.at, right.at)
    return pc.equal(texts_of(left), texts_of(right))
