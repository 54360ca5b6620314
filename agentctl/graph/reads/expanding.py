"""Rows followed along edges: what an executor finds for the different starts, joined to the rows.

The same for every executor: starts without repeats and nulls go in, edges come out, endpoint pairs
count once where there is no edge variable. In a worker thread. Source: languages 2.2.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.executors.expansion import EdgeRows, Expander, Wanted
from agentctl.graph.reads.frame import Frame, Positions, codes_of, repeated
from agentctl.graph.reads.logical import Expand, Hop, Reach
from agentctl.graph.reads.places import Held, concatenated, equal, texts_of
from agentctl.graph.reads.reaching import Numbers, joined, reached
from agentctl.languages.schema.ir import IrType

ID_BYTES = 24.0
"""About what an id takes in a frame."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One type of edge in one direction."""

    edge: IrType
    forward: bool


def legs_of(hop: Hop, edges: Sequence[IrType], *, near_is_source: bool) -> list[Leg]:
    """Returns the legs of a hop, as they are followed from the near end."""
    legs = [Leg(edge=edge, forward=near_is_source) for edge in edges]
    if hop.undirected:
        legs += [Leg(edge=edge, forward=not near_is_source) for edge in edges]
    return legs


def expanded(
    frame: Frame, step: Expand, legs: Sequence[Leg], expander: Expander, budget: Budget
) -> Frame:
    """Returns each row with each edge that leads on from its near end."""
    hop = step.hop
    near, far = (hop.source, hop.target) if step.near == "source" else (hop.target, hop.source)
    ids, codes = codes_of(frame.columns[near])
    wanted = Wanted(var=hop.edge_var, ids=step.ids, reads=step.reads, tests=step.tests)
    found = _both(hop, legs, ids, expander, wanted)
    return _joined(frame, codes, found, far, closes=step.closes or near == far, budget=budget)


def reached_rows(
    frame: Frame, step: Reach, legs: Sequence[Leg], expander: Expander, budget: Budget
) -> Frame:
    """Returns each row with each node within its hops' bounds."""
    hop = step.hop
    near, far = (hop.source, hop.target) if step.near == "source" else (hop.target, hop.source)
    ids, codes = codes_of(frame.columns[near])
    low, high = hop.hops
    if hop.source_type != hop.target_type:
        # Ids are unique within a type alone: no second hop may follow one to another type.
        pairs = _pairs(hop, legs, ids, expander, budget, high=1) if low == 1 else _no_pairs()
    else:
        pairs = _pairs(hop, legs, ids, expander, budget, high=high)
    found = EdgeRows(pairs[0], pairs[1], distinct=True)
    return _joined(frame, codes, found, far, closes=step.closes or near == far, budget=budget)


def _pairs(  # one reachability
    hop: Hop,
    legs: Sequence[Leg],
    ids: Held,
    expander: Expander,
    budget: Budget,
    *,
    high: int,
) -> tuple[Positions, Held]:
    low = hop.hops[0]
    found = expander.reach([(g.edge, g.forward) for g in legs], ids, low=low, high=high)
    if found is not None:
        return found
    numbers = Numbers()
    starts = numbers.of(texts_of(ids))

    def step(nodes: Positions) -> tuple[Positions, Positions]:
        some = numbers.ids.take(pa.array(nodes))
        parts: list[tuple[Positions, Positions]] = []
        for leg in legs:
            rows = expander.edges(leg.edge, some, forward=leg.forward, wanted=Wanted())
            parts.append((rows.near, numbers.of(rows.far)))
        return joined(parts)

    at, ends = reached(step, starts, low=low, high=high, budget=budget)
    return at, numbers.ids.take(pa.array(ends))


def _no_pairs() -> tuple[Positions, pa.Array]:
    return np.empty(0, np.int64), pa.array([], pa.utf8())


def _both(hop: Hop, legs: Sequence[Leg], ids: Held, expander: Expander, wanted: Wanted) -> EdgeRows:
    """Returns the edges of all legs; an edge from a node to itself is no second one backwards."""
    parts = [expander.edges(g.edge, ids, forward=g.forward, wanted=wanted) for g in legs]
    if len(parts) == 1:
        found = parts[0]
    else:
        if hop.edge_var is not None:
            parts[1:] = [_without_loops(part, ids) for part in parts[1:]]
        found = EdgeRows(
            np.concatenate([p.near for p in parts]),
            concatenated([p.ends for p in parts]),
            {n: concatenated([p.columns[n] for p in parts]) for n in parts[0].columns},
        )
    return found if hop.edge_var is not None or found.distinct else distinct_pairs(found)


def _without_loops(part: EdgeRows, ids: Held) -> EdgeRows:
    kept = pc.invert(equal(part.ends, ids.take(pa.array(part.near))))
    return EdgeRows(
        part.near[np.asarray(kept)],
        part.ends.filter(kept),
        {n: c.filter(kept) for n, c in part.columns.items()},
    )


def distinct_pairs(found: EdgeRows) -> EdgeRows:
    """Returns each pair of ends once."""
    if len(found.near) < 2:
        return found
    ends, codes = codes_of(found.ends)
    pairs = found.near * len(ends) + codes
    _, first = np.unique(pairs, return_index=True)
    if len(first) == len(pairs):
        return found
    return EdgeRows(found.near[first], found.ends.take(pa.array(first)), distinct=True)


def _joined(  # one join
    frame: Frame,
    codes: Positions,
    found: EdgeRows,
    far: str,
    *,
    closes: bool,
    budget: Budget,
) -> Frame:
    """Returns the rows with what was found for the code of each; a null leads nowhere."""
    ascending = bool((found.near[1:] >= found.near[:-1]).all())
    order = None if ascending else np.argsort(found.near, kind="stable")
    starts = int(codes.max()) + 1 if len(codes) else 0
    counts = np.bincount(found.near, minlength=max(starts, 1))
    begin = np.concatenate(([0], np.cumsum(counts)))[:-1]
    many = np.where(codes >= 0, counts[codes], 0)
    total = int(many.sum())
    width = frame.nbytes / max(frame.rows, 1) + ID_BYTES * (1 + len(found.columns))
    budget.room(rows=total, row_bytes=width)
    row, within = repeated(many)
    places = begin[codes[row]] + within
    at = pa.array(places if order is None else order[places])
    grown = frame.take(row) if total != frame.rows or (many != 1).any() else frame
    added = {name: column.take(at) for name, column in found.columns.items()}
    ends = found.ends.take(at)
    if closes:
        return grown.having(added).filter(
            pc.fill_null(equal(ends, grown.columns[far]), fill_value=False)
        )
    return grown.having({far: ends, **added})
