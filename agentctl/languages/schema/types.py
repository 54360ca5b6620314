"""What a schema means: the catalog of types that queries, plans and graphs are checked against."""

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

PlainValue = str | int | float | bool
"""A value of a scalar: a Date is days, a DateTime milliseconds since 1970, both as int."""


class PropertyType(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


class Default(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The value of rows that do not give one: ``prop: T = literal``. Source: languages 3.1."""

    value: PlainValue | tuple[PlainValue, ...]
    """A tuple for a list or a vector."""


class Embed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``@embed(source, model="…")`` of a vector property."""

    source: str
    """The property of the same node whose text is embedded."""
    model: str | None = None


class Opaque(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """An annotation that the language carries and does not understand. Source: languages 1.3."""

    name: str
    value: str | None = None
    """As canonical JSON text, so that ``"1"`` and ``1`` differ; None where it has none."""
    arguments: tuple[tuple[str, str], ...] = ()
    """Keyword arguments, sorted by name, values as canonical JSON text."""


class Property(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One property of a node or edge type."""

    name: str
    type: PropertyType
    indexed: bool = False
    """Declared `@index` alone, or part of the key."""
    default: Default | None = None
    embed: Embed | None = None
    description: str | None = None
    opaque: tuple[Opaque, ...] = ()
    """Sorted."""
    renamed_from: str | None = None
    """What `@rename_from` says; a hint for the planner, not part of the shape."""
    inherited_from: tuple[str, ...] = ()
    """Interfaces that declare it, sorted; with `own` False it stands in the interfaces alone."""
    own: bool = True
    """Whether the type's own body declares it."""
    where: Span


class Unique(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """No two rows have the same values; a tuple with a null is exempt."""

    columns: tuple[str, ...]
    """Sorted; on edges ``src`` and ``dst`` too."""
    where: Span


class Index(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """An index over columns; those of one column are `Property.indexed` as well."""

    columns: tuple[str, ...]
    """Sorted."""
    where: Span


class Range(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """Values of a numeric property lie within the bounds, both included."""

    property: str
    minimum: int | float | None = None
    maximum: int | float | None = None
    where: Span


class Check(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="is"):
    """Values of a String property match a regular expression somewhere."""

    property: str
    pattern: str
    where: Span


Constraint = Unique | Index | Range | Check
"""A constraint beyond the key, which is a field of the node type."""


class Cardinality(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many edges of a type leave one source node. Source: languages 1.3."""

    minimum: int = 0
    maximum: int | None = None
    """None is unbounded."""


class InterfaceType(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An interface; its properties are injected into the nodes that implement it."""

    name: str
    properties: tuple[Property, ...]
    constraints: tuple[Constraint, ...] = ()
    """Of property-level annotations; a property-level ``@key`` stands in `key`."""
    key: tuple[str, ...] = ()
    where: Span

    def property(self, name: str) -> Property | None:
        """Returns the property of that name."""
        return next((p for p in self.properties if p.name == name), None)


class NodeType(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A node type; its own properties in the order of declaration, then the inherited ones."""

    name: str
    properties: tuple[Property, ...]
    key: tuple[str, ...] = ()
    """Property names of the `@key`; empty where ids are generated."""
    implements: tuple[str, ...] = ()
    """Names of interfaces, in the order written."""
    constraints: tuple[Constraint, ...] = ()
    """Without the key; in the order of declaration, without repeats."""
    description: str | None = None
    instruction: str | None = None
    opaque: tuple[Opaque, ...] = ()
    renamed_from: str | None = None
    where: Span

    def property(self, name: str) -> Property | None:
        """Returns the property of that name."""
        return next((p for p in self.properties if p.name == name), None)


class EdgeType(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An edge type from *source* nodes to *target* nodes."""

    name: str
    source: str
    target: str
    properties: tuple[Property, ...]
    cardinality: Cardinality = Cardinality()
    constraints: tuple[Constraint, ...] = ()
    description: str | None = None
    instruction: str | None = None
    opaque: tuple[Opaque, ...] = ()
    renamed_from: str | None = None
    where: Span

    def property(self, name: str) -> Property | None:
        """Returns the property of that name."""
        return next((p for p in self.properties if p.name == name), None)


class Catalog(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A whole schema; types in the order of declaration."""

    nodes: tuple[NodeType, ...] = ()
    edges: tuple[EdgeType, ...] = ()
    interfaces: tuple[InterfaceType, ...] = ()

    def node(self, name: str) -> NodeType | None:
        """Returns the node type of that name."""
        return next((n for n in self.nodes if n.name == name), None)

    def edge(self, name: str) -> EdgeType | None:
        """Returns the edge type of exactly that name."""
        return next((e for e in self.edges if e.name == name), None)

    def interface(self, name: str) -> InterfaceType | None:
        """Returns the interface of that name."""
        return next((i for i in self.interfaces if i.name == name), None)
