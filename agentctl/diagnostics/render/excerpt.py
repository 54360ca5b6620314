"""The lines of a source around a place, with marks under what is meant; safe to print.

Everything shown of a source goes through `agentctl.foreign.show`, long lines are cut around the
place, and a line where the secret detector fires is never shown.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from agentctl.diagnostics.secrets import secret_lines
from agentctl.diagnostics.span import Span
from agentctl.foreign import Foreign, cells, show

TAB_CELLS: Final = 4
BEFORE_CHARACTERS_MAX: Final = 60
MARKED_CHARACTERS_MAX: Final = 60
AFTER_CHARACTERS_MAX: Final = 40
"""How much of a long line an excerpt shows before, at and after the marked place."""
PART_CELLS_MAX: Final = 1000
WITHHELD: Final = "\u2039this line may hold a secret and is not shown\u203a"

Paint = Callable[[str, str], str]
"""Takes the name of a style and a text that is safe to print; returns it with its colour."""


def plain(style: str, text: str) -> str:  # noqa: ARG001  # the form of a Paint
    """Returns *text* without any colour."""
    return text


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """How a place is marked."""

    mark: str = "^"
    style: str = "error"
    """Of the marks, for the *Paint*."""


def excerpt(
    where: Span, source: str, *, width: int, marks: Marks | None = None, paint: Paint = plain
) -> list[str]:
    """Returns the lines of *where* with marks under them; empty where the source has no such line.

    A place of several lines shows its first and its last one, dots between them where some are
    left out.

    Args:
        where: the place.
        source: the whole text of its file.
        width: of the numbers of lines, in cells.
        marks: what stands under the place.
        paint: gives colour to marks and gutter.
    """
    lines = source.split("\n")
    if not 1 <= where.line <= len(lines):
        return []
    marks = marks or Marks()
    hidden = secret_lines(source, file=where.file)
    last = min(max(where.end_line, where.line), len(lines))
    if last > where.line and where.end_column <= 1:
        last -= 1  # it ends before the first character of that line
    blank = paint("gutter", " " * (width + 2) + "|")
    shown = [blank]
    for number in sorted({where.line, last}):
        if number > where.line + 1:
            shown.append(paint("gutter", "..."))
        gutter = paint("gutter", f" {number:>{width}} |")
        if number in hidden:
            shown.append(f"{gutter} {WITHHELD}")
            continue
        line = lines[number - 1].removesuffix("\r")
        start, end = _marked(where, number, line)
        before, marked, after = _shown(line, start, end)
        under = marks.mark * max(cells(marked), 1)
        shown.append(f"{gutter} {before}{marked}{after}".rstrip())
        shown.append(f"{blank} {' ' * cells(before)}{paint(marks.style, under)}")
    return shown


def _marked(where: Span, number: int, line: str) -> tuple[int, int]:
    """Returns which characters of a line the place takes, as offsets."""
    start = where.column - 1 if number == where.line else len(line) - len(line.lstrip())
    end = where.end_column - 1 if number == where.end_line else len(line.rstrip())
    start = max(0, min(start, len(line)))
    return start, max(start, min(end, len(line), start + MARKED_CHARACTERS_MAX))


def _shown(line: str, start: int, end: int) -> tuple[str, str, str]:
    """Returns the three parts of a line, tabs as blanks, safe to print."""
    first = max(0, start - BEFORE_CHARACTERS_MAX)
    last = min(len(line), end + AFTER_CHARACTERS_MAX)
    before = f"\u2039+{first}\u203a" if first else ""
    before += _part(line[first:start], cells(before))
    marked = _part(line[start:end], cells(before))
    after = _part(line[end:last], cells(before + marked))
    return before, marked, after + (f"\u2039+{len(line) - last}\u203a" if last < len(line) else "")


def _part(text: str, column: int) -> str:
    """Returns *text* as it is shown from *column* on; a tab fills up to the next stop."""
    shown = ""
    for index, piece in enumerate(text.split("\t")):
        if index:
            shown += " " * (TAB_CELLS - (column + cells(shown)) % TAB_CELLS)
        shown += show(Foreign(piece), limit=PART_CELLS_MAX)
    return shown
