"""What a checked query means: its typed parts, ready to be run over any graph.

The checker makes these values and the engine runs them; neither sees the other. A read is a
pattern, projected or aggregated, ordered and limited; a mutation is a list of changes that are
made together.
"""

from typing import Literal

import msgspec

from agentctl.languages.schema.types import PlainValue, PropertyType

Comparison = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "starts_with"]
AggregateName = Literal["count", "sum", "avg", "min", "max"]
MetadataName = Literal["id", "type", "src", "dst"]


class Value(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="value"):
    """A literal. A Date is days, a DateTime milliseconds since 1970, both as int."""

    value: PlainValue | tuple[PlainValue, ...] | None
    """A tuple for a list or a vector."""
    type: PropertyType


class Now(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="now"):
    """The time of the execution: one DateTime for all of it."""


class ParamRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="param"):
    """The value of a declared parameter."""

    name: str
    type: PropertyType


class PropertyRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="property"):
    """A property of a bound node or edge."""

    var: str
    property: str
    type: PropertyType
    """Nullable also where the variable is optional."""


class MetadataRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="metadata"):
    """``$x.@id`` and its kind; a String."""

    var: str
    name: MetadataName
    type: PropertyType


class EntityRef(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="entity"):
    """A whole bound node: an object of its properties with ``@id`` and ``@type``."""

    var: str
    nullable: bool = False
    """Whether the variable is optional, so that there may be no object."""


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="aggregate"):
    """An aggregate over the rows of a group; nulls are skipped, ``count($x)`` counts bound rows.

    A literal or a parameter is taken once for each row: ``count(1)`` counts them.
    """

    function: AggregateName
    argument: PropertyRef | EntityRef | MetadataRef | Value | ParamRef


class Matches(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="matches"):
    """``count { … }``: how many matches a pattern has in the surrounding row; an I64."""

    pattern: "Pattern"
    type: PropertyType


class TextSearch(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="text_search"):
    """``search``, ``fuzzy``, ``match_text`` or ``bm25`` over one String property."""

    function: Literal["search", "fuzzy", "match_text", "bm25"]
    field: PropertyRef
    query: "Value | ParamRef | PropertyRef"
    max_edits: "Value | ParamRef | None" = None
    """Of ``fuzzy`` alone; None is the index's default."""


class Nearest(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="nearest"):
    """``nearest($x.v, query)``: the distance of a vector property to a vector or a text."""

    field: PropertyRef
    query: "Value | ParamRef"


class Fusion(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="rrf"):
    """``rrf(a, b, k)``: two ranks fused."""

    first: "TextSearch | Nearest"
    second: "TextSearch | Nearest"
    k: "Value | ParamRef | None" = None
    """None is 60."""


Operand = Value | Now | ParamRef | PropertyRef | MetadataRef | Matches
Projectable = Value | Now | ParamRef | PropertyRef | MetadataRef | EntityRef | Aggregate
Rank = TextSearch | Nearest | Fusion


class Filter(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="compare"):
    """A comparison that a row must make true; one with null never is.

    ``=`` of a list property with a scalar (an inline match) and ``contains`` of a list are
    membership.
    """

    left: Operand
    comparison: Comparison
    right: Operand


class Membership(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="in"):
    """``operand in list``: three-valued, unknown where nothing equals and a null is about."""

    operand: Operand
    values: Value | ParamRef
    """Of a list type."""


class NullTest(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="null"):
    """``operand is null``; two-valued."""

    operand: Operand | EntityRef
    negated: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="found"):
    """Whether a search function finds the row."""

    search: TextSearch


class Exists(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="exists"):
    """Whether a pattern has a match in the surrounding row."""

    pattern: "Pattern"


class Not(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="not"):
    """``not unknown`` is unknown."""

    condition: "Condition"


class Junction(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="junction"):
    """All (``and``) or any (``or``) of at least two conditions, in three-valued logic."""

    word: Literal["and", "or"]
    conditions: tuple["Condition", ...]


Condition = Filter | Membership | NullTest | Found | Exists | Not | Junction


class Binding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A variable over all nodes of a type."""

    var: str
    type_name: str


class Traversal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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
    alternatives: tuple[str, ...] = ()
    """Further edge types between the same endpoints, any of which may be taken."""
    undirected: bool = False
    """The edge is taken in both directions."""
    edge_var: str | None = None
    hops: tuple[int, int] = (1, 1)
    anchor: Literal["source", "target"] = "source"
    """The endpoint that the text writes on the left: bounded reachability counts from it, along
    the edge when it is the source and against the edge when it is the target."""


class Pattern(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a row must match. Inner patterns see the variables of the outer ones."""

    bindings: tuple[Binding, ...] = ()
    """Every node variable that this pattern introduces, in order of first appearance."""
    traversals: tuple[Traversal, ...] = ()
    filters: tuple[Condition, ...] = ()
    """All must be true."""
    negations: tuple["Pattern", ...] = ()
    """None may have a match."""
    optionals: tuple["Pattern", ...] = ()
    """Left joins, in order of the text; a later one sees the variables of an earlier one."""


class Output(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column of the result."""

    name: str
    value: Projectable
    type: PropertyType | None
    """None for an entity."""


class OrderItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ordering: exactly one of the first four."""

    output: int | None = None
    """Position of an output."""
    property: PropertyRef | MetadataRef | None = None
    """Something that is not returned."""
    aggregate: Aggregate | None = None
    """An aggregate that is not returned."""
    rank: Rank | None = None
    """A search rank; only the first item may be one."""
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


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """``property: value`` of an insert or update; of an edge insert also ``from`` and ``to``."""

    property: str
    value: Value | Now | ParamRef


class Insert(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="insert"):
    """A new row; of a keyed node an upsert."""

    target: Fact
    assignments: tuple[Assigned, ...]


class Update(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="update"):
    """New values for the rows of a node type that the condition makes true.

    The condition's properties are `PropertyRef` with the variable ``""``.
    """

    target: Fact
    assignments: tuple[Assigned, ...]
    condition: Condition


class Delete(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="delete"):
    """The rows that the condition makes true; of a node also its edges.

    Of an edge, ``from`` and ``to`` are `MetadataRef` ``src`` and ``dst``.
    """

    target: Fact
    condition: Condition


Mutation = Insert | Update | Delete


class CheckedQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A query that fits its schema.

    Order is total: after the given items, ties are broken by the ``id`` of every bound variable in
    order of first appearance (by the group keys in an aggregate query, by all columns in a
    distinct one).
    """

    name: str
    params: tuple[Param, ...]
    pattern: Pattern = Pattern()
    outputs: tuple[Output, ...] = ()
    """Empty for a mutation."""
    distinct: bool = False
    order: tuple[OrderItem, ...] = ()
    limit: int | ParamRef | None = None
    offset: int | ParamRef | None = None
    mutations: tuple[Mutation, ...] = ()
    """Empty for a read."""
    description: str | None = None
    instruction: str | None = None
    reads: tuple[Fact, ...] = ()
    """Sorted."""
    writes: tuple[Fact, ...] = ()
    """Sorted."""

    @property
    def aggregates(self) -> bool:
        """Whether the rows are grouped by the outputs that are no aggregates."""
        return any(isinstance(o.value, Aggregate) for o in self.outputs)

    @property
    def mutates(self) -> bool:
        """Whether it changes the graph."""
        return bool(self.mutations)
