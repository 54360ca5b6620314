"""Comma-separated sequences: both languages take a comma behind the last item too.

OmniGraph 0.10 has no such comma, so it is told as an addition. Source: languages 3.1.
"""

from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.token import Token


def another(cursor: Cursor, closer: str) -> bool:
    """Takes the comma behind an item; returns whether one more item comes before *closer*."""
    comma = cursor.accept_mark(",")
    if comma is None:
        return False
    if not cursor.at_mark(closer):
        return True
    cursor.report.reads_otherwise(
        "added",
        "trailing-comma",
        "a comma behind the last item, which 0.10 refuses",
        comma,
        remedy="Take the comma out.",
    )
    return False


def close(cursor: Cursor, closer: str) -> Token:
    """Takes *closer* behind the last item, or halts: a comma may be what is missing."""
    found = cursor.accept_mark(closer)
    if found is not None:
        return found
    return cursor.surprise(
        f"`,` or `{closer}`", remedy=f"Put a comma between items, and `{closer}` behind the last."
    )
