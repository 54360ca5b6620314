"""What a `.pg` file says, before it is asked whether that makes sense.

The parser makes these values and the checker reads them; every name keeps its place. They refer to
no value made after them, so that the collector of cycles need not look at them.
Source: languages 1.1, 3.1.
"""

from typing import Literal as OneOf

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.schema.types import PropertyType

ConstraintName = OneOf["key", "unique", "index", "range", "check"]


class Name(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """A name and its place."""

    text: str
    where: Span


class Literal(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """A written scalar value; a Date is days, a DateTime milliseconds since 1970."""

    value: str | int | float | bool | None
    written: OneOf["text", "integer", "number", "bool", "date", "datetime", "null"]
    where: Span


class LiteralList(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """``[a, b]``: only of a default."""

    items: tuple[Literal, ...]
    where: Span


class AnnotationArgument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``name = literal`` of an annotation."""

    name: Name
    value: Literal


class Annotation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``@name`` or ``@name(value, key = literal, …)``."""

    name: str
    value: Literal | Name | None = None
    arguments: tuple[AnnotationArgument, ...] = ()
    where: Span


class PropertySyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``name: Type? (= literal)? @annotation…``."""

    name: Name
    type: PropertyType
    type_where: Span
    default: Literal | LiteralList | None = None
    annotations: tuple[Annotation, ...] = ()


class Bounds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``a..b``, either end open."""

    minimum: int | float | None
    maximum: int | float | None
    where: Span


class ConstraintSyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``@key(a, b)`` and its kind in a body."""

    name: ConstraintName
    columns: tuple[Name, ...]
    """Of a range or check: its one property."""
    bounds: Bounds | None = None
    pattern: Literal | None = None
    where: Span


class CardinalitySyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``@card(m..n)`` of an edge."""

    minimum: int
    maximum: int | None
    where: Span


class TypeSyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A declared interface, node or edge type."""

    kind: OneOf["interface", "node", "edge"]
    name: Name
    source: Name | None = None
    """Of an edge: the node type it leaves."""
    target: Name | None = None
    cardinality: CardinalitySyntax | None = None
    annotations: tuple[Annotation, ...] = ()
    implements: tuple[Name, ...] = ()
    properties: tuple[PropertySyntax, ...] = ()
    constraints: tuple[ConstraintSyntax, ...] = ()
    whole: bool = True
    """False where the declaration breaks off in a mistake, so that it has properties that are not
    seen here."""


class SchemaSyntax(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The declarations of a file, in its order."""

    types: tuple[TypeSyntax, ...] = ()
