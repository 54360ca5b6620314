"""Finds the known name that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

NAME_LENGTH_MAX: Final = 64
NAME_COUNT_MAX: Final = 500
"""Both bound the work: a suggestion is a courtesy."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the one of *known* that is closest to *name*, or None where none is close."""
    if len(name) > NAME_LENGTH_MAX:
        return None
    names = [n for n in islice(known, NAME_COUNT_MAX) if len(n) <= NAME_LENGTH_MAX]
    by_folded = {n.lower(): n for n in reversed(names)}
    close = get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def did_you_mean(
    name: str, known: Iterable[str], *, mark: str = "", otherwise: str | None = None
) -> str | None:
    """Returns the remedy for an unknown *name*; *mark* stands before each name, e.g. ``$``."""
    names = tuple(known)
    close = nearest(name, names)
    if close is not None:
        return f"Did you mean `{mark}{close}`?"
    if otherwise is not None or not names:
        return otherwise
    shown = ", ".join(f"`{mark}{n}`" for n in sorted(names)[:8])
    return f"Known are {shown}{' and others' if len(names) > 8 else ''}."
