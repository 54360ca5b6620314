"""Values of the oracle: read from JSON, held, compared, ordered and shown, by `spec/languages.md` alone.

A Date is held as days and a DateTime as milliseconds since 1970, as the syntax tree has its
literals; everything else is what Python has for it. Nothing here is shared with the engine.
Source: languages 1.2, 2.3, 2.7.
"""

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np

from agentctl.languages.schema.types import PropertyType, Scalar

Raw: TypeAlias = Any
"""A held value, a tuple of them for a list or a vector, or None; the checker knows what fits."""

BOUNDS: Final = {
    Scalar.I32: (-(2**31), 2**31 - 1),
    Scalar.I64: (-(2**63), 2**63 - 1),
    Scalar.U32: (0, 2**32 - 1),
    Scalar.U64: (0, 2**64 - 1),
}
FLOATS: Final = (Scalar.F32, Scalar.F64)
_DAY: Final = date(1970, 1, 1)
_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BoundError(Exception):
    """A number is beyond its bounds: a negative limit, a negative number of edits."""


class MisfitError(Exception):
    """A value does not fit its type."""


def read(type_: PropertyType, given: object) -> Raw:
    """Returns the value that JSON gives for *type_*.

    Raises:
        MisfitError: it does not fit.
    """
    if given is None:
        if not type_.nullable:
            raise MisfitError
        return None
    if not type_.list and type_.vector_dim is None:
        return _member(type_, given)
    if not isinstance(given, list | tuple):
        raise MisfitError
    if type_.vector_dim is not None and len(given) != type_.vector_dim:
        raise MisfitError
    # Elements of a list are nullable, numbers of a vector are not: languages 1.2.
    return tuple(None if g is None and type_.list else _member(type_, g) for g in given)


def stored(type_: PropertyType, value: Raw) -> Raw:
    """Returns a typed value as a property of *type_* holds it: numbers of another width are fitted.

    Raises:
        MisfitError: it does not fit; no number is rounded to an integer.
    """
    if value is None:
        if not type_.nullable:
            raise MisfitError
        return None
    if isinstance(value, tuple):
        return tuple(None if v is None else _fitted(type_, v) for v in value)
    return _fitted(type_, value)


def _fitted(type_: PropertyType, value: Raw) -> Raw:
    scalar = type_.scalar
    if scalar in BOUNDS:
        low, high = BOUNDS[scalar]
        if value != int(value) or not low <= value <= high:
            raise MisfitError
        return int(value)
    return _float(scalar, value) if scalar in FLOATS else value


def _member(type_: PropertyType, given: object) -> Raw:  # noqa: PLR0911  # one case for each scalar
    scalar = type_.scalar
    if scalar in BOUNDS:
        return _integer(scalar, given)
    if scalar in FLOATS:
        return _float(scalar, given)
    if scalar is Scalar.BOOL:
        if not isinstance(given, bool):
            raise MisfitError
        return given
    if scalar in (Scalar.DATE, Scalar.DATETIME) and type(given) is int:
        return given  # a load takes days and milliseconds too
    if not isinstance(given, str):
        raise MisfitError
    try:
        if scalar is Scalar.DATE:
            return (date.fromisoformat(given) - _DAY).days
        if scalar is Scalar.DATETIME:
            return milliseconds(given)
    except ValueError as failure:
        raise MisfitError from failure
    return given


def milliseconds(text: str) -> int:
    """Returns the milliseconds from 1970 to an ISO time; UTC where it names no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _MOMENT) // timedelta(milliseconds=1)


def _integer(scalar: Scalar, given: object) -> int:
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]+", given, re.ASCII):
        given = int(given)
    low, high = BOUNDS[scalar]
    if type(given) is not int or not low <= given <= high:
        raise MisfitError
    return given


def _float(scalar: Scalar, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise MisfitError
    number = as_f32(given) if scalar is Scalar.F32 else float(given)
    if not math.isfinite(number):
        raise MisfitError
    return number + 0.0  # one zero


def as_f32(number: float) -> float:
    """Returns the F32 nearest to *number*."""
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def shown(type_: PropertyType, value: Raw) -> object:
    """Returns a value as result JSON has it."""
    if isinstance(value, tuple):
        return [shown(type_, v) for v in value]
    match type_.scalar:
        case _ if value is None or isinstance(value, str | bool):
            return value
        case Scalar.DATE:
            return (_DAY + timedelta(days=int(value))).isoformat()
        case Scalar.DATETIME:
            moment = _MOMENT + timedelta(milliseconds=int(value))
            return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case scalar if scalar in BOUNDS:
            return value if abs(value) < 2**53 else str(value)
        case scalar:
            return _shown_float(scalar, value)


def _shown_float(scalar: Scalar, value: float) -> object:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(str(np.float32(value))) if scalar is Scalar.F32 else float(value)


def key_text(scalar: Scalar, value: Raw) -> str:
    """Returns a key's spelling in an id: integers for times, no exponents, one zero."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value == 0:
            return "0"
        kind = np.float32 if scalar is Scalar.F32 else np.float64
        return np.format_float_positional(kind(value), trim="-")
    return str(value)


def key_id(parts: Iterable[tuple[Scalar, Raw]]) -> str:
    """Returns the id of a keyed node: one key's spelling, or a JSON array of several."""
    texts = [key_text(scalar, value) for scalar, value in parts]
    if len(texts) == 1:
        return texts[0]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def rank(value: Raw) -> tuple[Any, ...]:
    """Returns what sorts as the language orders values: null before everything, lists by members."""
    if isinstance(value, tuple):
        return (1, tuple(rank(v) for v in value))
    return (0,) if value is None else (1, value)
