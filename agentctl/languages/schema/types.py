"""What a schema means: the catalog of node and edge types that queries and graphs are checked against."""

import enum

import msgspec

from agentctl.diagnostics.span import Span


class Scalar(enum.Enum):
    """A base type. Source: languages 1.1."""

    STRING = "String"
    BLOB = "Blob"
    BOOL = "Bool"
    I32 = "I32"
    I64 = "I64"
    U32 = "U32"
    U64 = "U64"
    F32 = "F32"
    F64 = "F64"
    DATETIME = "DateTime"
    DATE = "Date"


INTEGERS = frozenset({Scalar.I32, Scalar.I64, Scalar.U32, Scalar.U64})
FLOATS = frozenset({Scalar.F32, Scalar.F64})
NUMERIC = INTEGERS | FLOATS


class PropertyType(msgspec.Struct, frozen=True, kw_only=True):
    """The type of a property, parameter or result column."""

    scalar: Scalar
    nullable: bool = False
    list: bool = False
    enum_values: tuple[str, ...] | None = None
    """Sorted and without repeats; the scalar is then `STRING`."""
    vector_dim: int | None = None
    """Set for ``Vector(n)``; the scalar is then `F32`."""

    def __str__(self) -> str:
        if self.enum_values is not None:
            name = f"enum({', '.join(self.enum_values)})"
        elif self.vector_dim is not None:
            name = f"Vector({self.vector_dim})"
        else:
            name = self.scalar.value
        return (f"[{name}]" if self.list else name) + ("?" if self.nullable else "")


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """One property of a node or edge type."""

    name: str
    type: PropertyType
    indexed: bool = False
    """Declared `@index` or part of the key."""
    description: str | None = None
    where: Span


class NodeType(msgspec.Struct, frozen=True, kw_only=True):
    """A node type; properties in the order of declaration."""

    name: str
    properties: tuple[Property, ...]
    key: tuple[str, ...] = ()
    """Property names of the `@key`; empty where ids are generated."""
    description: str | None = None
    instruction: str | None = None
    where: Span

    def property(self, name: str) -> Property | None:
        """Returns the property of that name."""
        return next((p for p in self.properties if p.name == name), None)


class EdgeType(msgspec.Struct, frozen=True, kw_only=True):
    """An edge type from *source* nodes to *target* nodes."""

    name: str
    source: str
    target: str
    properties: tuple[Property, ...]
    description: str | None = None
    instruction: str | None = None
    where: Span

    def property(self, name: str) -> Property | None:
        """Returns the property of that name."""
        return next((p for p in self.properties if p.name == name), None)


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """A whole schema; types in the order of declaration."""

    nodes: tuple[NodeType, ...] = ()
    edges: tuple[EdgeType, ...] = ()

    def node(self, name: str) -> NodeType | None:
        """Returns the node type of that name."""
        return next((n for n in self.nodes if n.name == name), None)

    def edge(self, name: str) -> EdgeType | None:
        """Returns the edge type of exactly that name."""
        return next((e for e in self.edges if e.name == name), None)
