"""A schema with stable identities: what a graph stores beside the exact text.

Type and property ids are ULIDs minted by the op that creates them, in declaration order; a kept
name keeps its id, a dropped and re-added one is new. Each property names its column: its name when
it was created, ``<name>~<id>`` where a dropped column of that name remains. Source: graph-engine 1.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.span import Span
from agentctl.languages.schema.types import (
    Catalog,
    EdgeType,
    NodeType,
    Property,
    PropertyType,
    Scalar,
)


class IrProperty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A property with its identity and its column."""

    id: str
    name: str
    column: str
    scalar: str
    nullable: bool
    indexed: bool
    description: str | None = None


class IrType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node or edge type with its identity; its dataset is ``<id>.lance``."""

    id: str
    kind: Literal["node", "edge"]
    name: str
    key: tuple[str, ...] = ()
    """Names of the key's properties; empty for edges and unkeyed nodes."""
    source: str | None = None
    """Of an edge: the name of the node type it leaves."""
    target: str | None = None
    properties: tuple[IrProperty, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    """Columns of soft-dropped properties that remain in the dataset."""
    description: str | None = None
    instruction: str | None = None


class SchemaIr(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All types of a schema, in declaration order."""

    version: Literal[1] = 1
    types: tuple[IrType, ...] = ()

    def type_named(self, kind: str, name: str) -> IrType | None:
        """Returns the type of that kind and name."""
        return next((t for t in self.types if t.kind == kind and t.name == name), None)


def ir_bytes(ir: SchemaIr) -> bytes:
    """Returns the canonical bytes that are stored and hashed."""
    return canonical_bytes(ir)


def ir_digest(ir: SchemaIr) -> str:
    """Returns the SHA-256 of `ir_bytes`, in hex."""
    return sha256_hex(ir_bytes(ir))


def decode_ir(data: bytes) -> SchemaIr:
    """Returns the IR of *data*.

    Raises:
        msgspec.DecodeError: the bytes have another form.
    """
    return msgspec.json.decode(data, type=SchemaIr)


def evolve_ir(old: SchemaIr | None, catalog: Catalog, mint: Callable[[], str]) -> SchemaIr:
    """Returns the IR of *catalog*, with the identities of *old* kept where kind and name are equal.

    Args:
        old: the IR in force, or None for a new graph.
        catalog: the wanted schema.
        mint: gives the next new id, each time another one.
    """
    types: list[IrType] = []
    for node in catalog.nodes:
        before = old.type_named("node", node.name) if old else None
        types.append(_evolve_type(before, node, mint))
    for edge in catalog.edges:
        before = old.type_named("edge", edge.name) if old else None
        types.append(_evolve_type(before, edge, mint))
    return SchemaIr(types=tuple(types))


def catalog_of(ir: SchemaIr) -> Catalog:
    """Returns the catalog that *ir* stands for; its spans point into the stored IR."""
    where = Span(file="(stored schema)", line=1, column=1, end_line=1, end_column=1)
    nodes: list[NodeType] = []
    edges: list[EdgeType] = []
    for t in ir.types:
        properties = tuple(
            Property(
                name=p.name,
                type=PropertyType(scalar=Scalar(p.scalar), nullable=p.nullable),
                indexed=p.indexed,
                description=p.description,
                where=where,
            )
            for p in t.properties
        )
        if t.kind == "node":
            nodes.append(
                NodeType(
                    name=t.name,
                    properties=properties,
                    key=t.key,
                    description=t.description,
                    instruction=t.instruction,
                    where=where,
                )
            )
        else:
            assert t.source is not None
            assert t.target is not None
            edges.append(
                EdgeType(
                    name=t.name,
                    source=t.source,
                    target=t.target,
                    properties=properties,
                    description=t.description,
                    instruction=t.instruction,
                    where=where,
                )
            )
    return Catalog(nodes=tuple(nodes), edges=tuple(edges))


def _evolve_type(
    before: IrType | None, now: NodeType | EdgeType, mint: Callable[[], str]
) -> IrType:
    type_id = before.id if before else mint()
    kept = {p.name: p for p in before.properties} if before else {}
    wanted = {p.name for p in now.properties}
    dropped = set(before.dropped_columns) if before else set()
    dropped |= {p.column for p in kept.values() if p.name not in wanted}
    taken = dropped | {p.column for p in kept.values()}
    properties = tuple(_evolve_property(kept.get(p.name), p, taken, mint) for p in now.properties)
    edge = now if isinstance(now, EdgeType) else None
    return IrType(
        id=type_id,
        kind="edge" if edge else "node",
        name=now.name,
        key=now.key if isinstance(now, NodeType) else (),
        source=edge.source if edge else None,
        target=edge.target if edge else None,
        properties=properties,
        dropped_columns=tuple(sorted(dropped)),
        description=now.description,
        instruction=now.instruction,
    )


def _evolve_property(
    before: IrProperty | None, now: Property, taken: set[str], mint: Callable[[], str]
) -> IrProperty:
    if before is None:
        new_id = mint()
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
        description=now.description,
    )
