"""One step from many nodes at once: their neighbours, or the edges that leave them."""

from collections.abc import Sequence

import numpy as np

from agentctl.graph.adjacency.adjacency import Adjacency, Rows
from agentctl.graph.adjacency.id_index import Positions


class TooManyPairsError(Exception):
    """A step would give more pairs than its caller has room for; nothing was allocated for them."""

    def __init__(self, pairs: int) -> None:
        super().__init__(f"{pairs:,} pairs")
        self.pairs = pairs


def expand(
    given: Adjacency | Sequence[Adjacency], sources: Positions, *, pairs_max: int | None = None
) -> tuple[Positions, Positions]:
    """Returns a row of *sources* and a neighbour of the node there, for each neighbour.

    Args:
        given: the edges to follow. Several stand for any of them: both directions of an edge type,
            or several types between the same two; a neighbour over two of them counts once.
        sources: positions of nodes; one that stands there twice is expanded twice.
        pairs_max: how many pairs the caller has room for.

    Returns:
        Rows of *sources*, ascending, and positions; ascending for a row.

    Raises:
        TooManyPairsError: there are more.
    """
    if isinstance(given, Adjacency):
        rows, targets, _ = gathered(given.neighbours, sources, pairs_max=pairs_max)
        return rows, targets
    assert given, "a step follows some edges"
    width = given[0].target_count
    parts: list[Positions] = []
    room = pairs_max
    for one in given:
        assert one.target_count == width, "the edges of a step lead to one type"
        rows, targets, _ = gathered(one.neighbours, sources, pairs_max=room)
        room = None if room is None else room - len(rows)
        parts.append(rows * width + targets)
    pairs = np.unique(np.concatenate(parts))
    return np.divmod(pairs, width) if width else (pairs, pairs)


def expand_edges(
    given: Adjacency, sources: Positions, *, pairs_max: int | None = None
) -> tuple[Positions, Positions, Positions]:
    """Returns row, target and the edge's row in its dataset, for each edge that leaves *sources*.

    Parallel edges stand apart.

    Raises:
        TooManyPairsError: there are more than *pairs_max*.
    """
    rows, targets, taken = gathered(given.parallel, sources, pairs_max=pairs_max)
    return rows, targets, given.edge_rows[taken].astype(np.int64)


def gathered(
    rows: Rows, sources: Positions, *, pairs_max: int | None
) -> tuple[Positions, Positions, Positions]:
    """Returns the row of *sources*, the target, and where it stands, for each target of each row."""
    if len(sources) == 1:
        start, end = rows.starts[sources[0]], rows.starts[sources[0] + 1]
        _must_fit(int(end - start), pairs_max)
        targets = rows.targets[start:end].astype(np.int64)
        return np.zeros(len(targets), np.int64), targets, np.arange(start, end)
    starts = rows.starts[sources]
    counts = rows.starts[sources + 1] - starts
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    _must_fit(total, pairs_max)
    taken = np.arange(total)
    taken += np.repeat(starts - (ends - counts), counts)
    return np.repeat(np.arange(len(sources)), counts), rows.targets[taken].astype(np.int64), taken


def _must_fit(total: int, pairs_max: int | None) -> None:
    if pairs_max is not None and total > pairs_max:
        raise TooManyPairsError(total)
