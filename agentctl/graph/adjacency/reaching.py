"""Whom one reaches over a bounded number of edges, breadth first, from many nodes at once.

A destination counts once for each source, at its shortest distance of at least one edge: a node
reaches itself at the length of its shortest cycle, which is one where an edge leads to itself.
Source: languages 2.2.

The search of one source is a set of nodes; those of many are one set of pairs, each a number: the
source's row above, the node below. Sources are searched in blocks, so that what is seen is an array
of flags that stays in the cache. What few edges lead to is sorted to be counted once, what many
lead to is counted in flags.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from agentctl.graph.adjacency.adjacency import Adjacency
from agentctl.graph.adjacency.expanding import TooManyPairsError, expand, gathered
from agentctl.graph.adjacency.id_index import Positions

FLAG_COUNT: Final = 1 << 22
"""Flags of a block, unless one source alone has more nodes before it."""
GATHER_COUNT: Final = 1 << 21
"""Edges that are followed at a time, unless one node alone has more."""
_DENSE_PART: Final = 16
"""A step over more edges than this part of a block's flags is counted in flags."""

Flags = npt.NDArray[np.bool_]


def reach(
    given: Adjacency | Sequence[Adjacency],
    sources: Positions,
    low: int,
    high: int,
    *,
    pairs_max: int | None = None,
    pause: Callable[[], None] | None = None,
) -> tuple[Positions, Positions]:
    """Returns a row of *sources* and each node whose distance from the node there is in bounds.

    Args:
        given: the edges to follow; several stand for any of them, as in `expand`.
        sources: positions of nodes; best each once.
        low: the least distance, at least 1.
        high: the greatest. Where edges lead to another type no second one can follow.
        pairs_max: how many pairs the caller has room for.
        pause: called between steps; what it raises ends the search.

    Returns:
        Rows of *sources* and positions, each pair once, in no order that a caller may use.

    Raises:
        TooManyPairsError: there are more.
    """
    steps = (given,) if isinstance(given, Adjacency) else tuple(given)
    assert steps, "a step follows some edges"
    assert low >= 1, "no edge at all is no traversal"
    if not steps[0].within_one_type:
        high = min(high, 1)
    if low > high or not len(sources):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if high == 1:
        return expand(given, sources, pairs_max=pairs_max)
    search = _Search(steps, low=low, high=high, pairs_max=pairs_max, pause=pause or _go_on)
    return search.pairs(sources)


class _Search:
    """One call of `reach`."""

    def __init__(
        self,
        steps: tuple[Adjacency, ...],
        *,
        low: int,
        high: int,
        pairs_max: int | None,
        pause: Callable[[], None],
    ) -> None:
        self._steps = steps
        self._low, self._high = low, high
        self._pairs_max = pairs_max
        self._pause = pause
        self._bits = max(steps[0].source_count - 1, 0).bit_length()
        self._nodes_mask = (1 << self._bits) - 1
        self._found = 0
        self._single = False
        """Whether the block that is searched has one source."""

    def pairs(self, sources: Positions) -> tuple[Positions, Positions]:
        block = max(1, FLAG_COUNT >> self._bits)
        seen = np.zeros(min(block, len(sources)) << self._bits, np.bool_)
        rows: list[Positions] = []
        targets: list[Positions] = []
        for first in range(0, len(sources), block):
            part = sources[first : first + block]
            for level in self._levels(part, seen):
                found, nodes = self._apart(level)
                rows.append(found + first if first else found)
                targets.append(nodes)
        if len(rows) == 1:
            return rows[0], targets[0]
        empty = np.empty(0, np.int64)
        return np.concatenate([empty, *rows]), np.concatenate([empty, *targets])

    def _apart(self, level: Positions) -> tuple[Positions, Positions]:
        """Returns the rows and the nodes of pairs."""
        if self._single:
            return np.zeros(len(level), np.int64), level
        return level >> self._bits, level & self._nodes_mask

    def _levels(self, sources: Positions, seen: Flags) -> Iterator[Positions]:
        """Yields the pairs of each distance in bounds; leaves *seen* as it came, all false."""
        self._single = len(sources) == 1
        rows, nodes = np.arange(len(sources)), sources
        touched: list[Positions] = []
        for distance in range(1, self._high + 1):
            self._pause()
            level = self._stepped(rows, nodes, seen, first=distance == 1)
            if not len(level):
                break
            if distance >= self._low:
                self._found += len(level)
                if self._pairs_max is not None and self._found > self._pairs_max:
                    raise TooManyPairsError(self._found)
                yield level
            if distance < self._high:
                seen[level] = True
                touched.append(level)
                rows, nodes = self._apart(level)
        for level in touched:
            seen[level] = False

    def _stepped(self, rows: Positions, nodes: Positions, seen: Flags, *, first: bool) -> Positions:
        """Returns the pairs one edge further that are not *seen*, each once."""
        after = nodes + 1
        each = [s.neighbours.starts[after] - s.neighbours.starts[nodes] for s in self._steps]
        counts = each[0] if len(each) == 1 else np.sum(each, axis=0)
        total = int(counts.sum())
        if total * _DENSE_PART > len(seen) or total > GATHER_COUNT:
            return self._densely(rows, nodes, seen, np.cumsum(counts))
        pairs = self._followed(rows, nodes)
        if not first:
            pairs = pairs[~seen[pairs]]
        elif len(self._steps) == 1:
            return pairs  # the neighbours of one node, which are distinct
        return _each_once(pairs)

    def _densely(
        self, rows: Positions, nodes: Positions, seen: Flags, ends: Positions
    ) -> Positions:
        """Does the same by a flag for each pair that there could be."""
        fresh = np.zeros(len(seen), np.bool_)
        begin = 0
        while begin < len(nodes):
            self._pause()
            before = int(ends[begin - 1]) if begin else 0
            end = int(np.searchsorted(ends, before + GATHER_COUNT, side="right"))
            end = max(end, begin + 1)
            fresh[self._followed(rows[begin:end], nodes[begin:end])] = True
            begin = end
        fresh &= ~seen
        return np.flatnonzero(fresh)

    def _followed(self, rows: Positions, nodes: Positions) -> Positions:
        """Returns the pairs one edge further, with repetitions."""
        parts: list[Positions] = []
        for step in self._steps:
            at, targets, _ = gathered(step.neighbours, nodes, pairs_max=None)
            # Of one source the row is 0, so that the pair is the node.
            parts.append(targets if self._single else rows[at] << self._bits | targets)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _each_once(pairs: Positions) -> Positions:
    """Returns *pairs* sorted, each once."""
    if len(pairs) < 2:
        return pairs
    pairs.sort()
    kept = np.empty(len(pairs), np.bool_)
    kept[0] = True
    np.not_equal(pairs[1:], pairs[:-1], out=kept[1:])
    return pairs[kept]


def _go_on() -> None:
    """Stands for a pause that nobody asked for."""
