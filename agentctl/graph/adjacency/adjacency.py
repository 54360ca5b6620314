"""The neighbours of every node of one type over one edge type, as compressed sparse rows.

Nodes and edges are positions: the rows of their datasets. A neighbour counts once however many
edges lead to it, as an unbound traversal wants it; the edges themselves are kept beside, parallel
ones apart, for a traversal that binds them. Source: languages 2.2.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from agentctl.graph.adjacency.id_index import ABSENT, Positions

Numbers = npt.NDArray[np.int32] | npt.NDArray[np.int64]
"""Positions that are held for long: of 32 bits where they fit."""

_KEY_BITS_MAX: Final = 63
_NARROW_MAX: Final = (1 << 31) - 1


class DanglingEdgeError(Exception):
    """An edge names a node that is not there, which no write of ours leaves behind."""

    def __init__(self, edge: int) -> None:
        super().__init__(f"the edge at row {edge} has an endpoint that is no node")
        self.edge = edge


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """For each source the numbers from ``starts[source]`` to ``starts[source + 1]``."""

    starts: Positions
    """One more than there are sources."""
    targets: Numbers
    """Ascending within a source."""


class Adjacency(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of one edge type; shared by threads, since nothing changes it."""

    target_count: int
    """How many nodes there are that an edge may lead to."""
    within_one_type: bool
    """Whether sources and targets are nodes of one type, so that a second edge may follow."""
    neighbours: Rows
    """Each pair of endpoints once."""
    parallel: Rows
    """Each edge once; the same arrays as ``neighbours`` where no two edges are parallel."""
    edge_rows: Numbers
    """The row of each edge of ``parallel``; ascending where they are parallel."""

    @property
    def source_count(self) -> int:
        """How many nodes there are that an edge may leave."""
        return len(self.neighbours.starts) - 1

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return len(self.edge_rows)

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        held = self.edge_rows.nbytes + self.parallel.starts.nbytes + self.parallel.targets.nbytes
        if self.neighbours is not self.parallel:
            held += self.neighbours.starts.nbytes + self.neighbours.targets.nbytes
        return held


def adjacency(
    sources: Positions,
    targets: Positions,
    *,
    source_count: int,
    target_count: int,
    within_one_type: bool,
) -> Adjacency:
    """Returns the adjacency of the edges whose ends stand in *sources* and *targets*, a row each.

    Raises:
        DanglingEdgeError: an end is `ABSENT`.
    """
    dangling = np.flatnonzero((sources == ABSENT) | (targets == ABSENT))
    if len(dangling):
        raise DanglingEdgeError(int(dangling[0]))
    order = _order(sources, targets, source_count=source_count, target_count=target_count)
    near, far = sources[order], targets[order]
    starts = _starts(near, source_count)
    parallel = Rows(starts=starts, targets=_narrow(far, target_count))
    repeats = (near[1:] == near[:-1]) & (far[1:] == far[:-1])
    return Adjacency(
        target_count=target_count,
        within_one_type=within_one_type,
        neighbours=_each_once(near, far, repeats, parallel, target_count),
        parallel=parallel,
        edge_rows=_narrow(order, len(order)),
    )


def reversed_adjacency(given: Adjacency) -> Adjacency:
    """Returns the same edges from the other end."""
    counts = np.diff(given.parallel.starts)
    near = np.repeat(np.arange(given.source_count), counts)
    sources = np.empty(given.edge_count, np.int64)
    targets = np.empty(given.edge_count, np.int64)
    sources[given.edge_rows] = given.parallel.targets
    targets[given.edge_rows] = near
    return adjacency(
        sources,
        targets,
        source_count=given.target_count,
        target_count=given.source_count,
        within_one_type=given.within_one_type,
    )


def size_bytes_of(*, source_count: int, edge_count: int) -> int:
    """Returns what an adjacency of so many holds at most, before it is made."""
    return 2 * 8 * (source_count + 1) + 3 * 8 * edge_count


def _order(
    sources: Positions, targets: Positions, *, source_count: int, target_count: int
) -> Positions:
    """Returns the rows by source, then target, then row.

    Where all three numbers fit into one of 63 bits, it is sorted as such: several times faster
    than sorting rows by keys.
    """
    row_bits = max(len(sources) - 1, 0).bit_length()
    target_bits = max(target_count - 1, 0).bit_length()
    source_bits = max(source_count - 1, 0).bit_length()
    if source_bits + target_bits + row_bits > _KEY_BITS_MAX:
        return np.lexsort((targets, sources))
    keys = ((sources << target_bits | targets) << row_bits) | np.arange(len(sources))
    keys.sort()
    rows: Positions = keys & ((1 << row_bits) - 1)
    return rows


def _starts(near: Positions, source_count: int) -> Positions:
    starts = np.zeros(source_count + 1, np.int64)
    np.cumsum(np.bincount(near, minlength=source_count), out=starts[1:])
    return starts


def _each_once(
    near: Positions,
    far: Positions,
    repeats: npt.NDArray[np.bool_],
    parallel: Rows,
    target_count: int,
) -> Rows:
    if not repeats.any():
        return parallel
    first = np.flatnonzero(np.concatenate(([True], ~repeats)))
    starts = _starts(near[first], len(parallel.starts) - 1)
    return Rows(starts=starts, targets=_narrow(far[first], target_count))


def _narrow(numbers: Positions, count: int) -> Numbers:
    return numbers.astype(np.int32) if count <= _NARROW_MAX else numbers
