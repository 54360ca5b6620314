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
