"""The JSON forms of schema parts inside migration steps. Source: control-plane 2.

A plan is hashed over its canonical JSON, which has no integers beyond 2^53: those travel as decimal
strings, as they do in results.
"""

import json
from typing import Final

from agentctl.languages.schema.lineage import Declared
from agentctl.languages.schema.types import (
    Cardinality,
    Check,
    Constraint,
    Default,
    Index,
    InterfaceType,
    Opaque,
    Property,
    PropertyType,
    Range,
    Unique,
)

SAFE_INTEGER: Final = (1 << 53) - 1

Json = dict[str, object]


def type_wire(t: PropertyType) -> Json:
    """Returns a property type; an enum's values are null where it is none."""
    scalar: object = t.scalar.value if t.vector_dim is None else {"Vector": t.vector_dim}
    return {
        "scalar": scalar,
        "nullable": t.nullable,
        "list": t.list,
        "enum_values": None if t.enum_values is None else list(t.enum_values),
    }


def constraint_wire(constraint: Constraint) -> Json:
    """Returns a constraint, tagged from outside: ``{"Index": ["a"]}``."""
    match constraint:
        case Unique(columns=columns):
            return {"Unique": list(columns)}
        case Index(columns=columns):
            return {"Index": list(columns)}
        case Range(property=name, minimum=minimum, maximum=maximum):
            return {"Range": {"property": name, "min": number(minimum), "max": number(maximum)}}
        case Check(property=name, pattern=pattern):
            return {"Check": {"property": name, "pattern": pattern}}


def cardinality_wire(cardinality: Cardinality) -> Json:
    """Returns a cardinality; ``max`` is null where it is unbounded."""
    return {"min": cardinality.minimum, "max": cardinality.maximum}


def default_wire(default: Default | None) -> object:
    """Returns the value of a default, null where there is none."""
    if default is None:
        return None
    if isinstance(default.value, tuple):
        return [number(item) for item in default.value]
    return number(default.value)


def type_annotations(t: Declared) -> list[Json]:
    """Returns the annotations of a type, sorted by name."""
    if isinstance(t, InterfaceType):
        return []
    return _sorted([*_texts(t.description, t.instruction), *map(_opaque, t.opaque)])


def property_annotations(p: Property) -> list[Json]:
    """Returns the annotations of a property that are no constraints, sorted by name."""
    embed: list[Json] = []
    if p.embed is not None:
        annotation: Json = {"name": "embed", "value": p.embed.source}
        if p.embed.model is not None:
            annotation["kwargs"] = {"model": p.embed.model}
        embed.append(annotation)
    return _sorted([*embed, *_texts(p.description, None), *map(_opaque, p.opaque)])


def number(value: object) -> object:
    """Returns *value*, an integer beyond 2^53 as its decimal digits."""
    big = isinstance(value, int) and not isinstance(value, bool) and abs(value) > SAFE_INTEGER
    return str(value) if big else value


def _texts(description: str | None, instruction: str | None) -> list[Json]:
    texts = {"description": description, "instruction": instruction}
    return [{"name": name, "value": text} for name, text in texts.items() if text is not None]


def _opaque(annotation: Opaque) -> Json:
    wire: Json = {"name": annotation.name, "value": _plain(annotation.value)}
    if annotation.arguments:
        wire["kwargs"] = {name: _plain(value) for name, value in annotation.arguments}
    return wire


def _plain(text: str | None) -> object:
    """Returns what the canonical JSON text of an annotation's value says."""
    return None if text is None else number(json.loads(text))


def _sorted(annotations: list[Json]) -> list[Json]:
    return sorted(annotations, key=lambda a: str(a["name"]))
