"""Walks: the rows of a query without a plan; over warm adjacencies without reading anything.

What takes a plan a millisecond takes this a tenth of one. It serves where every adjacency and index
of ids that it needs is held already and the rows are few enough; else it answers nothing, and the
query goes the way of all others. The rows are the same. Source: graph-engine 3.
"""

import threading
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from agentctl.graph.adjacency.adjacency import Adjacency, DanglingEdgeError
from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.adjacency.expanding import TooManyPairsError, expand
from agentctl.graph.adjacency.id_index import ABSENT, IdIndex, Positions
from agentctl.graph.adjacency.ranks import Ranks
from agentctl.graph.adjacency.reaching import reach
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.cost import worth_building
from agentctl.graph.reads.executors.walk_index import IndexWalk
from agentctl.graph.reads.executors.walk_shape import Step, Walk, walk_of
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery, ParamRef, Value
from agentctl.languages.schema.ir import IrType, SchemaIr

ROWS_MAX: Final = 1_000_000
"""More rows than that are left to the plan, which gives them in batches."""
SHAPES_MAX: Final = 256
"""Of so many queries the shape is remembered."""
ROW_BYTES: Final = 100
"""About what a row on its way takes: a position for each variable, and as much again in order."""

Row = dict[str, object]


class Shapes:
    """What shape the queries have that were asked lately; used by many threads."""

    def __init__(self, count_max: int = SHAPES_MAX) -> None:
        self._count_max = count_max
        self._lock = threading.Lock()
        self._held: dict[tuple[int, int], tuple[CheckedQuery, SchemaIr, Walk | None]] = {}

    def of(self, query: CheckedQuery, ir: SchemaIr) -> Walk | None:
        """Returns `walk_of` of the two; they are told by who they are, which costs nothing."""
        key = id(query), id(ir)
        known = self._held.get(key)
        if known is not None:  # what is held stays alive, so nobody else can have its number
            return known[2]
        walk = walk_of(query, ir)
        with self._lock:
            if len(self._held) >= self._count_max:
                self._held.clear()
            self._held[key] = query, ir, walk
        return walk


_SHAPES: Final = Shapes()


def walked(
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions,
    cache: AdjacencyCache,
) -> tuple[Row, ...] | None:
    """Returns the rows of *query*, or None where another way has to give them.

    Raises:
        GraphError: `query_deadline_exceeded`.
    """
    if options.executor not in ("auto", "csr", "index"):
        return None
    walk = _SHAPES.of(query, snapshot.ir)
    bounds = None if walk is None or not walk.steps else _bounds(query, params, options)
    if walk is None or bounds is None:
        return None
    budget = Budget(memory_bytes=options.memory_bytes, deadline_s=options.deadline_s)
    budget.tick()
    by_cost = options.executor == "auto"
    if options.executor != "index":
        ready = _Ready(snapshot, walk, Adjacencies(snapshot, cache, pause=budget.tick))
        if ready.whole or (by_cost and ready.made(left_s=budget.left_s)):
            return _by_adjacency(_Walking(walk, ready, budget), query, params, bounds)
    if options.executor == "csr":
        return None
    return IndexWalk(walk, snapshot, budget, by_cost=by_cost).rows(query, params, bounds)


def _by_adjacency(
    walking: "_Walking", query: CheckedQuery, params: Mapping[str, object], bounds: slice
) -> tuple[Row, ...] | None:
    try:
        return walking.rows(query, params, bounds)
    except TooManyPairsError:
        return None


class _Ready:
    """Everything that a walk needs, as far as it is at hand."""

    def __init__(self, snapshot: Snapshot, walk: Walk, kept: Adjacencies) -> None:
        self._snapshot = snapshot
        self._kept = kept
        self._types = walk.types
        self._walk = walk
        self._found: dict[tuple[str, bool], Adjacency | None] = {}
        self._look()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        there = all(ids is not None for ids in self.ids.values())
        return there and all(one is not None for step in self.steps for one in step)

    def made(self, *, left_s: float | None) -> bool:
        """Makes what is missing where look-ups took as long by now; returns whether all is there."""
        edges = {name: self._edge(name) for name, _ in self._found}
        missing = [way for way, one in self._found.items() if one is None]
        pays = [
            worth_building(
                self._kept.missed(edges[name], forward=forward),
                self._snapshot.rows(edges[name]),
                left_s=left_s,
            )
            for name, forward in missing
        ]
        if not missing or not all(pays):
            return False
        try:
            for name, forward in missing:
                self._kept.of(edges[name], forward=forward)
        except DanglingEdgeError:
            return False
        self._found.clear()
        self._look()
        return self.whole

    def _look(self) -> None:
        types = dict.fromkeys(self._types.values())
        by_type = {name: self._kept.warm_ids(self._snapshot.node(name)) for name in types}
        self.ids = {var: by_type[name] for var, name in self._types.items()}
        self.steps = [self._step(step) for step in self._walk.steps]

    def ranks(self, var: str) -> Ranks | None:
        """Returns the order of the ids of a variable's type, where it is at hand."""
        ids = self.ids[var]
        assert ids is not None, "a walk is begun when all is ready"
        return self._kept.ranks(self._snapshot.node(self._types[var]), ids)

    def _step(self, step: Step) -> list[Adjacency | None]:
        ways = (step.forward, not step.forward) if step.undirected else (step.forward,)
        return [self._one(name, forward=way) for name in step.edge_types for way in ways]

    def _one(self, name: str, *, forward: bool) -> Adjacency | None:
        if (name, forward) not in self._found:
            self._found[name, forward] = self._kept.warm(self._edge(name), forward=forward)
        return self._found[name, forward]

    def _edge(self, name: str) -> IrType:
        edge = self._snapshot.type_named("edge", name)
        assert edge is not None, "a walk is over the types of its schema"
        return edge


class _Walking:
    """One walk."""

    def __init__(self, walk: Walk, ready: _Ready, budget: Budget) -> None:
        self._walk = walk
        self._ready = ready
        self._budget = budget
        self._rows_max = min(ROWS_MAX, budget.memory_bytes // ROW_BYTES)

    def rows(
        self, query: CheckedQuery, params: Mapping[str, object], bounds: slice
    ) -> tuple[Row, ...]:
        walk = self._walk
        columns = {walk.start: self._starts(params)}
        # A count needs no variable but those that lead on.
        used = {var for var, _ in walk.order} if walk.shown else set[str]()
        for at, step in enumerate(walk.steps):
            columns = self._stepped(columns, at)
            later = {s.near for s in walk.steps[at + 1 :]} | used
            columns = {v: c for v, c in columns.items() if v in later or v == step.far}
        names = [output.name for output in query.outputs]
        if not walk.shown:
            count: Row = {name: len(columns[walk.steps[-1].far]) for name in names}
            return tuple([count][bounds])
        if walk.distinct:
            columns = _distinct({var: columns[var] for var in walk.shown})
        ordered = self._ordered(columns)[bounds]
        texts = [self._ids(var).take(columns[var][ordered]).to_pylist() for var in walk.shown]
        if len(names) == 1:
            name = names[0]
            return tuple([{name: text} for text in texts[0]])
        return tuple([dict(zip(names, row, strict=True)) for row in zip(*texts, strict=True)])

    def _starts(self, params: Mapping[str, object]) -> Positions:
        given = self._walk.starts
        value = given.value if isinstance(given, Value) else params[given.name]
        ids = self._ids(self._walk.start)
        if not isinstance(value, list | tuple):
            found = ABSENT if not isinstance(value, str) else ids.position(value)
            return np.full(int(found != ABSENT), found, np.int64)
        positions = np.unique(ids.positions(pa.array(value, pa.utf8())))
        return positions[1:] if len(positions) and positions[0] == ABSENT else positions

    def _stepped(self, columns: dict[str, Positions], at: int) -> dict[str, Positions]:
        step = self._walk.steps[at]
        steps = [one for one in self._ready.steps[at] if one is not None]
        near, (low, high) = columns[step.near], step.hops
        one = steps[0] if len(steps) == 1 else steps
        if high == 1:
            rows, far = expand(one, near, pairs_max=self._rows_max)
        elif len(near) == 1:
            rows, far = self._reached(one, near, low, high)
        else:
            # From a node that stands in many rows one searches once.
            nodes, places = np.unique(near, return_inverse=True)
            found = self._reached(one, nodes, low, high)
            rows, far = _spread(*found, places, len(nodes), self._rows_max)
        return {**{var: column[rows] for var, column in columns.items()}, step.far: far}

    def _reached(
        self, steps: Adjacency | list[Adjacency], nodes: Positions, low: int, high: int
    ) -> tuple[Positions, Positions]:
        pause = self._budget.tick
        return reach(steps, nodes, low, high, pairs_max=self._rows_max, pause=pause)

    def _ordered(self, columns: Mapping[str, Positions]) -> Positions:
        varying = [
            (var, descending)
            for var, descending in self._walk.order
            if len(columns[var]) > 1 and (columns[var] != columns[var][0]).any()
        ]
        if not varying:
            return np.arange(len(next(iter(columns.values()))))
        ranks = self._ranks({var: columns[var] for var, _ in varying})
        return np.lexsort([-ranks[var] if down else ranks[var] for var, down in reversed(varying)])

    def _ranks(self, columns: Mapping[str, Positions]) -> dict[str, Positions]:
        """Returns numbers that order as the ids at the positions do."""
        found: dict[str, Positions] = {}
        of_type: dict[str, list[str]] = {}
        for var in columns:
            of_type.setdefault(self._walk.types[var], []).append(var)
        for own in of_type.values():
            known = self._ready.ranks(own[0])
            if known is not None:
                found.update({var: known.at(columns[var]) for var in own})
                continue
            together = np.concatenate([columns[var] for var in own])
            different, places = np.unique(together, return_inverse=True)
            ids = self._ids(own[0]).take(different).to_pylist()
            order = sorted(range(len(ids)), key=ids.__getitem__)
            ranks = np.empty(len(ids), np.int64)
            ranks[order] = np.arange(len(ids))
            told = ranks[places].reshape(len(own), -1)
            found.update(zip(own, told, strict=True))
        return found

    def _ids(self, var: str) -> IdIndex:
        ids = self._ready.ids[var]
        assert ids is not None, "a walk is begun when all is ready"
        return ids


def _bounds(
    query: CheckedQuery, params: Mapping[str, object], options: ReadOptions
) -> slice | None:
    """Returns which of the ordered rows are wanted; None where a number is not one."""
    told: list[int | None] = []
    for given in (query.offset, query.limit):
        value = params.get(given.name) if isinstance(given, ParamRef) else given
        if value is not None and not isinstance(value, int):
            return None
        if given is not None and (value is None or value < 0):
            return None
        told.append(value)
    offset, limit = told[0] or 0, told[1]
    counts = [c for c in (limit, options.limit) if c is not None]
    return slice(offset, offset + min(counts) if counts else None)


def _spread(
    rows: Positions, found: Positions, places: Positions, nodes: int, rows_max: int
) -> tuple[Positions, Positions]:
    """Returns what was found for each node, for each row that stands at it."""
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=nodes)
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    many = counts[places]
    total = int(many.sum())
    if total > rows_max:
        raise TooManyPairsError(total)
    at = np.repeat(np.arange(len(places)), many)
    within = np.arange(total) - np.repeat(np.cumsum(many) - many, many)
    return at, found[order[starts[places[at]] + within]]


def _distinct(columns: Mapping[str, Positions]) -> dict[str, Positions]:
    """Returns each combination once."""
    names = list(columns)
    table = np.stack([columns[name] for name in names])
    unique = np.unique(table, axis=1)
    return {name: unique[place] for place, name in enumerate(names)}
