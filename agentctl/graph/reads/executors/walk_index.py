"""Walks by the BTREE of endpoints: the rows of a query without a plan, for a few nodes on the way.

Where no adjacency is at hand, a walk from few nodes is one look-up a step and little more. As soon as
a step would ask for too many ids, or another way is cheaper, it answers nothing, and the query goes
the way of all others. The rows are the same. Source: graph-engine 3.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.cost import INDEX_IDS_MAX, chosen
from agentctl.graph.reads.executors.walk_shape import Step, Walk
from agentctl.graph.reads.pushing import quoted
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery, Value
from agentctl.languages.schema.ir import IrType

ROWS_MAX: Final = 10_000
"""More rows than that are joined in columns."""
ROW_BYTES: Final = 500
"""About what a row of texts takes."""

Row = dict[str, object]
Columns = dict[str, list[str]]


class IndexWalk:
    """One walk."""

    def __init__(self, walk: Walk, snapshot: Snapshot, budget: Budget, *, by_cost: bool) -> None:
        """Reads nothing yet.

        Args:
            walk: what is walked.
            snapshot: what is read.
            budget: its bounds.
            by_cost: whether a step is taken only where the index is the cheapest way.
        """
        self._walk = walk
        self._snapshot = snapshot
        self._budget = budget
        self._by_cost = by_cost

    def rows(
        self, query: CheckedQuery, params: Mapping[str, object], bounds: slice
    ) -> tuple[Row, ...] | None:
        """Returns the rows of *query* within *bounds*, or None where another way has to give them."""
        walk = self._walk
        if not walk.steps or any(step.hops != (1, 1) for step in walk.steps):
            return None
        columns: Columns = {walk.start: self._starts(params)}
        used = {var for var, _ in walk.order} | set(walk.shown) if walk.shown else set[str]()
        for at, step in enumerate(walk.steps):
            grown = self._stepped(columns, step)
            if grown is None:
                return None
            later = {s.near for s in walk.steps[at + 1 :]} | used
            columns = {v: c for v, c in grown.items() if v in later or v == step.far}
        names = [output.name for output in query.outputs]
        if not walk.shown:
            count: Row = {name: len(columns[walk.steps[-1].far]) for name in names}
            return tuple([count][bounds])
        shown = self._ordered(columns)[bounds]
        return tuple([dict(zip(names, row, strict=True)) for row in shown])

    def _starts(self, params: Mapping[str, object]) -> list[str]:
        given = self._walk.starts
        value = given.value if isinstance(given, Value) else params[given.name]
        listed = value if isinstance(value, list | tuple) else [value]
        return list(dict.fromkeys(one for one in listed if isinstance(one, str)))

    def _stepped(self, columns: Columns, step: Step) -> Columns | None:
        near = columns[step.near]
        found = self._neighbours(step, list(dict.fromkeys(near)))
        if found is None:
            return None
        total = sum(len(found[one]) for one in near)
        if total > min(ROWS_MAX, self._budget.memory_bytes // ROW_BYTES):
            return None
        at = [place for place, one in enumerate(near) for _ in found[one]]
        grown = {var: [column[place] for place in at] for var, column in columns.items()}
        return {**grown, step.far: [end for one in near for end in found[one]]}

    def _neighbours(self, step: Step, nodes: Sequence[str]) -> dict[str, dict[str, None]] | None:
        """Returns the ends of the edges that lead on from each of *nodes*, each end once."""
        edges = [self._edge(name) for name in step.edge_types]
        rows = sum(self._snapshot.rows(edge) for edge in edges)
        cheapest = not self._by_cost or chosen(len(nodes), rows, cached=False) == "index"
        if len(nodes) > INDEX_IDS_MAX or not cheapest:
            return None
        found: dict[str, dict[str, None]] = {node: {} for node in nodes}
        among = ", ".join(map(quoted, nodes))
        ways = (step.forward, not step.forward) if step.undirected else (step.forward,)
        for edge in edges if nodes else ():
            dataset = self._snapshot.dataset(edge)
            for forward in ways:
                here, there = ("src", "dst") if forward else ("dst", "src")
                self._budget.tick()
                # One row more than may come says that there are too many, without reading them.
                table = dataset.scanner(
                    columns=[here, there], filter=f"{here} IN ({among})", limit=ROWS_MAX + 1
                ).to_table()
                if table.num_rows > ROWS_MAX:
                    return None
                ends = zip(table[here].to_pylist(), table[there].to_pylist(), strict=True)
                for node, end in ends:
                    found[node][end] = None
        return found

    def _edge(self, name: str) -> IrType:
        edge = self._snapshot.ir.type_named("edge", name)
        assert edge is not None, "a walk is over the types of its schema"
        return edge

    def _ordered(self, columns: Columns) -> list[tuple[str, ...]]:
        """Returns what is shown, in order."""
        walk = self._walk
        order = walk.order
        names = list(dict.fromkeys([*walk.shown, *(var for var, _ in order)]))
        rows = list(zip(*(columns[name] for name in names), strict=True))
        if walk.distinct:
            rows = list(dict.fromkeys(rows))
        for var, descending in reversed(order):
            rows.sort(key=itemgetter(names.index(var)), reverse=descending)
        places = [names.index(var) for var in walk.shown]
        return [tuple(row[place] for place in places) for row in rows]
