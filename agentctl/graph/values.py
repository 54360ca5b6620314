"""Values of properties: from JSON as a load gives it, to key text, and to JSON as a reply shows it.

Inside the engine a Date is days and a DateTime milliseconds since 1970, both int. Source:
languages 1.2, 2.7.
"""

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, NoReturn

from agentctl.languages.schema.types import Scalar

SAFE_INTEGER: Final = (1 << 53) - 1
"""Beyond it an integer travels as a string in JSON."""

INTEGER_RANGES: Final = {
    Scalar.I32: (-(1 << 31), (1 << 31) - 1),
    Scalar.I64: (-(1 << 63), (1 << 63) - 1),
    Scalar.U32: (0, (1 << 32) - 1),
    Scalar.U64: (0, (1 << 64) - 1),
}

_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,19})", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_RANGE: Final = (date.min.toordinal() - _EPOCH_DAY, date.max.toordinal() - _EPOCH_DAY)
_MS_RANGE: Final = (_DAY_RANGE[0] * 86_400_000, (_DAY_RANGE[1] + 1) * 86_400_000 - 1)
_F32_MAX: Final = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_SHOWN_MAX: Final = 60

Value = str | int | float | bool


def parser_for(scalar: Scalar) -> Callable[[object], Value]:
    """Returns the function that reads a JSON value as *scalar*; it raises ValueError with why."""
    if scalar in INTEGER_RANGES:
        low, high = INTEGER_RANGES[scalar]
        return lambda given: _integer(given, scalar.value, low, high)
    return _PARSERS[scalar]


def key_text(scalar: Scalar, value: Value) -> str:
    """Returns a key value's spelling inside an ``id``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _plain_decimal(shortest_f32(value) if scalar is Scalar.F32 else value)
    return str(value)


def json_value(scalar: Scalar, value: Value | None) -> object:
    """Returns *value* as a reply shows it."""
    if value is None or isinstance(value, str | bool):
        return value
    if scalar is Scalar.DATE:
        return date.fromordinal(int(value) + _EPOCH_DAY).isoformat()
    if scalar is Scalar.DATETIME:
        when = _EPOCH + timedelta(milliseconds=int(value))
        return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z".rjust(24, "0")
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
    return number


def _days(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return _bounded(given, _DAY_RANGE, "Date")
    if not isinstance(given, str) or not _DATE.fullmatch(given):
        _reject("Date (YYYY-MM-DD, or days since 1970)", given)
    try:
        return date.fromisoformat(given).toordinal() - _EPOCH_DAY
    except ValueError:
        _reject("Date (a day of the calendar)", given)


def _instant_ms(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return _bounded(given, _MS_RANGE, "DateTime")
    if not isinstance(given, str) or not _DATETIME.fullmatch(given):
        _reject("DateTime (YYYY-MM-DDTHH:MM:SS.mmmZ, or milliseconds since 1970)", given)
    try:
        when = datetime.fromisoformat(given)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        since = (when - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        _reject("DateTime (a time of the calendar)", given)
    return _bounded(since, _MS_RANGE, "DateTime")


def _bounded(number: int, limits: tuple[int, int], name: str) -> int:
    if not limits[0] <= number <= limits[1]:
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
    Scalar.BOOL: _boolean,
    Scalar.F32: _float32,
    Scalar.F64: _float64,
    Scalar.DATE: _days,
    Scalar.DATETIME: _instant_ms,
}
