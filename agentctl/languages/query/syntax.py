"""What a `.gq` declaration says, before it is checked against a schema.

The parser makes these values and the checker reads them; whatever a diagnostic may point at keeps
its place. Only what this release runs has a form here.
"""

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.query.plan import AggregateName, Comparison
from agentctl.languages.schema.types import PropertyType


class LiteralUse(msgspec.Struct, frozen=True, kw_only=True):
    """A written value."""

    value: str | int | float | bool
    type: PropertyType
    where: Span


class VariableUse(msgspec.Struct, frozen=True, kw_only=True):
    """``$name``: a parameter or a bound variable."""

    name: str
    where: Span


class PropertyUse(msgspec.Struct, frozen=True, kw_only=True):
    """``$name.property``."""

    var: str
    property: str
    where: Span
    property_where: Span


class NameUse(msgspec.Struct, frozen=True, kw_only=True):
    """A bare name: the alias of an output."""

    name: str
    where: Span


class AggregateUse(msgspec.Struct, frozen=True, kw_only=True):
    """``count(…)`` and its kind; the parser has refused anything but a variable or property."""

    function: AggregateName
    argument: VariableUse | PropertyUse
    where: Span


Expression = LiteralUse | VariableUse | PropertyUse | NameUse | AggregateUse


class InlineMatch(msgspec.Struct, frozen=True, kw_only=True):
    """``property: value`` in the braces of a binding."""

    property: str
    value: LiteralUse | VariableUse
    where: Span
    """Of the property's name."""


class BindingClause(msgspec.Struct, frozen=True, kw_only=True):
    """``$var: Type { … }``."""

    var: VariableUse
    type_name: str
    type_where: Span
    matches: tuple[InlineMatch, ...] = ()


class Hops(msgspec.Struct, frozen=True, kw_only=True):
    """``{minimum,maximum}``; no maximum is written as None."""

    minimum: int
    maximum: int | None
    where: Span


class TraversalClause(msgspec.Struct, frozen=True, kw_only=True):
    """``$left edge $right``, or ``$left $edge_var:edge $right``."""

    left: VariableUse
    right: VariableUse
    edge: str
    edge_where: Span
    edge_var: VariableUse | None = None
    hops: Hops | None = None


class FilterClause(msgspec.Struct, frozen=True, kw_only=True):
    """``left comparison right``."""

    left: Expression
    comparison: Comparison
    right: Expression
    where: Span


Clause = BindingClause | TraversalClause | FilterClause


class ReturnItem(msgspec.Struct, frozen=True, kw_only=True):
    """``expression as alias``."""

    value: Expression
    alias: str | None
    where: Span
    """Of the alias where there is one, else of the expression."""


class OrderSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """``expression asc|desc``."""

    value: Expression
    descending: bool


class ParamSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """``$name: Type``."""

    name: str
    type: PropertyType
    where: Span


class QueryDecl(msgspec.Struct, frozen=True, kw_only=True):
    """One ``query`` declaration, read without a mistake."""

    name: str
    where: Span
    """Of the name."""
    params: tuple[ParamSyntax, ...]
    clauses: tuple[Clause, ...]
    items: tuple[ReturnItem, ...]
    order: tuple[OrderSyntax, ...] = ()
    limit: int | None = None
    description: str | None = None
    instruction: str | None = None
