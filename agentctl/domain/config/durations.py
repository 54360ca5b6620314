"""Spans of time as configuration writes them: ``90s``, ``30m``, ``24h``, ``7d``, ``2w``."""

import re
from typing import Final

DURATION_S_MAX: Final = 3660 * 86_400
"""Ten years; more is taken for a mistake."""

_FORM: Final = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration_s(text: str) -> int | None:
    """Returns the seconds of *text*, None where it is no duration.

    duration := digits ("s" | "m" | "h" | "d" | "w") | "0"
    """
    if text == "0":
        return 0
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    seconds = int(match.group(1)) * _UNITS_S[match.group(2)]
    return seconds if seconds <= DURATION_S_MAX else None


def span(seconds: int) -> str:
    """Returns a span of time in the largest unit of which it is a whole number, e.g. ``7 days``."""
    size, unit = next(
        (size, unit)
        for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
        if seconds % size == 0
    )
    number = seconds // size
    return f"{number:,} {unit}" + ("" if number == 1 else "s")
