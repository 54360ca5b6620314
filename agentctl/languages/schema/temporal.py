"""Dates and times as both languages write them: days and milliseconds since 1970.

Used for literals, parameters, loads and results, so that all of them read and write alike.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH_DAY: Final = date(1970, 1, 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
DATE_DAYS_MIN: Final = (date.min - _EPOCH_DAY).days
DATE_DAYS_MAX: Final = (date.max - _EPOCH_DAY).days
DATETIME_MS_MIN: Final = DATE_DAYS_MIN * 86_400_000
DATETIME_MS_MAX: Final = (DATE_DAYS_MAX + 1) * 86_400_000 - 1


def parse_date(text: str) -> int | None:
    """Returns the days from 1970 to ``YYYY-MM-DD``, or None where *text* is no such day."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return (date.fromisoformat(text) - _EPOCH_DAY).days
    except ValueError:
        return None


def parse_datetime(text: str) -> int | None:
    """Returns the milliseconds from 1970 to an ISO 8601 time, or None where *text* is none.

    Without an offset it is UTC; digits below the millisecond are cut.
    """
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    whole, fraction, offset = match.groups()
    try:
        zone = "+00:00" if offset in {None, "Z", "z"} else offset
        seconds = datetime.fromisoformat(whole.upper() + zone)
    except ValueError:
        return None
    milliseconds = (seconds - _EPOCH) // MILLISECOND + int((fraction or "").ljust(3, "0")[:3])
    return milliseconds if DATETIME_MS_MIN <= milliseconds <= DATETIME_MS_MAX else None


def format_date(days: int) -> str:
    """Returns ``YYYY-MM-DD`` of a day from `DATE_DAYS_MIN` to `DATE_DAYS_MAX`."""
    return (_EPOCH_DAY + timedelta(days=days)).isoformat()


def format_datetime(milliseconds: int) -> str:
    """Returns ``YYYY-MM-DDTHH:MM:SS.mmmZ`` of a time within the years 1 to 9999.

    Source: languages 2.7.
    """
    return (_EPOCH + milliseconds * MILLISECOND).isoformat(timespec="milliseconds")[:-6] + "Z"
