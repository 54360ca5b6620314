"""What every way of following edges gives: for each start the edges that lead on from it.

`Expander` is the seam between the plan and the ways: `arrow` reads whole columns, `index` looks
endpoints up, `csr` keeps adjacencies, `duck` joins in DuckDB. All give the same edges, in no order.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa

from agentctl.graph.reads.expressions import Test
from agentctl.graph.reads.frame import Positions
from agentctl.graph.reads.places import Held, texts_of
from agentctl.languages.schema.ir import IrType


class EdgeRows:
    """Edges that lead on from some starts, one row for each edge row and direction."""

    __slots__ = ("columns", "distinct", "ends", "near")

    def __init__(
        self,
        near: Positions,
        far: Held,
        columns: Mapping[str, pa.Array] | None = None,
        *,
        distinct: bool = False,
    ) -> None:
        self.near = near
        """Places among the starts."""
        self.ends = far
        """Ids of the other ends, or their positions."""
        self.columns = dict(columns or {})
        """Of the edge variable, by the plan's names."""
        self.distinct = distinct
        """Whether no pair of ends comes twice for sure."""

    @property
    def far(self) -> pa.Array:
        """Ids of the other ends, as text."""
        return texts_of(self.ends)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the edges besides their ends."""

    var: str | None = None
    """The edge variable; None where only endpoint pairs count, and they may be given once."""
    ids: bool = True
    """Whether the ids of the edges are wanted; they are the largest of their columns."""
    reads: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()


class Expander(Protocol):
    """One way of following edges."""

    name: str
    served: str
    """The way that the last call went: another one's where this one could not serve."""

    def edges(self, edge: IrType, near: Held, *, forward: bool, wanted: Wanted) -> EdgeRows:
        """Returns the edges of a type that leave (or, not *forward*, reach) the ids *near*.

        The ids are different and none is null.
        """
        ...

    def reach(
        self,
        legs: Sequence[tuple[IrType, bool]],
        near: Held,
        *,
        low: int,
        high: int,
    ) -> tuple[Positions, Held] | None:
        """Returns start and destination of all pairs whose shortest distance is *low* to *high*.

        Of at least one edge, over any of *legs* (a type, and whether along its edges), each pair
        once. None where this way has no means of its own; then it is done by `edges`, hop by hop.
        """
        ...


def empty() -> EdgeRows:
    """Returns no edges, of no variable."""
    return EdgeRows(np.empty(0, np.int64), pa.array([], pa.utf8()), distinct=True)
