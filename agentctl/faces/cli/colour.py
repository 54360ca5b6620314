"""Colour of diagnostics: only on a terminal, and never where the environment asks for none."""

import os
from typing import Final, TextIO

from agentctl.diagnostics.render.excerpt import Paint, plain

_CODES: Final = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "related": "36",
    "gutter": "34",
    "label": "1",
}
"""Parameters of the terminal's SGR sequence, by the style that a rendering names."""


def painter(stream: TextIO) -> Paint:
    """Returns what gives colour to text that is written to *stream*."""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    return painted if wanted and os.environ.get("TERM", "dumb") != "dumb" else plain


def painted(style: str, text: str) -> str:
    """Returns *text*, which is safe to print, in the colour of its style."""
    code = _CODES.get(style)
    return text if code is None else f"\x1b[{code}m{text}\x1b[0m"
