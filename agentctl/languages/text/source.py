"""The text of one file, decoded once, with places in lines and columns.

Both parsers read their bytes through `read_source`; nothing here knows a grammar.
"""

import re
from bisect import bisect_right
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.span import Span, span_at

SOURCE_SIZE_BYTES_MAX: Final = 1 << 20
"""A larger file is refused before it is decoded."""

_FEEDS: Final = re.compile("\n").finditer


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """Which language a text is in: its name, its parse error's code and its rules' prefix.

    Rules 001 to 009 mean the same in both: 001 no UTF-8, 002 byte order mark, 003 too large,
    004 nested too deep, 005 unexpected character, 006 text not closed, 007 unknown escape,
    008 comment not closed, 009 number or name out of range. Rule 010 is any other surprise of the grammar.
    """

    name: str
    parse_code: str
    prefix: str

    def rule(self, number: int) -> str:
        """Returns the rule of that number, e.g. ``PG005``."""
        return f"{self.prefix}{number:03d}"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded file."""

    file: str
    text: str
    line_starts: tuple[int, ...]
    """The offset of each line's first character; lines end with a line feed."""

    def span(self, start: int, end: int) -> Span:
        """Returns the place of ``text[start:end]``."""
        starts = self.line_starts
        line = end_line = bisect_right(starts, start)
        if line < len(starts) and end >= starts[line]:
            end_line = bisect_right(starts, end, line)
        return Span(
            file=self.file,
            line=line,
            column=start - starts[line - 1] + 1,
            end_line=end_line,
            end_column=end - starts[end_line - 1] + 1,
        )


def source_of(text: str, *, file: str) -> Source:
    """Returns *text* with its lines found."""
    starts = (0, *(feed.end() for feed in _FEEDS(text)))
    return Source(file=file, text=text, line_starts=starts)


def read_source(data: bytes, *, file: str, dialect: Dialect) -> Source | Diagnostic:
    """Returns the decoded *data*, or what forbids to read it: its size or its encoding."""
    if len(data) > SOURCE_SIZE_BYTES_MAX:
        return error(
            dialect.parse_code,
            file,
            f"the file has {len(data)} bytes; {dialect.name} files may have {SOURCE_SIZE_BYTES_MAX}",
            rule=dialect.rule(3),
            where=Span(file=file, line=1, column=1, end_line=1, end_column=1),
            remedy="Split it into several files.",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as bad:
        before = data[: bad.start].decode("utf-8")
        return error(
            dialect.parse_code,
            file,
            f"byte 0x{data[bad.start]:02x} at offset {bad.start} is not UTF-8",
            rule=dialect.rule(1),
            where=span_at(file, before + "?", len(before), len(before) + 1),
            remedy="Save the file as UTF-8.",
        )
    return source_of(text, file=file)
