"""One migration step as a line of text. Names and values come from schemas, so they are foreign."""

from collections.abc import Mapping
from typing import Final, TypeGuard

from agentctl.views.wording import safe

REFUSAL_CELLS_MAX: Final = 200
VALUES_NAMED_MAX: Final = 6

STEP_LINES: Final = {
    "add_type": "+ {type_kind} {name}",
    "rename_type": "~ {type_kind} {from} -> {to}",
    "drop_type": "- {type_kind} {name} (kept until cleanup)",
    "add_property": "+ {type_name}.{property_name}: {property_type}{default}",
    "rename_property": "~ {type_name}.{from} -> {to}",
    "drop_property": "- {type_name}.{property_name} (kept until cleanup)",
    "widen_property": "~ {type_name}.{property_name}: {from} -> {to}",
    "loosen_property": "~ {type_name}.{property_name}: may be null",
    "tighten_property": "~ {type_name}.{property_name}: may no longer be null",
    "extend_enum": "~ {type_name}.{property_name}: + {added_values}",
    "narrow_enum": "~ {type_name}.{property_name}: {removed}only {values}",
    "change_default": "~ {type_name}.{property_name}: default {from} -> {to}",
    "change_cardinality": "~ {type_name}: {from} -> {to}",
    "add_constraint": "+ {type_name}: {constraint}",
    "drop_constraint": "- {type_name}: {constraint}",
    "update_type_metadata": "~ {type_kind} {name}: {annotations}",
    "update_property_metadata": "~ {type_name}.{property_name}: {annotations}",
    "unsupported_change": "! {entity}: {code}{reason}",
}


def step_text(step: Mapping[str, object]) -> str:
    """Returns what a step does; a narrowing one says so."""
    field = {name: safe(str(value)) for name, value in step.items()}
    line = STEP_LINES.get(str(step["kind"]))
    if line is None:
        return ", ".join(f"{name} {value}" for name, value in field.items())
    for side in ("from", "to", "constraint", "annotations", "added_values", "values"):
        if side in step:
            field[side] = _part(side, step[side])
    removed = step.get("removed_values")
    field["removed"] = f"- {_values(removed)}, " if _is_list(removed) else ""
    field["property_type"] = _type_text(step.get("property_type"))
    field["default"] = f" = {_value(step['default'])}" if "default" in step else ""
    field["code"] = f"[{field['code']}] " if "code" in field else ""
    field["reason"] = safe(str(step.get("reason")), REFUSAL_CELLS_MAX)
    text = line.format_map(field)
    return text if step.get("class") != "narrowing" else f"{text} (narrowing)"


def _part(name: str, value: object) -> str:
    match name:
        case "constraint":
            return _constraint(value)
        case "annotations":
            return _annotations(value)
        case "added_values" | "values":
            return _values(value)
        case _:
            return _bounds(value) if isinstance(value, Mapping) else _value(value)


def _value(value: object) -> str:
    """Returns a default, a type's name or a property's."""
    if value is None:
        return "none"
    if _is_list(value):
        return f"[{_values(value)}]"
    return safe(str(value).lower() if isinstance(value, bool) else str(value))


def _values(value: object) -> str:
    values = value if _is_list(value) else []
    named = ", ".join(safe(str(v), 40) for v in values[:VALUES_NAMED_MAX])
    more = len(values) - VALUES_NAMED_MAX
    return f"{named} and {more:,} more" if more > 0 else named


def _type_text(wire: object) -> str:
    if not isinstance(wire, Mapping):
        return safe(str(wire))
    scalar, values = wire.get("scalar"), wire.get("enum_values")
    name = safe(str(scalar))
    if isinstance(scalar, Mapping):
        name = f"Vector({safe(str(scalar.get('Vector')))})"
    elif values is not None:
        name = f"enum({_values(values)})"
    if wire.get("list"):
        name = f"[{name}]"
    return f"{name}?" if wire.get("nullable") else name


def _annotations(wire: object) -> str:
    """Names what is told of it now; the words themselves are for agents to read, not for this line."""
    names = [str(a.get("name")) for a in wire if isinstance(a, Mapping)] if _is_list(wire) else []
    return f"new {safe(', '.join(names))}" if names else "no description any more"


def _bounds(wire: Mapping[str, object]) -> str:
    low, high = (wire.get(side) for side in ("min", "max"))
    return f"{_end(low)}..{_end(high)}"


def _end(value: object) -> str:
    return "" if value is None else safe(str(value), 40)


def _constraint(wire: object) -> str:
    if not isinstance(wire, Mapping):
        return safe(str(wire))
    return ", ".join(f"@{safe(str(tag)).lower()}({_arguments(of)})" for tag, of in wire.items())


def _arguments(of: object) -> str:
    if not isinstance(of, Mapping):
        return _values(of)
    beside = f'"{safe(str(of["pattern"]))}"' if "pattern" in of else _bounds(of)
    return f"{safe(str(of.get('property')))}, {beside}"


def _is_list(wire: object) -> TypeGuard[list[object]]:
    return isinstance(wire, list | tuple)
