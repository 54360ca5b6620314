"""Binds the arguments of a call to a query's declared parameters, strictly.

Nothing is guessed: what is missing, not declared or of another type is an error, before any data
is read. Used by the door for every run of a stored query. Source: languages 2.3, 3.2.
"""

import math
import re
import struct
from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.languages.query.plan import CheckedQuery, Param
from agentctl.languages.schema.temporal import parse_date, parse_datetime
from agentctl.languages.schema.types import FLOATS, NUMERIC, PropertyType, Scalar
from agentctl.languages.text.suggest import did_you_mean

INTEGER_RANGES: Final = {
    Scalar.I32: (-(2**31), 2**31 - 1),
    Scalar.I64: (-(2**63), 2**63 - 1),
    Scalar.U32: (0, 2**32 - 1),
    Scalar.U64: (0, 2**64 - 1),
}
"""The least and the greatest value of each integer type."""
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_FORMS: Final = {
    Scalar.STRING: "a text",
    Scalar.BLOB: "a text: the address of the content, or `base64:` and the content",
    Scalar.BOOL: "true or false",
    Scalar.DATE: 'a day as text, like "2026-11-21"',
    Scalar.DATETIME: 'a time as text, like "2026-11-21T03:30:00Z"',
}


class BoundParams(msgspec.Struct, frozen=True, kw_only=True):
    """The values of all declared parameters; complete exactly where there are no diagnostics."""

    values: Mapping[str, object]
    """By name without the dollar sign: a Date is days, a DateTime milliseconds since 1970, an
    omitted nullable parameter None, a list or a vector a tuple."""
    diagnostics: tuple[Diagnostic, ...]


class _Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """A value that does not fit, named without showing it."""

    what: str


_WHOLE: Final = _Misfit(what="the value given")


def bind_params(query: CheckedQuery, given: Mapping[str, object], *, path: str) -> BoundParams:
    """Returns the values of the parameters of *query*.

    Args:
        query: declares the parameters.
        given: values as JSON has them, by name.
        path: the address of the query, for the diagnostics.
    """
    found: list[Diagnostic] = []
    values: dict[str, object] = {}
    for param in query.params:
        if param.name in given:
            _bind(param, given[param.name], path, values, found)
        elif param.type.nullable:
            values[param.name] = None
        else:
            message = f"`{query.name}` needs the parameter `{param.name}` ({param.type})"
            remedy = f"Give `{param.name}`: {_form(param.type)}."
            found.append(error("param_missing", path, message, remedy=remedy))
    declared = {p.name for p in query.params}
    for name in given:
        if name not in declared:
            message = f"`{query.name}` declares no parameter `{name}`"
            hint = did_you_mean(name, declared, otherwise="Take it out.")
            found.append(error("param_unknown", path, message, remedy=hint))
    return BoundParams(values=values, diagnostics=tuple(found))


def _bind(
    param: Param, value: object, path: str, values: dict[str, object], found: list[Diagnostic]
) -> None:
    if value is None and param.type.nullable:
        values[param.name] = None
        return
    typed = _value(param.type, value)
    if isinstance(typed, _Misfit):
        message = f"the parameter `{param.name}` is {param.type}, and {typed.what} is not"
        remedy = f"Give {_form(param.type)}."
        found.append(error("param_invalid", path, message, remedy=remedy))
        return
    values[param.name] = typed


def _form(type_: PropertyType) -> str:
    if type_.vector_dim is not None:
        return f"a list of exactly {type_.vector_dim} finite numbers"
    if type_.list:
        return f"a list, each member {_form(PropertyType(scalar=type_.scalar))}"
    if type_.scalar in INTEGER_RANGES:
        low, high = INTEGER_RANGES[type_.scalar]
        return f"an integer from {low} to {high}"
    return _FORMS.get(type_.scalar, f"a finite number within {type_.scalar.value}")


def _value(type_: PropertyType, value: object) -> object:
    """Returns *value* as the type holds it; lists and vectors as tuples."""
    if not type_.list and type_.vector_dim is None:
        typed = _typed(type_.scalar, value)
        return _WHOLE if typed is None else typed
    if not isinstance(value, list | tuple):
        return _WHOLE
    if type_.vector_dim is not None and len(value) != type_.vector_dim:
        return _Misfit(what=f"a list of {len(value)} members")
    members: list[object] = []
    for place, item in enumerate(value, 1):
        typed = _typed(type_.scalar, item)
        if typed is None:
            return _Misfit(what=f"the value given, in its member {place},")
        members.append(typed)
    return tuple(members)


def _typed(scalar: Scalar, value: object) -> str | int | float | bool | None:
    """Returns *value* as the type holds it, or None where it does not fit."""
    if scalar in NUMERIC:
        return _float(scalar, value) if scalar in FLOATS else _integer(scalar, value)
    if scalar is Scalar.BOOL:
        return value if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    match scalar:
        case Scalar.DATE:
            return parse_date(value)
        case Scalar.DATETIME:
            return parse_datetime(value)
        case _:
            return value if _encodable(value) else None


def _encodable(text: str) -> bool:
    """Whether *text* has no lone surrogate, which no file or column could hold."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _integer(scalar: Scalar, value: object) -> int | None:
    """Takes an integer or a decimal text, never ``1.0`` and never a Bool."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    low, high = INTEGER_RANGES[scalar]
    return value if low <= value <= high else None


def _float(scalar: Scalar, value: object) -> float | None:
    """Takes any finite number that the width can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
        if scalar is Scalar.F32:
            struct.pack("<f", number)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
