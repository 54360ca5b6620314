"""Text inside Markdown that means itself: as running words, or as a code span.

Both take what `wording.safe` made, so that it is safe for a terminal too.
"""

from typing import Final

_ACTING: Final = frozenset("\\`*_[]<>#|~!&")


def markdown_words(text: str) -> str:
    """Returns words that are safe for a terminal, as running text in which Markdown reads nothing."""
    return "".join(f"\\{c}" if c in _ACTING else c for c in text)


def code_span(shown: str) -> str:
    """Returns a code span of *shown*, which cannot end it: its fence is longer than any run inside."""
    longest = max((len(run) for run in _runs(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _runs(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()
