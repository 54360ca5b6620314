"""A stored type or property as `.pg` declares it, on one line; the formatter would write it so.

A key, unique or index of one property stands behind it, every other constraint in the type's body.
Properties are declarations of their own, so the body of a type leaves them out. Constraints and
interfaces are sorted: their order declares nothing.
"""

import json
from collections.abc import Iterator
from typing import Final, cast

from agentctl.languages.schema.ir import IrConstraint, IrProperty, IrType, default_of
from agentctl.languages.schema.temporal import (
    DATE_DAYS_MAX,
    DATE_DAYS_MIN,
    DATETIME_MS_MAX,
    DATETIME_MS_MIN,
    format_date,
    format_datetime,
)
from agentctl.languages.schema.types import Cardinality, Opaque, PlainValue, Scalar

_ESCAPES: Final = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def type_declaration(ir_type: IrType) -> str:
    """Returns a type without its properties, e.g. ``node Person { @key(first, last) }``."""
    named = f"{ir_type.kind} {ir_type.name}"
    if ir_type.kind == "edge":
        named += f": {ir_type.source} -> {ir_type.target}{_card(ir_type.cardinality)}"
    told = _told("description", ir_type.description) + _told("instruction", ir_type.instruction)
    faces = f" implements {', '.join(sorted(ir_type.implements))}" if ir_type.implements else ""
    body = " ".join(_body(ir_type))
    braces = f" {{ {body} }}" if body else "" if ir_type.kind == "edge" else " {}"
    return f"{named}{told}{_opaques(ir_type.opaque)}{faces}{braces}"


def property_declaration(ir_type: IrType, prop: IrProperty) -> str:
    """Returns a property of *ir_type*, e.g. ``name: String @key``."""
    default = default_of(prop)
    value = "" if default is None else f" = {_default(default.value, Scalar(prop.scalar))}"
    marks = " @key" if ir_type.key == (prop.name,) else ""
    alone = {c.kind for c in ir_type.constraints if c.columns == (prop.name,)}
    marks += "".join(f" @{kind}" for kind in _marks(prop) if kind in alone)
    if prop.embed is not None:
        model = f", model={_quoted(prop.embed.model)}" if prop.embed.model else ""
        marks += f" @embed({prop.embed.source}{model})"
    told = _told("description", prop.description)
    return f"{prop.name}: {prop.type}{value}{marks}{told}{_opaques(prop.opaque)}"


def _body(ir_type: IrType) -> Iterator[str]:
    """Yields what a body says besides properties."""
    if len(ir_type.key) > 1:
        yield f"@key({', '.join(ir_type.key)})"
    marked = {(kind, (p.name,)) for p in ir_type.properties for kind in _marks(p)}
    yield from sorted(
        _constraint(stored)
        for stored in ir_type.constraints
        if (stored.kind, stored.columns) not in marked
    )


def _marks(prop: IrProperty) -> tuple[str, ...]:
    """Returns what may stand behind it; where a list is unique or indexed, the body says so."""
    if prop.list:
        return ()
    return ("unique", "index") if prop.vector_dim is None else ("index",)


def _constraint(stored: IrConstraint) -> str:
    columns = ", ".join(stored.columns)
    match stored.kind:
        case "unique" | "index":
            return f"@{stored.kind}({columns})"
        case "range":
            return f"@range({columns}, {_bound(stored.minimum)}..{_bound(stored.maximum)})"
        case "check":
            return f"@check({columns}, {_quoted(stored.pattern or '')})"


def _bound(stored: str | None) -> str:
    return "" if stored is None else _literal(json.loads(stored))


def _card(bounds: Cardinality) -> str:
    if bounds == Cardinality():
        return ""
    return f" @card({bounds.minimum}..{'' if bounds.maximum is None else bounds.maximum})"


def _told(name: str, text: str | None) -> str:
    return "" if text is None else f" @{name}({_quoted(text)})"


def _opaques(opaque: tuple[Opaque, ...]) -> str:
    return "".join(f" @{o.name}{_arguments(o)}" for o in opaque)


def _arguments(opaque: Opaque) -> str:
    given = [] if opaque.value is None else [_json_literal(opaque.value)]
    given += [f"{name}={_json_literal(value)}" for name, value in opaque.arguments]
    return f"({', '.join(given)})" if given else ""


def _json_literal(text: str) -> str:
    return _literal(cast("PlainValue", json.loads(text)))


def _default(value: PlainValue | tuple[PlainValue, ...], scalar: Scalar) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item, scalar) for item in value)}]"
    return _value(value, scalar)


def _value(value: PlainValue, scalar: Scalar) -> str:
    """Returns a value of *scalar*; a time that no calendar has stays the number it is stored as."""
    if not isinstance(value, int):
        return _literal(value)
    if scalar is Scalar.DATE and DATE_DAYS_MIN <= value <= DATE_DAYS_MAX:
        return f'date("{format_date(value)}")'
    if scalar is Scalar.DATETIME and DATETIME_MS_MIN <= value <= DATETIME_MS_MAX:
        return f'datetime("{format_datetime(value)}")'
    return _literal(value)


def _literal(value: PlainValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
