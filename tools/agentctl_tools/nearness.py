"""Which known name someone probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(written: str, known: Iterable[str]) -> str | None:
    """Returns the known name that is closest to what was written, or None where none is near."""
    found = get_close_matches(written, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
