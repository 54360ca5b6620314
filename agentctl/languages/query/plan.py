"""What a checked query means: its typed parts, ready to be run over any graph.

The checker makes these values and the engine runs them; neither sees the other. A query is a set
of bindings joined by traversals, filtered, then projected or aggregated, ordered and limited.
"""

from typing import Literal

import msgspec

from agentctl.languages.schema.types import PropertyType

Comparison = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "starts_with"]
AggregateName = Literal["count", "sum", "avg", "min", "max"]


class Value(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="value"):
    """A literal. A Date is days, a DateTime milliseconds since 1970, both as int."""

    value: str | int | float | bool | None
    type: PropertyType


class ParamRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="param"):
    """The value of a declared parameter."""

    name: str
    type: PropertyType


class PropertyRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="property"):
    """A property of a bound node or edge."""

    var: str
    property: str
    type: PropertyType


class EntityRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="entity"):
    """A whole bound node or edge: an object of its properties with ``@id`` and ``@type``."""

    var: str


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="aggregate"):
    """An aggregate over the rows of a group; nulls are skipped, ``count($x)`` counts bound rows."""

    function: AggregateName
    argument: PropertyRef | EntityRef


Operand = Value | ParamRef | PropertyRef
Projectable = Value | ParamRef | PropertyRef | EntityRef | Aggregate


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A variable over all nodes of a type."""

    var: str
    type_name: str


class Traversal(msgspec.Struct, frozen=True, kw_only=True):
    """Edges of a type between two variables.

    With ``hops`` (1, 1) it joins by edge endpoints: the set of endpoint pairs, or, with an edge
    variable, one row for each edge row. Beyond, it is shortest-distance reachability: each
    destination once for each source, visited nodes not expanded again, a self-loop counted at its
    hop. Source: languages 2.2.
    """

    source: str | None
    """The variable the edge leaves; None for ``$_``."""
    target: str | None
    """The variable it reaches; None for ``$_``."""
    edge_type: str
    edge_var: str | None = None
    hops: tuple[int, int] = (1, 1)
    anchor: Literal["source", "target"] = "source"
    """The endpoint that the text writes on the left: bounded reachability counts from it, along
    the edge when it is the source and against the edge when it is the target."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that a row must make true; a comparison with null never is."""

    left: Operand
    comparison: Comparison
    right: Operand


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the result."""

    name: str
    value: Projectable
    type: PropertyType | None
    """None for an entity."""


class OrderItem(msgspec.Struct, frozen=True, kw_only=True):
    """One ordering: an output by its position, or a property that is not returned."""

    output: int | None = None
    property: PropertyRef | None = None
    descending: bool = False
    """Nulls come first ascending and last descending."""


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """A declared parameter."""

    name: str
    type: PropertyType


class Fact(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A type that a query reads or writes."""

    kind: Literal["node", "edge"]
    type_name: str


class CheckedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query that fits its schema.

    Order is total: after the given items, ties are broken by the ``id`` of every bound variable in
    order of first appearance (by the group keys in an aggregate query).
    """

    name: str
    params: tuple[Param, ...]
    bindings: tuple[Binding, ...]
    """Every node variable with its type, in order of first appearance."""
    traversals: tuple[Traversal, ...]
    filters: tuple[Filter, ...]
    outputs: tuple[Output, ...]
    order: tuple[OrderItem, ...] = ()
    limit: int | None = None
    description: str | None = None
    instruction: str | None = None
    reads: tuple[Fact, ...] = ()

    @property
    def aggregates(self) -> bool:
        """Whether the rows are grouped by the outputs that are no aggregates."""
        return any(isinstance(o.value, Aggregate) for o in self.outputs)
