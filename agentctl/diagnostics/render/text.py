"""Diagnostics as text for people: one line each, or in full with the place in the source.

Whatever stands in a diagnostic or in a source may be foreign, so all of it goes through
`agentctl.foreign.show`; nothing here writes an escape sequence of its own.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.span import Span
from agentctl.foreign import Foreign, cells, show

TAB_CELLS: Final = 4
LINE_CELLS_MAX: Final = 1000
"""A longer message is cut."""
BEFORE_CHARACTERS_MAX: Final = 60
MARKED_CHARACTERS_MAX: Final = 60
AFTER_CHARACTERS_MAX: Final = 40
"""How much of a long line an excerpt shows before, at and after the marked place."""


def render_concise(found: Diagnostic) -> str:
    """Returns ``file:line:column: severity[code rule]: message``, one line."""
    place = _line(str(found.where) if found.where else found.path)
    return f"{place}: {_headline(found)}"


def render_full(found: Diagnostic, source: str | None) -> str:
    """Returns the diagnostic on several lines, without a final line feed.

    Args:
        found: what to render.
        source: the text of the file that `where` names, or None where it is not at hand.
    """
    lines = [_headline(found)]
    if found.where is None:
        gutter = "  "
        lines.append(f"  --> {_line(found.path)}")
    else:
        gutter = " " * (len(str(found.where.line)) + 2)
        lines.append(f"{gutter[1:]}--> {_line(str(found.where))}")
        lines += _excerpt(found.where, source, gutter)
    for related in found.related:
        lines.append(f"{gutter}= {_line(str(related.where))}: {_line(related.message)}")
    if found.detail:
        lines += _labelled(gutter, "why", found.detail)
    if found.remedy:
        lines += _labelled(gutter, "help", found.remedy)
    return "\n".join(lines)


def render_many(
    found: Iterable[Diagnostic], sources: Mapping[str, str] | None = None, *, full: bool = True
) -> str:
    """Returns all of *found*, sorted, each once, and a line that counts them; empty for none.

    Args:
        found: what to render.
        sources: texts of files by the names that the spans have.
        full: with excerpts, else one line each.
    """
    each = sort_diagnostics(found)
    if not each:
        return ""
    if not full:
        return "\n".join([*map(render_concise, each), _counted(each)])
    texts = sources or {}
    blocks = [render_full(d, texts.get(d.where.file) if d.where else None) for d in each]
    return "\n\n".join([*blocks, _counted(each)])


def _headline(found: Diagnostic) -> str:
    rule = f" {found.rule}" if found.rule else ""
    return f"{found.severity}[{found.code}{rule}]: {_line(found.message)}"


def _line(text: str) -> str:
    return show(Foreign(text), limit=LINE_CELLS_MAX)


def _labelled(gutter: str, label: str, text: str) -> list[str]:
    """Returns *text* behind its label; further lines stand on lines of their own, indented."""
    first, *rest = text.split("\n")
    indent = gutter + " " * (len(label) + 4)
    return [f"{gutter}= {label}: {_line(first)}", *(indent + _line(line) for line in rest)]


def _counted(found: tuple[Diagnostic, ...]) -> str:
    counts = {s: sum(d.severity == s for d in found) for s in ("error", "warning", "note")}
    return ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for s, n in counts.items() if n)


def _excerpt(where: Span, source: str | None, gutter: str) -> list[str]:
    """Returns the first line of the place with carets under it; nothing where it has no such line."""
    lines = source.split("\n") if source is not None else []
    if not 1 <= where.line <= len(lines):
        return []
    line = lines[where.line - 1].removesuffix("\r")
    start = min(where.column - 1, len(line))
    end = where.end_column - 1 if where.end_line == where.line else len(line)
    end = max(start, min(end, len(line), start + MARKED_CHARACTERS_MAX))
    before, marked, after = _shown(line, start, end)
    carets = " " * cells(before) + "^" * max(cells(marked), 1)
    number = str(where.line)
    return [
        f"{gutter}|",
        f" {number} | {before}{marked}{after}".rstrip(),
        f"{gutter}| {carets}",
    ]


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
        shown += show(Foreign(piece), limit=LINE_CELLS_MAX)
    return shown
