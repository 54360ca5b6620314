"""Diagnostics as text for people: one line each, or in full with the places in the sources.

Whatever stands in a diagnostic or in a source may be foreign, so all of it goes through
`agentctl.foreign.show`; nothing here writes an escape sequence of its own: colour is what a face's
`Paint` adds, and without one there is none.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, Related
from agentctl.diagnostics.render.excerpt import Marks, Paint, excerpt, plain
from agentctl.foreign import Foreign, show

LINE_CELLS_MAX: Final = 1000
"""A longer message is cut."""
RELATED_MARK: Final = "~"


def render_concise(found: Diagnostic, *, paint: Paint = plain) -> str:
    """Returns ``file:line:column: severity[code rule]: message``, one line."""
    place = _line(str(found.where) if found.where else found.path)
    return f"{place}: {_headline(found, paint)}"


def render_full(
    found: Diagnostic,
    source: str | None,
    *,
    sources: Mapping[str, str] | None = None,
    paint: Paint = plain,
) -> str:
    """Returns the diagnostic on several lines, without a final line feed.

    Args:
        found: what to render.
        source: the text of the file that `where` names, or None where it is not at hand.
        sources: texts of other files, by the names that the spans of related places have.
        paint: gives colour.
    """
    texts = dict(sources or {})
    if found.where is not None and source is not None:
        texts[found.where.file] = source
    width = _width(found, texts)
    gutter = " " * (width + 2)
    lines = [_headline(found, paint)]
    if found.where is None:
        lines.append(f"  {paint('gutter', '-->')} {_line(found.path)}")
    else:
        lines.append(f"{gutter[1:]}{paint('gutter', '-->')} {_line(str(found.where))}")
        if found.where.file in texts:
            marks = Marks(style=found.severity)
            text = texts[found.where.file]
            lines += excerpt(found.where, text, width=width, marks=marks, paint=paint)
    for related in found.related:
        lines += _related(related, texts, width=width, paint=paint)
    for label, told in (("why", found.detail), ("help", found.remedy)):
        if told:
            lines += _labelled(gutter, label, told, paint)
    return "\n".join(lines)


def as_shown(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Returns *found* sorted by place, each place and mistake once.

    A file that two graphs share is one text: its mistakes are told once, although each of the
    graphs has them.
    """
    once: dict[Diagnostic, Diagnostic] = {}
    for d in sort_diagnostics(found):
        key = msgspec.structs.replace(d, path="") if d.where is not None else d
        once.setdefault(key, d)
    return tuple(once.values())


def counted(found: Iterable[Diagnostic]) -> str:
    """Returns e.g. ``2 errors, 1 warning``; empty for none."""
    severities = [d.severity for d in found]
    counts = {s: severities.count(s) for s in ("error", "warning", "note")}
    return ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for s, n in counts.items() if n)


def _headline(found: Diagnostic, paint: Paint) -> str:
    rule = f" {found.rule}" if found.rule else ""
    label = paint(found.severity, f"{found.severity}[{found.code}{rule}]")
    return f"{label}: {_line(found.message)}"


def _line(text: str) -> str:
    return show(Foreign(text), limit=LINE_CELLS_MAX)


def _width(found: Diagnostic, texts: Mapping[str, str]) -> int:
    """Returns how wide the widest number of a shown line is; 0 where there is no place."""
    if found.where is None and not found.related:
        return 0
    numbers = [1]
    if found.where is not None:
        numbers.append(found.where.line)
        if found.where.file in texts:
            numbers.append(found.where.end_line)
    numbers += [r.where.end_line for r in found.related if r.where.file in texts]
    return len(str(max(numbers)))


def _related(related: Related, texts: Mapping[str, str], *, width: int, paint: Paint) -> list[str]:
    """Returns another place with its excerpt, or on one line where its file is not at hand."""
    place, told = _line(str(related.where)), _line(related.message)
    gutter = " " * (width + 2)
    text = texts.get(related.where.file)
    if text is not None:
        marks = Marks(mark=RELATED_MARK, style="related")
        shown = excerpt(related.where, text, width=width, marks=marks, paint=paint)
        if shown:
            return [f"{gutter[1:]}{paint('gutter', ':::')} {place}: {told}", *shown]
    return [f"{gutter}{paint('gutter', '=')} {place}: {told}"]


def _labelled(gutter: str, label: str, text: str, paint: Paint) -> list[str]:
    """Returns *text* behind its label; further lines stand on lines of their own, indented."""
    first, *rest = text.split("\n")
    indent = gutter + " " * (len(label) + 4)
    head = f"{gutter}{paint('gutter', '=')} {paint('label', label)}: {_line(first)}"
    return [head, *(indent + _line(line) for line in rest)]
