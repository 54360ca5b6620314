"""What a `.gq` declaration says, before it is checked against a schema.

The parser makes these values and the checker reads them; whatever a diagnostic may point at keeps
its place. None of them can be part of a cycle, so that the garbage collector is spared them.
Source: languages 2.1, 3.1.
"""

from typing import Literal

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.query.plan import AggregateName, Comparison, MetadataName
from agentctl.languages.schema.types import PropertyType

SearchName = Literal["search", "fuzzy", "match_text", "bm25", "nearest", "rrf"]


class LiteralUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """A written value; a Date is days, a DateTime milliseconds since 1970."""

    value: str | int | float | bool | None
    type: PropertyType | None
    """None for ``null``."""
    where: Span


class ListUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``[a, b]``; whether the items are of one type is for the checker."""

    items: tuple["LiteralUse | ListUse", ...]
    where: Span


class NowUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``now()``: one DateTime for each execution."""

    where: Span


class VariableUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``$name``: a parameter or a bound variable."""

    name: str
    where: Span


class PropertyUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``$name.property``."""

    var: str
    property: str
    where: Span
    property_where: Span


class MetadataUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``$name.@id``."""

    var: str
    name: MetadataName
    where: Span
    name_where: Span


class NameUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """A bare name: in a read the alias of an output, in a mutation's `where` a property."""

    name: str
    where: Span


class AggregateUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``count(…)`` and its kind."""

    function: AggregateName
    argument: "Expression"
    where: Span


class SearchUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """A search or rank function; the parser has counted its arguments."""

    function: SearchName
    arguments: tuple["Expression", ...]
    where: Span


class CountUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``count { clause+ }`` as an operand: how many matches the block has."""

    clauses: tuple["Clause", ...]
    where: Span


Expression = (
    LiteralUse
    | ListUse
    | NowUse
    | VariableUse
    | PropertyUse
    | MetadataUse
    | NameUse
    | AggregateUse
    | SearchUse
    | CountUse
)


class CompareUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``left comparison right``."""

    left: Expression
    comparison: Comparison
    right: Expression
    where: Span


class InUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``operand in list``; the right side is a list literal or a variable."""

    operand: Expression
    values: Expression
    where: Span


class NullUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``operand is null`` or ``operand is not null``."""

    operand: Expression
    negated: bool
    where: Span


class CallUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """A bare ``search(…)``, ``fuzzy(…)`` or ``match_text(…)``: whether it is true."""

    call: SearchUse
    where: Span


class ExistsUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``exists { clause+ }``; a ``not { clause+ }`` in a boolean expression is a `NotUse` of it."""

    clauses: tuple["Clause", ...]
    where: Span


class NotUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``not condition``."""

    condition: "Condition"
    where: Span


class JunctionUse(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``a and b and …`` or ``a or b or …``; at least two, flat as far as written flat."""

    word: Literal["and", "or"]
    conditions: tuple["Condition", ...]
    where: Span


Condition = CompareUse | InUse | NullUse | CallUse | ExistsUse | NotUse | JunctionUse


class InlineMatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``property: value`` in the braces of a binding."""

    property: str
    value: LiteralUse | ListUse | NowUse | VariableUse
    where: Span
    """Of the property's name."""


class BindingClause(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``$var: Type { … }``."""

    var: VariableUse
    type_name: str
    type_where: Span
    matches: tuple[InlineMatch, ...] = ()


class Hops(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``{minimum,maximum}``; no maximum is written as None."""

    minimum: int
    maximum: int | None
    where: Span


class EdgeName(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An edge as a query spells it."""

    name: str
    where: Span


class TraversalClause(
    msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False
):
    """``$left edge $right``, or ``$left $edge_var:edge $right``."""

    left: VariableUse
    right: VariableUse
    edges: tuple[EdgeName, ...]
    """One, or the alternatives of ``(a | b)``."""
    undirected: bool = False
    """``<edge>``."""
    edge_var: VariableUse | None = None
    hops: Hops | None = None
    where: Span


class FilterClause(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """A condition on its own."""

    condition: Condition
    where: Span


class NotClause(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``not { clause+ }``: an anti-join; inner variables do not escape."""

    clauses: tuple["Clause", ...]
    where: Span


class OptionalClause(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``optional { clause+ }``: a left join; inner variables are null where nothing matched."""

    clauses: tuple["Clause", ...]
    where: Span


Clause = BindingClause | TraversalClause | FilterClause | NotClause | OptionalClause


class ReturnItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``expression as alias``."""

    value: Expression
    alias: str | None
    where: Span
    """Of the alias where there is one, else of the expression."""


class OrderSyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``expression asc|desc``."""

    value: Expression
    descending: bool
    where: Span


class ParamSyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``$name: Type``."""

    name: str
    type: PropertyType
    where: Span


class ReadBody(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``match { … } return { … } order { … } limit n offset n``."""

    clauses: tuple[Clause, ...]
    items: tuple[ReturnItem, ...]
    distinct: bool = False
    order: tuple[OrderSyntax, ...] = ()
    limit: LiteralUse | VariableUse | None = None
    offset: LiteralUse | VariableUse | None = None
    match_where: Span
    """Of the word ``match``."""
    return_where: Span
    """Of the word ``return``."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``property: value`` in a mutation."""

    property: str
    value: LiteralUse | ListUse | NowUse | VariableUse
    where: Span
    """Of the property's name."""


class InsertSyntax(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``insert Type { … }``."""

    type_name: str
    type_where: Span
    assignments: tuple[Assignment, ...]
    where: Span
    """Of the word ``insert``; so with the other two."""


class UpdateSyntax(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``update Type set { … } where condition``."""

    type_name: str
    type_where: Span
    assignments: tuple[Assignment, ...]
    condition: Condition
    where: Span


class DeleteSyntax(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """``delete Type where condition``."""

    type_name: str
    type_where: Span
    condition: Condition
    where: Span


MutationSyntax = InsertSyntax | UpdateSyntax | DeleteSyntax


class MutationBody(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", gc=False):
    """One or more mutations, made together."""

    mutations: tuple[MutationSyntax, ...]


class QueryDecl(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ``query`` declaration, read without a mistake."""

    name: str
    where: Span
    """Of the name."""
    params: tuple[ParamSyntax, ...]
    body: ReadBody | MutationBody
    description: str | None = None
    instruction: str | None = None
