"""Edges by the BTREE of their endpoints: what a few starts reach, at any size of the graph."""

from collections.abc import Sequence

import pyarrow.compute as pc

from agentctl.graph.reads.executors.expansion import EdgeRows, Wanted
from agentctl.graph.reads.frame import Positions, positions
from agentctl.graph.reads.places import Held, texts_of
from agentctl.graph.reads.source import PLACE, Source
from agentctl.languages.schema.ir import IrType


class IndexExpander:
    """Looks the starts up."""

    name = "index"
    served = "index"

    def __init__(self, source: Source) -> None:
        self._source = source

    def edges(self, edge: IrType, near: Held, *, forward: bool, wanted: Wanted) -> EdgeRows:
        """Returns the edges of a type at *near*."""
        here, there = ("src", "dst") if forward else ("dst", "src")
        found = self._source.among(
            edge,
            here,
            texts_of(near),
            var=wanted.var or "~",
            reads=wanted.reads,
            tests=wanted.tests,
            also=(here, there),
            ids=wanted.var is not None and wanted.ids,
        )
        at = positions(pc.index_in(found[here], value_set=texts_of(near)))
        names = (n for n in found.columns if n not in ("src", "dst", PLACE))
        return EdgeRows(at, found[there], {name: found[name] for name in names})

    def reach(
        self,
        legs: Sequence[tuple[IrType, bool]],  # noqa: ARG002  # of the protocol
        near: Held,  # noqa: ARG002  # as above
        *,
        low: int,  # noqa: ARG002  # as above
        high: int,  # noqa: ARG002  # as above
    ) -> tuple[Positions, Held] | None:
        """Returns None: reachability is hop by hop."""
        return None
