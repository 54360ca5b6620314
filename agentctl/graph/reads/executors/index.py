"""Edges by the BTREE of their endpoints: what a few starts reach, at any size of the graph."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.executors.expansion import EdgeRows, Wanted
from agentctl.graph.reads.frame import Positions, positions
from agentctl.graph.reads.source import PLACE, Source
from agentctl.languages.schema.ir import IrType


class IndexExpander:
    """Looks the starts up."""

    name = "index"

    def __init__(self, source: Source) -> None:
        self._source = source

    def edges(self, edge: IrType, near: pa.Array, *, forward: bool, wanted: Wanted) -> EdgeRows:
        """Returns the edges of a type at *near*."""
        here, there = ("src", "dst") if forward else ("dst", "src")
        found = self._source.among(
            edge,
            here,
            near,
            var=wanted.var or "~",
            reads=wanted.reads,
            tests=wanted.tests,
            also=(here, there),
            ids=wanted.var is not None and wanted.ids,
        )
        at = positions(pc.index_in(found[here], value_set=near))
        names = (n for n in found.columns if n not in ("src", "dst", PLACE))
        return EdgeRows(at, found[there], {name: found[name] for name in names})

    def reach(
        self,
        legs: Sequence[tuple[IrType, bool]],  # noqa: ARG002  # of the protocol
        near: pa.Array,  # noqa: ARG002  # as above
        *,
        low: int,  # noqa: ARG002  # as above
        high: int,  # noqa: ARG002  # as above
    ) -> tuple[Positions, pa.Array] | None:
        """Returns None: reachability is hop by hop."""
        return None
