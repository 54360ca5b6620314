"""Edges by adjacencies that are kept between reads: what is deep or dense, at the price of arrays.

The first read of an edge type at a version builds its adjacency; all later ones share it. What has
no room in the cache, and a type with an edge that leads nowhere, is read by whole columns instead.
Source: graph-engine 3.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from agentctl.graph.adjacency.adjacency import Adjacency, DanglingEdgeError
from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.adjacency.expanding import TooManyPairsError, expand, expand_edges
from agentctl.graph.adjacency.id_index import ABSENT, IdIndex
from agentctl.graph.adjacency.reaching import reach
from agentctl.graph.reads import budget as budgets
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.evaluating import kept, met
from agentctl.graph.reads.executors.arrow import ArrowExpander
from agentctl.graph.reads.executors.expansion import EdgeRows, Wanted
from agentctl.graph.reads.expressions import columns_of
from agentctl.graph.reads.frame import Frame, Positions, plain
from agentctl.graph.reads.places import Held, Places, texts_of
from agentctl.graph.reads.source import Source, is_narrow
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrType

PAIR_BYTES: Final = 40
"""Of a pair on its way: two positions, the place they stand at, and the id it becomes."""
TAKEN_PART_MIN: Final = 0.05
"""From this part of a type's edges on, columns of theirs are read whole: rows one by one cost more."""

TAKEN_ROWS_MIN: Final = 1_000
"""So few rows are taken one by one from any type."""

T = TypeVar("T")


class CsrExpander:
    """Looks neighbours up in arrays."""

    name = "csr"

    def __init__(self, source: Source, budget: Budget, cache: AdjacencyCache) -> None:
        self._source = source
        self._budget = budget
        self._kept = Adjacencies(source.snapshot, cache, pause=budget.tick)
        self._columns = ArrowExpander(source, budget)
        self.served = self.name
        self._pairs_max = min(budgets.ROW_COUNT_MAX, budget.memory_bytes // PAIR_BYTES)

    def edges(self, edge: IrType, near: Held, *, forward: bool, wanted: Wanted) -> EdgeRows:
        """Returns the edges of a type at *near*."""
        step = self._step(edge, forward=forward)
        self.served = self.name
        if step is None:
            return self._by_columns(edge, near, forward=forward, wanted=wanted)
        places, positions = _present(self._ids(edge, forward=forward), near)
        far = self._ids(edge, forward=not forward)
        if wanted.var is None:
            at, targets = self._within_memory(
                lambda: expand(step, positions, pairs_max=self._pairs_max)
            )
            return EdgeRows(places[at], _ends(far, targets), distinct=True)
        at, targets, rows = self._within_memory(
            lambda: expand_edges(step, positions, pairs_max=self._pairs_max)
        )
        if len(rows) > TAKEN_ROWS_MIN and len(rows) > TAKEN_PART_MIN * step.edge_count:
            if is_narrow(edge, _tested(wanted) | set(wanted.reads)):
                found = EdgeRows(places[at], _ends(far, targets))
                return self._of_whole(edge, wanted, found, rows)
            return self._by_columns(edge, near, forward=forward, wanted=wanted)
        return self._told(edge, wanted, EdgeRows(places[at], _ends(far, targets)), rows)

    def reach(
        self, legs: Sequence[tuple[IrType, bool]], near: Held, *, low: int, high: int
    ) -> tuple[Positions, Held] | None:
        """Returns the pairs within *low* to *high* edges, breadth first over the arrays."""
        self.served = self.name
        steps: list[Adjacency] = []
        for edge, forward in legs:
            step = self._step(edge, forward=forward)
            if step is None:
                self.served = self._columns.name
                return self._columns.reach(legs, near, low=low, high=high)
            steps.append(step)
        edge, forward = legs[0]
        places, positions = _present(self._ids(edge, forward=forward), near)
        at, targets = self._within_memory(
            lambda: reach(
                steps, positions, low, high, pairs_max=self._pairs_max, pause=self._budget.tick
            )
        )
        return places[at], _ends(self._ids(edge, forward=not forward), targets)

    def _by_columns(self, edge: IrType, near: Held, *, forward: bool, wanted: Wanted) -> EdgeRows:
        self.served = self._columns.name
        return self._columns.edges(edge, near, forward=forward, wanted=wanted)

    def _step(self, edge: IrType, *, forward: bool) -> Adjacency | None:
        """Returns the adjacency, or None where columns have to serve."""
        if not self._kept.fits(edge):
            return None
        try:
            return self._kept.of(edge, forward=forward)
        except DanglingEdgeError:
            return None

    def _ids(self, edge: IrType, *, forward: bool) -> IdIndex:
        """Returns the ids of the nodes that edges leave, or, not *forward*, reach."""
        name = edge.source if forward else edge.target
        assert name is not None
        return self._kept.ids(self._source.node(name))

    def _within_memory(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except TooManyPairsError as failure:
            self._budget.room(rows=failure.pairs, row_bytes=PAIR_BYTES)
            raise  # the budget has room for all that is fewer than its bound

    def _of_whole(self, edge: IrType, wanted: Wanted, found: EdgeRows, rows: Positions) -> EdgeRows:
        """Returns the edges that meet the tests, of columns that are read whole."""
        assert wanted.var is not None
        reads = tuple(dict.fromkeys([*wanted.reads, *sorted(_tested(wanted))]))
        ends, near = found.ends, found.near
        columns: dict[str, pa.Array] = {}
        if reads or wanted.ids:
            whole = self._source.whole(edge, var=wanted.var, reads=reads, ids=wanted.ids)
            if wanted.tests:
                meets = met(wanted.tests, whole)[rows]
                near, rows, ends = near[meets], rows[meets], ends.filter(pa.array(meets))
            names = [f"{wanted.var}.{name}" for name in wanted.reads]
            names += [wanted.var] if wanted.ids else []
            at = pa.array(rows)
            columns = {name: whole[name].take(at) for name in names}
        return EdgeRows(near, ends, columns)

    def _told(self, edge: IrType, wanted: Wanted, found: EdgeRows, rows: Positions) -> EdgeRows:
        """Returns the edges that meet the tests, with what is wanted of their variable."""
        assert wanted.var is not None
        stored = {f"{wanted.var}.{p.name}": p.column for p in edge.properties}
        stored |= {wanted.var: "id", f"{wanted.var}.@src": "src", f"{wanted.var}.@dst": "dst"}
        names = [f"{wanted.var}.{name}" for name in wanted.reads]
        if wanted.ids:
            names.insert(0, wanted.var)
        used = dict.fromkeys(names)
        for test in wanted.tests:
            used.update(dict.fromkeys(sorted(columns_of(test))))
        columns = {name: stored[name] for name in used if name in stored}
        self._budget.room(rows=len(rows), row_bytes=PAIR_BYTES * (1 + len(columns)))
        order = np.argsort(rows, kind="stable")
        dataset = self._source.snapshot.dataset(edge)
        frame = Frame(len(rows), {})
        if columns:
            stored_names = list(dict.fromkeys(columns.values()))
            table = dataset.take(rows[order].tolist(), columns=stored_names)
            frame = frame.having({name: plain(table[c]) for name, c in columns.items()})
        if f"{wanted.var}.@type" in used:
            frame = frame.having({f"{wanted.var}.@type": pa.repeat(edge.name, len(rows))})
        places = pa.array(order)
        frame = kept(wanted.tests, frame.having({"~place": places}))
        chosen = np.asarray(frame["~place"])
        return EdgeRows(
            found.near[chosen], found.ends.take(frame["~place"]), {n: frame[n] for n in names}
        )


def at_hand(snapshot: Snapshot, cache: AdjacencyCache) -> frozenset[str]:
    """Returns the names of the edge types that can be followed without reading anything first.

    In one direction at least; the other one is made of it without reading.
    """
    kept_ones = Adjacencies(snapshot, cache)
    edges = (t for t in snapshot.ir.types if t.kind == "edge")
    return frozenset(
        t.name for t in edges if any(kept_ones.is_warm(t, forward=way) for way in (True, False))
    )


def _tested(wanted: Wanted) -> set[str]:
    """Returns what of the edge variable is tested: a name of nothing for the variable itself."""
    return {name.partition(".")[2] for test in wanted.tests for name in columns_of(test)}


def _ends(ids: IdIndex, targets: Positions) -> Places:
    return Places(ids.ids, pa.array(targets))


def _present(ids: IdIndex, near: Held) -> tuple[Positions, Positions]:
    """Returns the places in *near* that are nodes, and their positions."""
    if isinstance(near, Places) and near.texts is ids.ids:
        return np.arange(len(near)), near.positions()
    positions = ids.positions(texts_of(near))
    places = np.flatnonzero(positions != ABSENT)
    return places, positions if len(places) == len(positions) else positions[places]
