"""A schema with stable identities: what a graph stores beside the exact text.

Type and property ids are ULIDs minted by the op that creates them, in declaration order: of
interfaces, then nodes, then edges. A kept or renamed one keeps its id, a dropped and re-added one
is new. Each property names its column: its name when it was created, ``<name>~<id>`` where another
column of that name remains. Version 2 holds the whole catalog; version 1 is read (`ir_v1`) and
written nowhere. Source: graph-engine 1, languages 1.5, ADR 7.
"""

import json
from collections.abc import Callable
from typing import Final, Literal, cast

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.span import Span
from agentctl.languages.schema.ir_v1 import IrTypeV1, SchemaIrV1
from agentctl.languages.schema.lineage import Declared, Lineage, TypeKind, lineage_of
from agentctl.languages.schema.types import (
    FLOATS,
    Cardinality,
    Catalog,
    Check,
    Constraint,
    Default,
    EdgeType,
    Embed,
    Index,
    InterfaceType,
    NodeType,
    Opaque,
    PlainValue,
    Property,
    PropertyType,
    Range,
    Scalar,
    Unique,
)

STORED: Final = Span(file="(stored schema)", line=1, column=1, end_line=1, end_column=1)
"""Where everything of a stored schema stands."""


class IrProperty(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A property with its identity and its column."""

    id: str
    name: str
    column: str
    scalar: str
    nullable: bool
    indexed: bool
    list: bool = False
    enum_values: tuple[str, ...] | None = None
    vector_dim: int | None = None
    default: str | None = None
    """As JSON text, because numbers of 64 bits have no canonical form as JSON numbers."""
    embed: Embed | None = None
    description: str | None = None
    opaque: tuple[Opaque, ...] = ()
    inherited_from: tuple[str, ...] = ()
    own: bool = True

    @property
    def type(self) -> PropertyType:
        """The type as the catalog has it."""
        return PropertyType(
            scalar=Scalar(self.scalar),
            nullable=self.nullable,
            list=self.list,
            enum_values=self.enum_values,
            vector_dim=self.vector_dim,
        )


class IrConstraint(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A constraint beyond the key, by the names of its properties."""

    kind: Literal["unique", "index", "range", "check"]
    columns: tuple[str, ...]
    """Of a range or check: the one property."""
    minimum: str | None = None
    """Of a range, as JSON text."""
    maximum: str | None = None
    pattern: str | None = None


class IrType(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A type with its identity; the dataset of a node or edge type is ``<id>.lance``."""

    id: str
    kind: Literal["interface", "node", "edge"]
    name: str
    key: tuple[str, ...] = ()
    """Names of the key's properties; empty for edges and unkeyed nodes."""
    source: str | None = None
    """Of an edge: the name of the node type it leaves."""
    target: str | None = None
    cardinality: Cardinality = Cardinality()
    implements: tuple[str, ...] = ()
    properties: tuple[IrProperty, ...] = ()
    constraints: tuple[IrConstraint, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    """Columns of soft-dropped properties that remain in the dataset."""
    description: str | None = None
    instruction: str | None = None
    opaque: tuple[Opaque, ...] = ()


class SchemaIr(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All types of a schema, in declaration order."""

    version: Literal[2] = 2
    types: tuple[IrType, ...] = ()
    """Nodes, then edges: those that have datasets."""
    interfaces: tuple[IrType, ...] = ()

    def type_named(self, kind: str, name: str) -> IrType | None:
        """Returns the type of that kind and name."""
        among = self.interfaces if kind == "interface" else self.types
        return next((t for t in among if t.kind == kind and t.name == name), None)


def ir_bytes(ir: SchemaIr) -> bytes:
    """Returns the canonical bytes that are stored and hashed."""
    return canonical_bytes(ir)


def ir_digest(ir: SchemaIr) -> str:
    """Returns the SHA-256 of `ir_bytes`, in hex."""
    return sha256_hex(ir_bytes(ir))


def decode_ir(data: bytes) -> SchemaIr:
    """Returns the IR of *data*, whichever version wrote it.

    Raises:
        msgspec.DecodeError: the bytes have another form.
    """
    if msgspec.json.decode(data, type=_Version).version == 1:
        old = msgspec.json.decode(data, type=SchemaIrV1)
        return SchemaIr(types=tuple(_type_of_v1(t) for t in old.types))
    return msgspec.json.decode(data, type=SchemaIr)


def evolve_ir(old: SchemaIr | None, catalog: Catalog, mint: Callable[[], str]) -> SchemaIr:
    """Returns the IR of *catalog*, with the identities of *old* kept as `lineage_of` traces them.

    Args:
        old: the IR in force, or None for a new graph.
        catalog: the wanted schema.
        mint: gives the next new id, each time another one.
    """
    before = old if old is not None else SchemaIr()
    evolving = _Evolving(before, lineage_of(catalog_of(before), catalog), mint)
    interfaces = tuple(evolving.type("interface", t) for t in catalog.interfaces)
    nodes = tuple(evolving.type("node", t) for t in catalog.nodes)
    edges = tuple(evolving.type("edge", t) for t in catalog.edges)
    return SchemaIr(types=(*nodes, *edges), interfaces=interfaces)


def catalog_of(ir: SchemaIr) -> Catalog:
    """Returns the catalog that *ir* stands for; its spans point into the stored IR."""
    return Catalog(
        nodes=tuple(_node_of(t) for t in ir.types if t.kind == "node"),
        edges=tuple(_edge_of(t) for t in ir.types if t.kind == "edge"),
        interfaces=tuple(
            InterfaceType(
                name=t.name,
                properties=_properties_of(t),
                constraints=_constraints_of(t),
                key=t.key,
                where=STORED,
            )
            for t in ir.interfaces
        ),
    )


def json_text(value: object) -> str:
    """Returns a default or a bound as the IR stores it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    version: int


class _Evolving:
    def __init__(self, old: SchemaIr, lineage: Lineage, mint: Callable[[], str]) -> None:
        self.old = old
        self.lineage = lineage
        self.mint = mint

    def type(self, kind: TypeKind, now: Declared) -> IrType:
        name = self.lineage.types.get((kind, now.name))
        before = self.old.type_named(kind, name) if name is not None else None
        type_id = before.id if before else self.mint()
        old = {p.name: p for p in before.properties} if before else {}
        kept = {
            p.name: old[self.lineage.properties[kind, now.name, p.name]]
            for p in now.properties
            if (kind, now.name, p.name) in self.lineage.properties
        }
        dropped = set(before.dropped_columns) if before else set()
        dropped |= {p.column for p in old.values()} - {p.column for p in kept.values()}
        taken = dropped | {p.column for p in old.values()}
        properties = tuple(self._property(kept.get(p.name), p, taken) for p in now.properties)
        edge = now if isinstance(now, EdgeType) else None
        told = None if isinstance(now, InterfaceType) else now
        return IrType(
            id=type_id,
            kind=kind,
            name=now.name,
            key=() if isinstance(now, EdgeType) else now.key,
            source=edge.source if edge else None,
            target=edge.target if edge else None,
            cardinality=edge.cardinality if edge else Cardinality(),
            implements=now.implements if isinstance(now, NodeType) else (),
            properties=properties,
            constraints=tuple(_ir_constraint(c) for c in now.constraints),
            dropped_columns=tuple(sorted(dropped)),
            description=told.description if told else None,
            instruction=told.instruction if told else None,
            opaque=told.opaque if told else (),
        )

    def _property(self, before: IrProperty | None, now: Property, taken: set[str]) -> IrProperty:
        if before is None:
            new_id = self.mint()
            column = now.name if now.name not in taken else f"{now.name}~{new_id}"
        else:
            new_id, column = before.id, before.column
        return IrProperty(
            id=new_id,
            name=now.name,
            column=column,
            scalar=now.type.scalar.value,
            nullable=now.type.nullable,
            indexed=now.indexed,
            list=now.type.list,
            enum_values=now.type.enum_values,
            vector_dim=now.type.vector_dim,
            default=None if now.default is None else json_text(now.default.value),
            embed=now.embed,
            description=now.description,
            opaque=now.opaque,
            inherited_from=now.inherited_from,
            own=now.own,
        )


def _ir_constraint(constraint: Constraint) -> IrConstraint:
    match constraint:
        case Unique(columns=columns):
            return IrConstraint(kind="unique", columns=columns)
        case Index(columns=columns):
            return IrConstraint(kind="index", columns=columns)
        case Range(property=name, minimum=minimum, maximum=maximum):
            return IrConstraint(
                kind="range",
                columns=(name,),
                minimum=None if minimum is None else json_text(minimum),
                maximum=None if maximum is None else json_text(maximum),
            )
        case Check(property=name, pattern=pattern):
            return IrConstraint(kind="check", columns=(name,), pattern=pattern)


def _type_of_v1(t: IrTypeV1) -> IrType:
    """Its indexes were of single properties, as far as version 1 tells."""
    properties = tuple(
        IrProperty(
            id=p.id,
            name=p.name,
            column=p.column,
            scalar=p.scalar,
            nullable=p.nullable,
            indexed=p.indexed,
            description=p.description,
        )
        for p in t.properties
    )
    return IrType(
        id=t.id,
        kind=t.kind,
        name=t.name,
        key=t.key,
        source=t.source,
        target=t.target,
        properties=properties,
        constraints=tuple(
            IrConstraint(kind="index", columns=(p.name,))
            for p in properties
            if p.indexed and p.name not in t.key
        ),
        dropped_columns=t.dropped_columns,
        description=t.description,
        instruction=t.instruction,
    )


def _node_of(t: IrType) -> NodeType:
    return NodeType(
        name=t.name,
        properties=_properties_of(t),
        key=t.key,
        implements=t.implements,
        constraints=_constraints_of(t),
        description=t.description,
        instruction=t.instruction,
        opaque=t.opaque,
        where=STORED,
    )


def _edge_of(t: IrType) -> EdgeType:
    assert t.source is not None
    assert t.target is not None
    return EdgeType(
        name=t.name,
        source=t.source,
        target=t.target,
        properties=_properties_of(t),
        cardinality=t.cardinality,
        constraints=_constraints_of(t),
        description=t.description,
        instruction=t.instruction,
        opaque=t.opaque,
        where=STORED,
    )


def _properties_of(t: IrType) -> tuple[Property, ...]:
    return tuple(
        Property(
            name=p.name,
            type=p.type,
            indexed=p.indexed,
            default=default_of(p),
            embed=p.embed,
            description=p.description,
            opaque=p.opaque,
            inherited_from=p.inherited_from,
            own=p.own,
            where=STORED,
        )
        for p in t.properties
    )


def default_of(prop: IrProperty) -> Default | None:
    """Returns the default of a stored property, as the catalog has it."""
    if prop.default is None:
        return None
    value = json.loads(prop.default)
    floats = Scalar(prop.scalar) in FLOATS
    if isinstance(value, list):
        items = cast("list[PlainValue]", value)
        return Default(value=tuple(float(v) if floats else v for v in items))
    return Default(value=float(value) if floats else value)


def _constraints_of(t: IrType) -> tuple[Constraint, ...]:
    return tuple(constraint_of(c) for c in t.constraints)


def constraint_of(stored: IrConstraint) -> Constraint:
    """Returns a stored constraint as the catalog has it."""
    match stored.kind:
        case "unique":
            return Unique(columns=stored.columns, where=STORED)
        case "index":
            return Index(columns=stored.columns, where=STORED)
        case "range":
            return Range(
                property=stored.columns[0],
                minimum=None if stored.minimum is None else json.loads(stored.minimum),
                maximum=None if stored.maximum is None else json.loads(stored.maximum),
                where=STORED,
            )
        case "check":
            assert stored.pattern is not None
            return Check(property=stored.columns[0], pattern=stored.pattern, where=STORED)
