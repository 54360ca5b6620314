"""Prints tokens again, with their comments, within a line width; the formatters are made of this.

A formatter puts the tokens of a text without syntax errors, in their order, and says for each what
stands before it (`Gap`). It opens and closes groups: the `SOFT` and `BREAK` gaps of one group
become lines together, where the group does not fit. Comments need no care: those between the last
token put and the next one are printed there, on a line of their own exactly where they had one.
Tokens that are not put are left out.

Example:
    ``layout.put(name, Gap.LINE); layout.put(colon, Gap.NONE); layout.put(type, Gap.SPACE)``
"""

import enum
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.text.lexer import Comment
from agentctl.languages.text.source import Source
from agentctl.languages.text.token import Token

LINE_WIDTH: Final = 100
INDENT: Final = "  "


class Formatted(msgspec.Struct, frozen=True, kw_only=True):
    """A formatted text, or what forbids to format it."""

    text: str | None
    """None where the text has syntax errors."""
    diagnostics: tuple[Diagnostic, ...] = ()


class Gap(enum.Enum):
    """What stands before a token."""

    NONE = "nothing"
    SPACE = "a space"
    SOFT = "nothing, or a new line where the group is broken"
    BREAK = "a space, or a new line where the group is broken"
    LINE = "a new line; one blank line of the text stays"
    FIRST = "a new line, no blank line: the first line of a block"
    LAST = "a new line, no blank line before it: the closing mark of a block"
    APART = "a new line with a blank line"


_SOFT_KINDS: Final = frozenset({Gap.SOFT, Gap.BREAK})
_LINE_KINDS: Final = frozenset({Gap.LINE, Gap.FIRST, Gap.LAST, Gap.APART})


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    width: int


class _Space(msgspec.Struct, frozen=True, kw_only=True):
    """A gap that is decided: blanks, or a line that depends on its group or is certain."""

    flat: str
    """What it is on one line."""
    level: int
    may_break: bool = False
    hard: bool = False
    blank: bool = False


class _Open(msgspec.Struct, frozen=True, kw_only=True):
    pass


class _Close(msgspec.Struct, frozen=True, kw_only=True):
    pass


_Item = _Text | _Space | _Open | _Close


class Layout:
    """Collects the tokens of one text and prints them."""

    def __init__(self, source: Source, comments: tuple[Comment, ...]) -> None:
        self._source = source.text
        self._comments = comments
        self._next_comment = 0
        self._end = 0
        """Offset behind the token or comment that was put last."""
        self._items: list[_Item] = []
        self._level = 0
        self._opens_waiting = 0

    def put(self, token: Token, gap: Gap = Gap.SPACE) -> None:
        """Prints *token* as it is written, behind *gap* and the comments before it."""
        self._gap(gap, token.start)
        self._text(self._source[token.start : token.end])
        self._end = token.end

    def insert(self, text: str, gap: Gap = Gap.NONE) -> None:
        """Prints *text*, which the source does not hold; comments wait for the next token."""
        if self._items:
            self._items.append(self._decided(gap, self._level, blank=False))
        self._flush()
        self._text(text)

    def open(self) -> None:
        """Begins a group right before the next token, behind its gap."""
        self._opens_waiting += 1

    def close(self) -> None:
        """Ends the group that was opened last."""
        if self._opens_waiting:
            self._opens_waiting -= 1
        else:
            self._items.append(_Close())

    def indent(self) -> None:
        """Lines from here on stand one level deeper."""
        self._level += 1

    def dedent(self) -> None:
        """Lines from here on stand one level less deep."""
        assert self._level > 0
        self._level -= 1

    def text(self) -> str:
        """Returns the printed text with the comments at its end; empty or ended by a line feed."""
        self._gap(None, len(self._source))
        printed = _print(self._items)
        return printed + "\n" if printed else ""

    def _gap(self, gap: Gap | None, start: int) -> None:
        """Prints what stands before offset *start*; no *gap* is the end of the text."""
        comments = self._comments_before(start)
        if not comments:
            if gap is not None and self._items:
                self._items.append(self._decided(gap, self._level, blank=self._blank(start)))
        else:
            self._commented(gap, comments, start)
        self._flush()

    def _flush(self) -> None:
        self._items.extend([_Open()] * self._opens_waiting)
        self._opens_waiting = 0

    def _comments_before(self, start: int) -> tuple[Comment, ...]:
        first = self._next_comment
        while (
            self._next_comment < len(self._comments)
            and self._comments[self._next_comment].start < start
        ):
            self._next_comment += 1
        return self._comments[first : self._next_comment]

    def _blank(self, start: int) -> bool:
        return self._source.count("\n", self._end, start) > 1

    def _commented(self, gap: Gap | None, comments: tuple[Comment, ...], start: int) -> None:
        """Prints *comments*, and a gap before each and behind the last."""
        places = [*((c.start, c.end) for c in comments), (start, start)]
        lines: list[int] = []
        """Line feeds of the text before each comment and behind the last."""
        for begin, end in places:
            lines.append(self._source.count("\n", self._end, begin))
            self._end = end
        self._end = comments[-1].end
        ends_line = [False, *(c.text.startswith("//") for c in comments)]
        spaces = self._boundaries(gap, lines, ends_line)
        for space, comment in zip(spaces, comments, strict=False):
            if self._items:
                self._items.append(space)
            text = comment.text.rstrip() if comment.text.startswith("//") else comment.text
            self._text(text, width=0 if comment.text.startswith("//") else None)
        if gap is not None:
            self._items.append(spaces[-1])

    def _boundaries(self, gap: Gap | None, lines: list[int], ends_line: list[bool]) -> list[_Space]:
        """Returns the gap before each comment and behind the last.

        *lines* counts the line feeds that the text has there, *ends_line* says where one is needed.
        """
        level = self._level
        if gap in _SOFT_KINDS and not any(ends_line):
            soft = [n > 0 for n in lines]
            soft[-1] = soft[-1] or not any(soft)
            return [_Space(flat=" ", level=level, may_break=s) for s in soft]
        if gap in {Gap.NONE, Gap.SPACE}:
            own = [*ends_line[1:], False]  # the one before a line comment stays where it is
            hard = [e or (o and n > 0) for e, o, n in zip(ends_line, own, lines, strict=True)]
            return [_Space(flat=" ", level=level + 1, hard=h) for h in hard]
        hard = [e or n > 0 for e, n in zip(ends_line, lines, strict=True)]
        if gap is not None and self._items and not any(hard):
            hard[-1] = True
        blank = [h and n > 1 for h, n in zip(hard, lines, strict=True)]
        if gap is Gap.FIRST:
            blank[hard.index(True)] = False
        elif gap is Gap.LAST:
            blank[len(hard) - 1 - hard[::-1].index(True)] = False
        elif gap is Gap.APART and self._items and not any(blank):
            blank[hard.index(True)] = True
        inside = level + 1 if gap is Gap.LAST else level
        levels = [*(inside for _ in hard[1:]), level]
        return [
            _Space(flat=" ", level=at, hard=h, blank=b)
            for at, h, b in zip(levels, hard, blank, strict=True)
        ]

    def _decided(self, gap: Gap, level: int, *, blank: bool) -> _Space:
        return _Space(
            flat="" if gap in {Gap.NONE, Gap.SOFT} else " ",
            level=level,
            may_break=gap in _SOFT_KINDS,
            hard=gap in _LINE_KINDS,
            blank=gap is Gap.APART or (blank and gap is Gap.LINE),
        )

    def _text(self, text: str, width: int | None = None) -> None:
        self._items.append(_Text(text=text, width=len(text) if width is None else width))


def _print(items: list[_Item]) -> str:
    """Returns the text of *items*; linear in their number."""
    fits = _measure(items)
    parts: list[str] = []
    column = 0
    broken: list[bool] = []
    for index, item in enumerate(items):
        match item:
            case _Open():
                flat_outside = bool(broken) and not broken[-1]
                broken.append(not flat_outside and column + fits[index] > LINE_WIDTH)
            case _Close():
                broken.pop()
            case _Text():
                parts.append(item.text)
                line = item.text.rfind("\n")
                column = column + len(item.text) if line < 0 else len(item.text) - line - 1
            case _Space():
                if item.hard or (item.may_break and broken and broken[-1]):
                    parts.append("\n\n" if item.blank else "\n")
                    parts.append(INDENT * item.level)
                    column = len(INDENT) * item.level
                else:
                    parts.append(item.flat)
                    column += len(item.flat)
    return "".join(parts)


_NEVER: Final = 1 << 40
"""The width of what cannot stand on one line."""


def _measure(items: list[_Item]) -> dict[int, int]:
    """Returns for each opening the width that its group asks for on one line.

    That is the group's and that of what follows it up to the next possible line.
    """
    after = 0
    """Width from here to the next possible line."""
    total = 0
    """Width of everything behind, all on one line; what cannot be counts `_NEVER`."""
    ends: list[tuple[int, int]] = []
    widths: dict[int, int] = {}
    for index in range(len(items) - 1, -1, -1):
        match items[index]:
            case _Close():
                ends.append((total, after))
            case _Open():
                total_at_end, after_end = ends.pop()
                widths[index] = total - total_at_end + after_end
            case _Text(text=text, width=width):
                after += width
                total += _NEVER if "\n" in text else width
            case _Space(flat=flat, hard=hard, may_break=may_break):
                after = 0 if hard or may_break else after + len(flat)
                total += _NEVER if hard else len(flat)
    return widths
