"""What a sandbox changed, for a terminal and as Markdown.

Both renderings have the same sections, so that a reader finds in one what the other one says.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from agentctl.domain.sandbox.difference import ChangeDiff, RowChange, RowChanges, ServiceChange
from agentctl.foreign import cells
from agentctl.ids import CLUSTER
from agentctl.views.markdown_words import code_span
from agentctl.views.table import value_text
from agentctl.views.wording import counted, paragraph, safe

ENTRIES_MAX: Final = 20
"""Of one section, unless the whole is wanted; the others are counted."""
ROWS_MAX: Final = 6
"""Rows shown of one type, unless the whole is wanted."""
NAME_COLUMN_MAX: Final = 44
"""Where what is told of an entry begins at the latest."""
DECLARATION_CELLS: Final = 160
VALUE_CELLS: Final = 40
ROW_CELLS: Final = 120
COMMAND_CELLS: Final = 120

_NOTHING: Final = "Nothing differs."
_MARKS: Final = {"added": "+", "changed": "~", "removed": "-"}
_HEADINGS: Final = {
    "files": "Files",
    "packages": "Types and properties",
    "services": "Queries, policies, bindings and providers",
    "rows": "Rows by type",
    "commands": "Commands that were run",
}


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line, and those below it; every text is safe already."""

    mark: str
    name: str
    told: str = ""
    below: tuple[str, ...] = ()


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    heading: str
    count: int
    """Of all entries, shown or not."""
    entries: tuple[_Entry, ...]
    """The first ones."""


def render_difference(diff: ChangeDiff, *, whole: bool = False) -> str:
    """Returns the difference for a terminal; long lists are cut, unless the *whole* is wanted."""
    sections = _sections(diff, whole=whole)
    lines = [] if _summary(diff) else [_NOTHING, ""]
    for section in sections:
        lines += [f"{section.heading} ({section.count:,})", *_lines(section.entries)]
        more = section.count - len(section.entries)
        lines += [f"  and {more:,} more", ""] if more else [""]
    summary = _summary(diff)
    return paragraph([*lines, f"Difference: {summary}."] if summary else lines)


def render_difference_markdown(diff: ChangeDiff, *, whole: bool = False) -> str:
    """Returns the difference as a section of Markdown, for a pull request or a chat."""
    lines = ["### What the sandbox changed", ""]
    summary = _summary(diff)
    lines.append(f"{summary[0].upper()}{summary[1:]}." if summary else _NOTHING)
    for section in _sections(diff, whole=whole):
        lines += ["", f"#### {section.heading}", ""]
        for entry in section.entries:
            told = f": {code_span(entry.told)}" if entry.told else ""
            mark = f"{code_span(entry.mark)} " if entry.mark else ""
            lines.append(f"- {mark}{code_span(entry.name)}{told}")
            lines += [f"  - {code_span(line)}" for line in entry.below]
        more = section.count - len(section.entries)
        lines += [f"- and {more:,} more"] if more else []
    return paragraph(lines)


def _lines(entries: Sequence[_Entry]) -> list[str]:
    width = min(max((cells(e.name) for e in entries), default=0), NAME_COLUMN_MAX)
    lines: list[str] = []
    for entry in entries:
        gap = " " * (max(width - cells(entry.name), 0) + 2)
        mark = f"{entry.mark} " if entry.mark else ""
        lines.append(f"  {mark}{entry.name}{gap}{entry.told}")
        lines += [f"      {line}" for line in entry.below]
    return lines


def _summary(diff: ChangeDiff) -> str:
    """Returns how much differs, in a few words; nothing of commands, which change nothing by themselves."""
    files = len(diff.files_added) + len(diff.files_modified) + len(diff.files_removed)
    packages = (diff.packages_added, diff.packages_changed, diff.packages_removed)
    rows = sum(r.added + r.changed + r.removed for r in diff.rows)
    counts = (
        (files, counted(files, "file")),
        (sum(map(len, packages)), counted(sum(map(len, packages)), "declaration")),
        (len(diff.services_changed), counted(len(diff.services_changed), "service")),
        (rows, f"{counted(rows, 'row')} of {counted(len(diff.rows), 'type')}"),
    )
    return ", ".join(words for count, words in counts if count)


def _sections(diff: ChangeDiff, *, whole: bool) -> list[_Section]:
    """Returns the sections that are not empty."""
    found = {
        "files": _files(diff),
        "packages": _packages(diff),
        "services": [_service(change) for change in diff.services_changed],
        "rows": [_type(rows, whole=whole) for rows in diff.rows],
        "commands": [
            _Entry(
                mark="",
                name=safe(command.at, 30),
                told=f"exit {command.exit_code}  {safe(command.cmd, COMMAND_CELLS)}",
            )
            for command in diff.commands_run
        ],
    }
    return [
        _Section(
            heading=_HEADINGS[name],
            count=len(entries),
            entries=tuple(entries if whole else entries[:ENTRIES_MAX]),
        )
        for name, entries in found.items()
        if entries
    ]


def _files(diff: ChangeDiff) -> list[_Entry]:
    return [
        _Entry(mark=mark, name=safe(path))
        for mark, paths in (
            ("+", diff.files_added),
            ("~", diff.files_modified),
            ("-", diff.files_removed),
        )
        for path in paths
    ]


def _packages(diff: ChangeDiff) -> list[_Entry]:
    return [
        *(
            _Entry(mark="+", name=safe(p.name), told=safe(p.version, DECLARATION_CELLS))
            for p in diff.packages_added
        ),
        *(
            _Entry(
                mark="~",
                name=safe(p.name),
                below=(
                    f"was {safe(p.before, DECLARATION_CELLS)}",
                    f"is  {safe(p.after, DECLARATION_CELLS)}",
                ),
            )
            for p in diff.packages_changed
        ),
        *(
            _Entry(mark="-", name=safe(p.name), told=safe(p.version, DECLARATION_CELLS))
            for p in diff.packages_removed
        ),
    ]


def _service(change: ServiceChange) -> _Entry:
    told = ""
    if change.name == CLUSTER:
        told = "its settings" if change.enabled else "the config has errors"
    return _Entry(mark=_MARKS.get(change.state, "~"), name=safe(change.name), told=told)


def _type(rows: RowChanges, *, whole: bool) -> _Entry:
    counts = (("added", rows.added), ("changed", rows.changed), ("removed", rows.removed))
    shown = rows.sample if whole else rows.sample[:ROWS_MAX]
    below = [_row_line(row) for row in shown]
    more = sum(count for _, count in counts) - len(shown)
    below += [f"and {more:,} more"] if below and more > 0 else []
    return _Entry(
        mark="",
        name=safe(f"{rows.graph}.{rows.type_name}"),
        told=", ".join(f"{count:,} {word}" for word, count in counts if count),
        below=tuple(below),
    )


def _row_line(row: RowChange) -> str:
    key = safe(row.key, VALUE_CELLS)
    if row.before is None:
        return _cut(f"+ {key}", _values(row.after or {}))
    if row.after is None:
        return _cut(f"- {key}", _values(row.before))
    return _cut(f"~ {key}", _changed_values(row.before, row.after))


def _cut(head: str, values: Sequence[str]) -> str:
    """Returns *head* and as many of the *values* as fit, and the count of the others."""
    room = ROW_CELLS - cells(head)
    fitting = 0
    for value in values:
        room -= cells(value) + 2
        if room < 0:
            break
        fitting += 1
    more = len(values) - fitting
    shown = [*values[:fitting], *([f"and {more:,} more"] if more else [])]
    return f"{head}: {', '.join(shown)}" if shown else head


def _values(side: Mapping[str, object]) -> list[str]:
    return [f"{safe(n, VALUE_CELLS)} {_value(v)}" for n, v in side.items() if v is not None]


def _changed_values(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    names = [*after, *(name for name in before if name not in after)]
    return [
        f"{safe(name, VALUE_CELLS)} {_value(before.get(name))} -> {_value(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _value(value: object) -> str:
    return "none" if value is None else safe(value_text(value), VALUE_CELLS)
