"""What a `.pg` file says, before it is asked whether that makes sense.

The parser makes these values and the checker reads them; every name keeps its place.
"""

from typing import Literal as OneOf

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.schema.types import PropertyType

AnnotationValue = str | int | float | bool


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its place."""

    text: str
    where: Span


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """``@name`` or ``@name(value)``."""

    name: str
    value: AnnotationValue | Name | None
    where: Span


class PropertySyntax(msgspec.Struct, frozen=True, kw_only=True):
    """``name: Type? @annotation…``."""

    name: Name
    type: PropertyType
    type_where: Span
    annotations: tuple[Annotation, ...]


class ConstraintSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """``@key(a, b)`` or ``@index(a, b)`` in a body."""

    name: OneOf["key", "index"]
    columns: tuple[Name, ...]
    where: Span


class TypeSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """A declared node or edge type."""

    kind: OneOf["node", "edge"]
    name: Name
    source: Name | None = None
    """Of an edge: the node type it leaves."""
    target: Name | None = None
    annotations: tuple[Annotation, ...] = ()
    properties: tuple[PropertySyntax, ...] = ()
    constraints: tuple[ConstraintSyntax, ...] = ()
    whole: bool = True
    """False where the declaration has properties that are not seen here: it breaks off in a
    mistake, or takes some from an interface."""


class SchemaSyntax(msgspec.Struct, frozen=True, kw_only=True):
    """The declarations of a file, in its order."""

    types: tuple[TypeSyntax, ...] = ()
