"""The decision page as a widget: its lines, styled by name."""

from collections.abc import Iterable

from rich.text import Text
from textual.widgets import Static

from agentctl.views.decision import Line

STYLES = {
    "header": "reverse",
    "title": "bold",
    "fact": "",
    "risk": "bold yellow",
    "rule": "dim",
    "foreign": "italic",
    "check": "green",
    "keys": "bold",
}
"""Colour is never the only sign: a risk has its ``!``, a check its word."""


class PageView(Static):
    """Lines that were made safe by the view; shown as they are, never read as markup."""

    def show_lines(self, lines: Iterable[Line], *, wrap: bool = False) -> None:
        """Replaces what is shown; what is too wide is cropped, or goes on below where it may *wrap*."""
        text = Text(no_wrap=not wrap, overflow="fold" if wrap else "crop")
        for line in lines:
            text.append(line.text + "\n", style=STYLES[line.style])
        text.right_crop(1)
        self.update(text)
