"""The JSON Schema of cluster.yaml, for editors: derived from the table that the reader reads by.

It accepts what the reader accepts as far as a schema can say it; whether a reference is declared, a
file is there or a literal is a secret is for `agentctl validate`. Draft 7, which editors know best.
"""

from typing import Final, assert_never

from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.forms import (
    AddressForm,
    BooleanForm,
    ChoiceForm,
    DurationForm,
    EnvFileForm,
    Field,
    Form,
    IntegerForm,
    JsonForm,
    ListForm,
    MapForm,
    PathForm,
    ReferenceForm,
    ScheduleForm,
    SecretForm,
    Section,
    SurfaceForm,
    TextForm,
    UntaggedForm,
    VersionForm,
)
from agentctl.ids import RESOURCE_ID

Json = dict[str, object]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_ID: Final = f"^{RESOURCE_ID.pattern}$"
_REFERENCE: Final = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"
_FILLED: Final = r"\S"
_TEXT: Final = ["string", "number", "boolean"]
"""A plain number or boolean counts as its spelling."""


def cluster_schema() -> Json:
    """Returns the schema of cluster.yaml."""
    return {
        "$schema": DIALECT,
        "title": "cluster.yaml",
        "description": "A cluster of graph databases, as agentctl runs it.",
        **_form(CLUSTER),
    }


def _form(form: Form) -> Json:  # noqa: PLR0911  # one return a family of forms
    match form:
        case Section():
            return _section(form)
        case ListForm():
            return _list(form)
        case MapForm():
            return _map(form)
        case UntaggedForm():
            forms = (form.text, form.items, form.entries)
            return {"anyOf": [*map(_form, forms), {"type": "null"}]}
        case JsonForm():
            return {}
        case BooleanForm():
            return {"type": "boolean"}
        case IntegerForm():
            return {"type": "integer", "minimum": form.minimum, "maximum": form.maximum}
        case VersionForm():
            return {"const": 1}
        case ChoiceForm():
            return {"enum": list(form.values)}
        case _:
            return _word(form)


def _word(  # noqa: PLR0911  # one return a form
    form: TextForm
    | PathForm
    | EnvFileForm
    | SecretForm
    | DurationForm
    | ScheduleForm
    | ReferenceForm
    | SurfaceForm
    | AddressForm,
) -> Json:
    match form:
        case TextForm(pattern=None):
            return {"type": _TEXT} if form.blank else {"type": _TEXT, "pattern": _FILLED}
        case TextForm():
            return {"type": _TEXT, "pattern": f"^(?:{form.pattern})$"}
        case PathForm() | EnvFileForm():
            kinds = "string" if isinstance(form, PathForm) and form.strict else _TEXT
            return {"type": kinds, "pattern": _FILLED}
        case SecretForm():
            return {"type": "string", "pattern": _REFERENCE}
        case DurationForm():
            return {"type": _TEXT, "pattern": "^(?:0|[0-9]{1,9}[smhdw])$"}
        case ScheduleForm():
            return {"type": "string", "pattern": r"^(?:@[a-z]+|\S+(?:\s+\S+){4})$"}
        case ReferenceForm():
            return {"type": "string", "pattern": r"^\S*\.\S+$" if form.typed else _FILLED}
        case SurfaceForm():
            return {"type": "string", "pattern": r"^(?:mcp|http|ui\.\S+)$"}
        case AddressForm():
            return {"type": "string", "pattern": _FILLED}
        case _:
            assert_never(form)


def _list(form: ListForm) -> Json:
    items: Json = {"type": "array", "items": _form(form.item)}
    return items | {"minItems": 1} if form.filled else _or_nothing(items)


def _map(form: MapForm) -> Json:
    value = _form(form.value)
    names: Json = {} if form.free else {"propertyNames": {"pattern": _ID}}
    found: Json = {"type": "object", "additionalProperties": value, **names}
    return found | {"minProperties": 1} if form.filled else _or_nothing(found)


def _section(section: Section) -> Json:
    properties: Json = {}
    demands: list[Json] = []
    for name, field in section.fields.items():
        properties[name] = _field(field)
        if field.alias is not None:
            properties[field.alias] = _field(field)
            demands.append({"not": {"required": [name, field.alias]}})
    required = [name for name, field in section.fields.items() if field.required]
    if section.cases is not None:
        properties[section.cases.field] = {"description": section.cases.about}
        demands += _cases(section)
    found: Json = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        found["required"] = required
    if demands:
        found["allOf"] = demands
    return found if required else _or_nothing(found)


def _cases(section: Section) -> list[Json]:
    """Returns what one field must be, for each word of the field that decides about it."""
    cases = section.cases
    assert cases is not None
    demands: list[Json] = []
    for word, options in cases.sections.items():
        condition = {"properties": {cases.by: {"const": word}}, "required": [cases.by]}
        wanted: Json = {"properties": {cases.field: _or_nothing(_form(options))}}
        if any(field.required for field in options.fields.values()):
            wanted["required"] = [cases.field]
            wanted["properties"] = {cases.field: _form(options)}
        demands.append({"if": condition, "then": wanted})
    return demands


def _field(field: Field) -> Json:
    shape = _form(field.form)
    shape = shape if field.required else _or_nothing(shape)
    found = {"description": field.about, **shape}
    if isinstance(field.default, bool | int | str) and not isinstance(field.form, DurationForm):
        found["default"] = field.default
    return found


def _or_nothing(shape: Json) -> Json:
    """Returns *shape*, or null: an optional field without a value is as if it were not there."""
    if not shape:
        return shape
    if "enum" in shape:
        values = shape["enum"]
        assert isinstance(values, list)
        return shape | {"enum": [*values, *([] if None in values else [None])]}
    kinds = shape.get("type")
    if kinds is None:
        any_of = shape.get("anyOf")
        if isinstance(any_of, list):
            has = {"type": "null"} in any_of
            return shape if has else shape | {"anyOf": [*any_of, {"type": "null"}]}
        return {"anyOf": [shape, {"type": "null"}]}
    names = kinds if isinstance(kinds, list) else [kinds]
    return shape if "null" in names else shape | {"type": [*names, "null"]}
