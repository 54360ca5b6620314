"""The shape of a schema: what remains when formatting, comments and order are taken away.

Everything is sorted by name, the columns of a constraint too; no identity, no place and no rename
hint is in it, so that two texts have one digest exactly where they declare the same.
Source: languages 1.5.

The bytes are compact JSON with sorted keys, and of texts, integers below 2^53 and booleans only, so
that every encoder makes the same.
"""

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.languages.schema.types import (
    Catalog,
    Check,
    Constraint,
    EdgeType,
    Index,
    InterfaceType,
    NodeType,
    Opaque,
    PlainValue,
    Property,
    Range,
    Unique,
)


def shape_digest(catalog: Catalog) -> str:
    """Returns ``sha256:`` and the digest of the shape of a schema."""
    return "sha256:" + sha256_hex(msgspec.json.encode(shape_of(catalog), order="sorted"))


def shape_of(catalog: Catalog) -> dict[str, object]:
    """Returns the shape as plain JSON; numbers are texts, as JSON has no 64-bit integers."""
    return {
        "version": 2,
        "interfaces": [_interface(i) for i in sorted(catalog.interfaces, key=_name)],
        "nodes": [_node(n) for n in sorted(catalog.nodes, key=_name)],
        "edges": [_edge(e) for e in sorted(catalog.edges, key=_name)],
    }


def _name(declared: NodeType | EdgeType | InterfaceType | Property) -> str:
    return declared.name


def _interface(declared: InterfaceType) -> dict[str, object]:
    return {
        "name": declared.name,
        "key": sorted(declared.key),
        "constraints": _constraints(declared.constraints),
        "properties": _properties(declared.properties),
    }


def _node(declared: NodeType) -> dict[str, object]:
    return {
        "name": declared.name,
        "annotations": _annotations(declared),
        "implements": sorted(declared.implements),
        "key": sorted(declared.key),
        "constraints": _constraints(declared.constraints),
        "properties": _properties(declared.properties),
    }


def _edge(declared: EdgeType) -> dict[str, object]:
    return {
        "name": declared.name,
        "source": declared.source,
        "target": declared.target,
        "cardinality": [
            declared.cardinality.minimum,
            declared.cardinality.maximum,
        ],
        "annotations": _annotations(declared),
        "constraints": _constraints(declared.constraints),
        "properties": _properties(declared.properties),
    }


def _properties(properties: tuple[Property, ...]) -> list[dict[str, object]]:
    return [_property(p) for p in sorted(properties, key=_name)]


def _property(declared: Property) -> dict[str, object]:
    shape: dict[str, object] = {
        "name": declared.name,
        "scalar": declared.type.scalar.value,
        "nullable": declared.type.nullable,
    }
    if declared.type.list:
        shape["list"] = True
    if declared.type.enum_values is not None:
        shape["enum"] = list(declared.type.enum_values)
    if declared.type.vector_dim is not None:
        shape["dimension"] = declared.type.vector_dim
    if declared.default is not None:
        value = declared.default.value
        shape["default"] = [_plain(v) for v in value] if isinstance(value, tuple) else _plain(value)
    if declared.embed is not None:
        shape["embed"] = [declared.embed.source, declared.embed.model]
    if declared.description is not None:
        shape["description"] = declared.description
    if declared.opaque:
        shape["opaque"] = _opaque(declared.opaque)
    return shape


def _annotations(declared: NodeType | EdgeType) -> dict[str, object]:
    return {
        "description": declared.description,
        "instruction": declared.instruction,
        "opaque": _opaque(declared.opaque),
    }


def _opaque(opaque: tuple[Opaque, ...]) -> list[object]:
    return [[o.name, o.value, [list(a) for a in o.arguments]] for o in opaque]


def _constraints(constraints: tuple[Constraint, ...]) -> list[list[object]]:
    return sorted((_constraint(c) for c in constraints), key=msgspec.json.encode)


def _constraint(constraint: Constraint) -> list[object]:
    match constraint:
        case Unique():
            return ["unique", list(constraint.columns)]
        case Index():
            return ["index", list(constraint.columns)]
        case Range():
            return [
                "range",
                constraint.property,
                _bound(constraint.minimum),
                _bound(constraint.maximum),
            ]
        case Check():
            return ["check", constraint.property, constraint.pattern]


def _bound(value: float | None) -> str | None:
    """Returns a bound so that ``5`` and ``5.0`` are one."""
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _plain(value: PlainValue) -> str | bool:
    return value if isinstance(value, str | bool) else repr(value)
