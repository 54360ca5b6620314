"""Schedules in the five fields of cron, checked and brought to one spelling; nothing runs them here.

Source: POSIX.1-2017, crontab; steps, names and the words with ``@`` as Vixie cron has them.
"""

import re
from typing import Final

import msgspec

MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART: Final = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]{1,4}))?", re.ASCII)


class _Field(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    """Names of the values, from `low` on."""


_FIELDS: Final = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day of the month", low=1, high=31),
    _Field(name="month", low=1, high=12, words=_MONTHS),
    _Field(name="day of the week", low=0, high=7, words=_DAYS),
)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When something is due."""

    text: str
    """Five fields, one blank between two."""


class ScheduleFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a text is no schedule."""

    message: str


def parse_schedule(text: str) -> Schedule | ScheduleFault:
    """Returns the schedule that *text* is, or why it is none.

    schedule := minute hour day month weekday | "@" word
    field    := part ("," part)*
    part     := ("*" | value ["-" value]) ["/" step]
    """
    written = text.strip().lower()
    if written.startswith("@"):
        known = MACROS.get(written)
        listed = ", ".join(MACROS)
        return Schedule(text=known) if known else ScheduleFault(message=f"the words are {listed}")
    parts = written.split()
    if len(parts) != len(_FIELDS):
        message = f"a schedule has 5 fields (minute hour day month weekday), not {len(parts)}"
        return ScheduleFault(message=message)
    values: list[frozenset[int]] = []
    for part, field in zip(parts, _FIELDS, strict=True):
        found = _values(part, field)
        if isinstance(found, str):
            return ScheduleFault(message=found)
        values.append(found)
    if parts[4] == "*" and not any(min(values[2]) <= _LONGEST[month - 1] for month in values[3]):
        return ScheduleFault(message="no month that it names has such a day, so it is never due")
    return Schedule(text=" ".join(parts))


def _values(text: str, field: _Field) -> frozenset[int] | str:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return f"`{part}` is no {field.name}"
        first, last, step = match.groups()
        bounds = _bounds(first, last, step is not None, field)
        if isinstance(bounds, str):
            return bounds
        if step is not None and not 1 <= int(step) <= field.high:
            return f"the step `/{step}` of the {field.name} is not from 1 to {field.high}"
        values.update(range(bounds[0], bounds[1] + 1, int(step or 1)))
    return frozenset(values)


def _bounds(
    first: str,
    last: str | None,
    stepped: bool,  # noqa: FBT001  # private
    field: _Field,
) -> tuple[int, int] | str:
    if first == "*":
        return (field.low, field.high) if last is None else f"`*-{last}` is no {field.name}"
    low = _value(first, field)
    high = _value(last, field) if last is not None else (field.high if stepped else low)
    if low is None or high is None:
        wrong = first if low is None else last
        return f"`{wrong}` is no {field.name}, which is from {field.low} to {field.high}"
    if low > high:
        return f"`{first}-{last}` runs backwards"
    return low, high


def _value(text: str, field: _Field) -> int | None:
    if text in field.words:
        return field.low + field.words.index(text)
    if not text.isdigit() or len(text) > 4:
        return None
    number = int(text)
    return number if field.low <= number <= field.high else None
