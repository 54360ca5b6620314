"""Bounded reachability: which nodes lie at a distance within bounds, breadth first.

Each destination counts once for each start, at its shortest distance of at least one edge, so a
node reaches itself at the length of its shortest cycle. That distance is the same from either end,
so the search may begin where fewer nodes are. Source: languages 2.2.
"""

from collections.abc import Callable
from typing import Final

import lance
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.lookup import LOOKUP_COUNT_MAX, rows_where, scan

Codes = npt.NDArray[np.int64]

_SHIFT: Final = 32
"""A pair of codes is one integer: the start above, the node below."""


class Edges:
    """The edges of one type in one direction, read as the search needs them."""

    def __init__(
        self,
        dataset: lance.LanceDataset,
        *,
        forward: bool,
        lookup_count_max: int = LOOKUP_COUNT_MAX,
    ) -> None:
        self._dataset = dataset
        self._from, self._to = ("src", "dst") if forward else ("dst", "src")
        self._lookup_count_max = lookup_count_max
        self._all: pa.Table | None = None

    def leaving(self, nodes: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Returns the starts and ends of at least the edges that leave *nodes*."""
        if len(nodes) <= self._lookup_count_max and self._all is None:
            table = rows_where(
                self._dataset,
                self._from,
                nodes,
                columns=[self._from, self._to],
                lookup_count_max=self._lookup_count_max,
            )
        else:
            if self._all is None:
                self._all = scan(self._dataset, [self._from, self._to])
            table = self._all
        return _array(table[self._from]), _array(table[self._to])


class Interner:
    """Numbers for ids, in order of first sight."""

    def __init__(self) -> None:
        self.ids: pa.Array = pa.array([], pa.utf8())

    def codes(self, values: pa.Array) -> Codes:
        """Returns the numbers of *values*."""
        found = pc.index_in(values, value_set=self.ids)
        unknown = pc.unique(values.filter(pc.is_null(found)))
        if len(unknown):
            self.ids = pa.concat_arrays([self.ids, unknown])
            found = pc.index_in(values, value_set=self.ids)
        return np.asarray(found.cast(pa.int64()).to_numpy(zero_copy_only=False))


def reached(
    leaving: Callable[[pa.Array], tuple[pa.Array, pa.Array]],
    starts: pa.Array,
    *,
    low: int,
    high: int,
) -> tuple[pa.Array, pa.Array]:
    """Returns start and end of each pair whose distance is from *low* to *high*.

    *starts* are distinct.
    """
    interner = Interner()
    first = interner.codes(starts)
    frontier = (first << _SHIFT) | first
    seen: Codes = np.empty(0, np.int64)
    kept: list[Codes] = []
    for distance in range(1, high + 1):
        frontier = np.setdiff1d(_step(leaving, interner, frontier), seen, assume_unique=True)
        if not len(frontier):
            break
        seen = np.union1d(seen, frontier)
        if distance >= low:
            kept.append(frontier)
    pairs = np.concatenate(kept) if kept else np.empty(0, np.int64)
    return (
        interner.ids.take(pa.array(pairs >> _SHIFT)),
        interner.ids.take(pa.array(pairs & ((1 << _SHIFT) - 1))),
    )


def _step(
    leaving: Callable[[pa.Array], tuple[pa.Array, pa.Array]], interner: Interner, frontier: Codes
) -> Codes:
    """Returns the pairs one edge further, sorted, each once."""
    nodes = frontier & ((1 << _SHIFT) - 1)
    begins, ends = leaving(interner.ids.take(pa.array(np.unique(nodes))))
    from_codes, to_codes = interner.codes(begins), interner.codes(ends)
    order = np.argsort(from_codes, kind="stable")
    from_codes, to_codes = from_codes[order], to_codes[order]
    left = np.searchsorted(from_codes, nodes, side="left")
    counts = np.searchsorted(from_codes, nodes, side="right") - left
    total = int(counts.sum())
    offsets = np.repeat(left - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    targets = to_codes[offsets + np.arange(total)]
    starts = np.repeat(frontier >> _SHIFT, counts)
    return np.unique((starts << _SHIFT) | targets)


def _array(values: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
