"""Edges by whole columns: read once for a query, joined in memory."""

from collections.abc import Sequence

import pyarrow as pa

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.executors.expansion import EdgeRows, Wanted
from agentctl.graph.reads.frame import Frame, Positions, positions
from agentctl.graph.reads.places import Held, texts_of
from agentctl.graph.reads.reaching import Numbers, Table, joined, reached
from agentctl.graph.reads.source import PLACE, Source
from agentctl.languages.schema.ir import IrType

_ENDS = ("src", "dst")


class ArrowExpander:
    """Reads the columns of a type from end to end."""

    name = "arrow"
    served = "arrow"

    def __init__(self, source: Source, budget: Budget) -> None:
        self._source = source
        self._budget = budget

    def edges(self, edge: IrType, near: Held, *, forward: bool, wanted: Wanted) -> EdgeRows:
        """Returns the edges of a type at *near*."""
        here, there = _ENDS if forward else _ENDS[::-1]
        found = self.all(edge, wanted, member=(here, texts_of(near)))
        at = positions(found[PLACE])
        names = (n for n in found.columns if n not in (*_ENDS, PLACE))
        return EdgeRows(at, found[there], {name: found[name] for name in names})

    def all(
        self, edge: IrType, wanted: Wanted, member: tuple[str, pa.Array] | None = None
    ) -> Frame:
        """Returns the edges of a type as ``src``, ``dst`` and what is wanted of the variable."""
        return self._source.scan(
            edge,
            var=wanted.var or "~",
            reads=wanted.reads,
            tests=wanted.tests,
            also=_ENDS,
            ids=wanted.var is not None and wanted.ids,
            member=member,
        )

    def reach(
        self, legs: Sequence[tuple[IrType, bool]], near: Held, *, low: int, high: int
    ) -> tuple[Positions, Held] | None:
        """Returns the pairs within *low* to *high* edges, over all edges sorted once."""
        numbers = Numbers()
        starts = numbers.of(texts_of(near))
        pairs: list[tuple[Positions, Positions]] = []
        for edge, forward in legs:
            found = self.all(edge, Wanted())
            here, there = _ENDS if forward else _ENDS[::-1]
            pairs.append((numbers.of(found[here]), numbers.of(found[there])))
        begins, ends = joined(pairs)
        table = Table(begins, ends, len(numbers.ids))
        at, nodes = reached(table.step, starts, low=low, high=high, budget=self._budget)
        return at, numbers.ids.take(pa.array(nodes))
