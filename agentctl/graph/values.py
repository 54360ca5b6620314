"""Values of properties: from JSON as a load gives it, to key text, and to JSON as a reply shows it.

Inside the engine a Date is days and a DateTime milliseconds since 1970, both int; a list and a vector
are tuples; a Blob is bytes that begin with a mark: `INLINE` before content, `ADDRESS` before the
address of content that lies elsewhere, which nobody here ever fetches. Source: languages 1.2, 2.7.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NoReturn

from agentctl.languages.schema.temporal import (
    DATE_DAYS_MAX,
    DATE_DAYS_MIN,
    DATETIME_MS_MAX,
    DATETIME_MS_MIN,
    format_date,
    format_datetime,
    parse_date,
    parse_datetime,
)
from agentctl.languages.schema.types import FLOATS, PlainValue, PropertyType, Scalar

SAFE_INTEGER: Final = (1 << 53) - 1
"""Beyond it an integer travels as a string in JSON."""

INTEGER_RANGES: Final = {
    Scalar.I32: (-(1 << 31), (1 << 31) - 1),
    Scalar.I64: (-(1 << 63), (1 << 63) - 1),
    Scalar.U32: (0, (1 << 32) - 1),
    Scalar.U64: (0, (1 << 64) - 1),
}

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_F32_MAX: Final = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_SHOWN_MAX: Final = 60

INLINE: Final = b"\x00"
ADDRESS: Final = b"\x01"
_INLINE_TEXT: Final = "base64:"

Value = str | int | float | bool | bytes
"""Of a scalar."""
Stored = Value | tuple[Value | None, ...]
"""Of any property; members of a list may be null, numbers of a vector may not."""


def reader_for(type_: PropertyType) -> Callable[[object], Stored]:
    """Returns the function that reads a JSON value as *type_*; it raises ValueError with why.

    Nothing is said about null, and of an enum only that it is a String.
    """
    one = parser_for(type_.scalar)
    if not type_.list and type_.vector_dim is None:
        return one
    wanted = f"a list of {type_.vector_dim} numbers" if type_.vector_dim else "a list"
    dim = type_.vector_dim

    def read(given: object) -> tuple[Value | None, ...]:
        if not isinstance(given, list | tuple) or (dim is not None and len(given) != dim):
            _reject(wanted, given)
        members: list[Value | None] = []
        for place, member in enumerate(given, 1):
            try:
                members.append(None if member is None and dim is None else one(member))
            except ValueError as failure:
                msg = f"member {place}: {failure}"
                raise ValueError(msg) from None
        return tuple(members)

    return read


def as_stored(  # one case for each kind of value
    type_: PropertyType, given: PlainValue | tuple[PlainValue, ...]
) -> Stored:
    """Returns what a property of *type_* stores of a literal's or a parameter's value.

    The checker lets any number meet any number: here it must be one that the type has.

    Raises:
        ValueError: it has none such; the message says why.
    """
    if isinstance(given, tuple):
        return tuple(_number_as(type_.scalar, member) for member in given)
    if type_.scalar is Scalar.BLOB and isinstance(given, str):
        return blob_of(given)
    return _number_as(type_.scalar, given)


def _number_as(scalar: Scalar, given: PlainValue) -> Value:
    if scalar in INTEGER_RANGES and isinstance(given, float):
        if not given.is_integer():
            _reject(f"{scalar.value} (an integer)", given)
        given = int(given)
    if scalar in INTEGER_RANGES or scalar in FLOATS:
        return parser_for(scalar)(given)
    return given


def blob_of(text: str) -> bytes:
    """Returns a Blob from its spelling: ``base64:`` and the content, or an address.

    Raises:
        ValueError: the content is no base64.
    """
    if not text.startswith(_INLINE_TEXT):
        return ADDRESS + text.encode()
    try:
        return INLINE + base64.b64decode(text.removeprefix(_INLINE_TEXT), validate=True)
    except (binascii.Error, ValueError):
        _reject("base64 after `base64:`", text)


def blob_text(stored: bytes) -> str:
    """Returns the spelling of a Blob, as `blob_of` reads it."""
    if stored.startswith(ADDRESS):
        return stored[1:].decode()
    return _INLINE_TEXT + base64.b64encode(stored[1:]).decode()


def parser_for(scalar: Scalar) -> Callable[[object], Value]:
    """Returns the function that reads a JSON value as *scalar*; it raises ValueError with why."""
    if scalar in INTEGER_RANGES:
        low, high = INTEGER_RANGES[scalar]
        return lambda given: _integer(given, scalar.value, low, high)
    return _PARSERS[scalar]


def key_text(scalar: Scalar, value: Value) -> str:
    """Returns a key value's spelling inside an ``id``."""
    assert not isinstance(value, bytes), "a Blob is in no key"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _plain_decimal(shortest_f32(value) if scalar is Scalar.F32 else value)
    return str(value)


def json_value(scalar: Scalar, value: Stored | list[Value | None] | None) -> object:  # noqa: PLR0911  # one case for each kind
    """Returns *value* as a reply shows it; of a list or a vector each member, which *scalar* is of."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, tuple | list):
        return [json_value(scalar, member) for member in value]
    if isinstance(value, bytes):
        return blob_text(value)
    if scalar is Scalar.DATE:
        return format_date(int(value))
    if scalar is Scalar.DATETIME:
        return format_datetime(int(value))
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return shortest_f32(value) if scalar is Scalar.F32 else value


def as_f32(value: float) -> float:
    """Returns the nearest F32, as a float; an infinity where it is out of range."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def shortest_f32(value: float) -> float:
    """Returns the float of the fewest digits that is *value* when rounded to F32."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if as_f32(float(text)) == value:
            return float(text)
    return value


def shown(given: object) -> str:
    """Returns *given* in short, printable ASCII, for a message."""
    text = ascii(given)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def _reject(expected: str, given: object) -> NoReturn:
    msg = f"expected {expected}, got {shown(given)}"
    raise ValueError(msg) from None


def _integer(given: object, name: str, low: int, high: int) -> int:
    if isinstance(given, str) and _DECIMAL.fullmatch(given):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        _reject(f"{name} (an integer, or a string of its decimal digits)", given)
    if not low <= given <= high:
        msg = f"{shown(given)} is outside {name}, which is {low} to {high}"
        raise ValueError(msg)
    return given


def _string(given: object) -> str:
    if not isinstance(given, str):
        _reject("String", given)
    return given


def _blob(given: object) -> bytes:
    return blob_of(_string(given))


def _boolean(given: object) -> bool:
    if not isinstance(given, bool):
        _reject("Bool (true or false)", given)
    return given


def _float64(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        _reject("a number", given)
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        msg = f"{shown(given)} is no finite F64"
        raise ValueError(msg)
    return number + 0.0  # -0.0 becomes 0.0: one zero, so that equal values have one spelling


def _float32(given: object) -> float:
    number = as_f32(_float64(given))
    if abs(number) > _F32_MAX:
        msg = f"{shown(given)} is outside F32"
        raise ValueError(msg)
    return number + 0.0  # what is too small for an F32 is a zero, too


def _days(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return _bounded(given, DATE_DAYS_MIN, DATE_DAYS_MAX, "Date")
    days = parse_date(given) if isinstance(given, str) else None
    if days is None:
        _reject("Date (YYYY-MM-DD, or days since 1970)", given)
    return days


def _instant_ms(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return _bounded(given, DATETIME_MS_MIN, DATETIME_MS_MAX, "DateTime")
    since = parse_datetime(given) if isinstance(given, str) else None
    if since is None:
        _reject("DateTime (YYYY-MM-DDTHH:MM:SS.mmmZ, or milliseconds since 1970)", given)
    return since


def _bounded(number: int, low: int, high: int, name: str) -> int:
    if not low <= number <= high:
        msg = f"{shown(number)} is outside {name}, which covers the years 0001 to 9999"
        raise ValueError(msg)
    return number


def _plain_decimal(value: float) -> str:
    """Returns the shortest decimal without exponent, as Rust's `Display` writes it."""
    if value == 0:
        return "0"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_PARSERS: Final[dict[Scalar, Callable[[object], Value]]] = {
    Scalar.STRING: _string,
    Scalar.BLOB: _blob,
    Scalar.BOOL: _boolean,
    Scalar.F32: _float32,
    Scalar.F64: _float64,
    Scalar.DATE: _days,
    Scalar.DATETIME: _instant_ms,
}
