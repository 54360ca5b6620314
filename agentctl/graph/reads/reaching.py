"""Bounded reachability over numbered nodes: which lie at a distance within bounds, breadth first.

Each destination counts once for each start, at its shortest distance of at least one edge, so a
node reaches itself at the length of its shortest cycle. Source: languages 2.2.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.frame import Marks, Positions, repeated

_SHIFT: Final = 32
"""A pair is one integer: the place of the start above, the number of the node below."""
_LOW: Final = (1 << _SHIFT) - 1
_PAIR_BYTES: Final = 40.0
"""Of a pair on its way: itself, its copy while it is sorted, and the ids it becomes."""

Step = Callable[[Positions], tuple[Positions, Positions]]
"""Gives the edges that leave the nodes given, which are sorted and different: start's place, end."""


class Numbers:
    """Numbers for ids, in order of first sight."""

    def __init__(self) -> None:
        self.ids: pa.Array = pa.array([], pa.utf8())

    def of(self, values: pa.Array) -> Positions:
        """Returns the numbers of *values*."""
        found = pc.index_in(values, value_set=self.ids)
        if found.null_count:
            unknown = pc.unique(values.filter(found.is_null()))
            self.ids = pa.concat_arrays([self.ids, unknown])
            found = pc.index_in(values, value_set=self.ids)
        return np.asarray(found.cast(pa.int64()).to_numpy(zero_copy_only=False))


class Table:
    """All edges of some legs at once, sorted by where they start."""

    def __init__(self, near: Positions, far: Positions, nodes: int) -> None:
        order = np.argsort(near, kind="stable")
        self._far = far[order]
        self._begin = np.concatenate(([0], np.cumsum(np.bincount(near, minlength=nodes))))

    def step(self, nodes: Positions) -> tuple[Positions, Positions]:
        """Returns the edges that leave *nodes*."""
        begin = self._begin[nodes]
        at, within = repeated(self._begin[nodes + 1] - begin)
        return at, self._far[begin[at] + within]


def reached(
    step: Step, starts: Positions, *, low: int, high: int, budget: Budget
) -> tuple[Positions, Positions]:
    """Returns the place of the start, and the node, of each pair at a distance of *low* to *high*."""
    frontier = (np.arange(len(starts)) << _SHIFT) | starts
    seen: Positions = np.empty(0, np.int64)
    kept: list[Positions] = []
    for distance in range(1, high + 1):
        following = _further(step, frontier, budget)
        frontier = following[~_within(following, seen)]
        if not len(frontier):
            break
        budget.room(rows=len(seen) + len(frontier), row_bytes=_PAIR_BYTES)
        seen = np.sort(np.concatenate((seen, frontier)), kind="stable")
        if distance >= low:
            kept.append(frontier)
    pairs = np.concatenate(kept) if kept else np.empty(0, np.int64)
    return pairs >> _SHIFT, pairs & _LOW


def _further(step: Step, frontier: Positions, budget: Budget) -> Positions:
    """Returns the pairs one edge on, sorted, each once."""
    nodes, place = np.unique(frontier & _LOW, return_inverse=True)
    at, ends = step(nodes)
    order = np.argsort(at, kind="stable")
    ends = ends[order]
    counts = np.bincount(at, minlength=len(nodes))
    begin = np.concatenate(([0], np.cumsum(counts)))[:-1]
    many = counts[place]
    budget.room(rows=int(many.sum()), row_bytes=_PAIR_BYTES)
    pair, within = repeated(many)
    return np.unique(((frontier[pair] >> _SHIFT) << _SHIFT) | ends[begin[place[pair]] + within])


def _within(values: Positions, among: Positions) -> Marks:
    """Returns for each of the sorted *values* whether it is among the sorted others."""
    if not len(among):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return np.equal(among[at], values)


def joined(parts: Sequence[tuple[Positions, Positions]]) -> tuple[Positions, Positions]:
    """Returns the edges of several legs together."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
