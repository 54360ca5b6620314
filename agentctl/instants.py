"""Times as every record of agentctl writes them: RFC 3339, UTC, milliseconds, ``Z``."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def format_instant(when: datetime) -> str:
    """Returns *when*, which must be aware, as ``2026-11-21T03:30:00.000Z``."""
    assert when.tzinfo is not None
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def parse_instant(text: str) -> datetime:
    """Returns the time that `format_instant` wrote.

    Raises:
        ValueError: *text* has another form.
    """
    if not _INSTANT.fullmatch(text):
        msg = f"not a time of the form 2026-11-21T03:30:00.000Z: {text!r}"
        raise ValueError(msg)
    return datetime.fromisoformat(text)


def milliseconds(when: datetime) -> int:
    """Returns the milliseconds from 1970 to *when*."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
