"""Writes a catalog as plain `.pg` text; property tests read it back."""

import json

import msgspec

from agentctl.languages.schema.temporal import format_date, format_datetime
from agentctl.languages.schema.types import (
    Catalog,
    Check,
    Constraint,
    EdgeType,
    Index,
    InterfaceType,
    NodeType,
    PlainValue,
    Property,
    Range,
    Scalar,
    Unique,
)


def without_places(value: object) -> object:
    """Returns a catalog as plain values without its spans."""
    match value:
        case dict():
            return {k: without_places(v) for k, v in value.items() if k != "where"}
        case list() | tuple():
            return [without_places(v) for v in value]
        case msgspec.Struct():
            return without_places(msgspec.structs.asdict(value))
        case _:
            return value


def printed_schema(catalog: Catalog) -> str:
    """Returns the plain text of a catalog."""
    parts = [*map(_interface, catalog.interfaces), *map(_node, catalog.nodes)]
    return "\n".join([*parts, *map(_edge, catalog.edges)])


def _quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'


def _interface(declared: InterfaceType) -> str:
    body = [_property(p, " @index" if p.indexed else "") for p in declared.properties]
    return f"interface {declared.name} {{ {' '.join(body)} }}"


def _node(declared: NodeType) -> str:
    inherited = {p.name for p in declared.properties if not p.own}
    body = [_property(p) for p in declared.properties if p.own]
    body += [f"@key({', '.join(declared.key)})"] if declared.key else []
    body += [
        _constraint(c)
        for c in declared.constraints
        if not (isinstance(c, Index) and set(c.columns) <= inherited)
    ]
    faces = f" implements {', '.join(declared.implements)}" if declared.implements else ""
    return f"node {declared.name}{_annotations(declared)}{faces} {{ {' '.join(body)} }}"


def _edge(declared: EdgeType) -> str:
    body = [*map(_property, declared.properties), *map(_constraint, declared.constraints)]
    bounds = declared.cardinality
    return (
        f"edge {declared.name}: {declared.source} -> {declared.target}"
        f" @card({bounds.minimum}..{'' if bounds.maximum is None else bounds.maximum})"
        f"{_annotations(declared)}" + (f" {{ {' '.join(body)} }}" if body else "")
    )


def _annotations(declared: NodeType | EdgeType | Property) -> str:
    parts = [
        f" @{name}({_quoted(text)})"
        for name, text in (
            ("description", declared.description),
            ("instruction", getattr(declared, "instruction", None)),
            ("rename_from", declared.renamed_from),
        )
        if text is not None
    ]
    for o in declared.opaque:
        value = "" if o.value is None else f"({_literal(json.loads(o.value))}"
        arguments = "".join(f", {n} = {_literal(json.loads(v))}" for n, v in o.arguments)
        parts.append(f" @{o.name}{value}{arguments}{')' if value else ''}")
    return "".join(parts)


def _property(declared: Property, more: str = "") -> str:
    default = ""
    if declared.default is not None:
        value = declared.default.value
        shown = (
            f"[{', '.join(_value(v, declared.type.scalar) for v in value)}]"
            if isinstance(value, tuple)
            else _value(value, declared.type.scalar)
        )
        default = f" = {shown}"
    embed = ""
    if declared.embed is not None:
        model = f", model={_quoted(declared.embed.model)}" if declared.embed.model else ""
        embed = f" @embed({declared.embed.source}{model})"
    return f"{declared.name}: {declared.type}{default}{embed}{_annotations(declared)}{more}"


def _constraint(declared: Constraint) -> str:
    match declared:
        case Unique() | Index():
            word = "unique" if isinstance(declared, Unique) else "index"
            return f"@{word}({', '.join(declared.columns)})"
        case Range():
            high = "" if declared.maximum is None else declared.maximum
            return f"@range({declared.property}, {declared.minimum}..{high})"
        case Check():
            return f"@check({declared.property}, {_quoted(declared.pattern)})"


def _value(value: PlainValue, scalar: Scalar) -> str:
    if scalar is Scalar.DATE:
        assert isinstance(value, int)
        return f'date("{format_date(value)}")'
    if scalar is Scalar.DATETIME:
        assert isinstance(value, int)
        return f'datetime("{format_datetime(value)}")'
    return _literal(value)


def _literal(value: PlainValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)
