"""Splits a text into tokens; both languages have the same ones.

One regular expression cuts the whole text into pieces, none left out: each is a token or a comment
with the blanks behind it, and its first character tells what it is. Linear in the length of the text, whatever it holds: an unclosed text or
comment takes the rest, so that it is looked for once.
"""

import re
import unicodedata
from itertools import accumulate
from sys import intern
from typing import Final

import msgspec

from agentctl.languages.text.report import Report
from agentctl.languages.text.token import Token, TokenKind

NAME_LENGTH_MAX: Final = 255
BYTE_ORDER_MARK: Final = "\ufeff"
_ESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}

_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PIECE: Final = r"""
    (?: [A-Za-z_][A-Za-z0-9_]*
      | -> | \.\. | <= | >= | != | [{}()\[\]:,.@?<>=|-]
      | \$ (?: [a-z_][A-Za-z0-9_]* )?
      | [0-9]+ (?: \.[0-9]+ (?: [eE][+-]?[0-9]+ )? | [eE][+-]?[0-9]+ )?
      | //[^\n]* | /\* (?: [^*]*+ \*++ (?: [^/*][^*]*+ \*++ )*+ / | .* )
      | %s
      | [^ \t\r\nA-Za-z0-9_$"{}()\[\]:,.@?<>=|/!-]+ | .
    ) [ \t\r\n]*+
"""
_PIECES: Final = re.compile(_PIECE % rf'{_STRING} | ".*', re.VERBOSE | re.DOTALL)
"""An unclosed quote takes the rest of the text."""
_LATER_PIECES: Final = re.compile(_PIECE % r'"[^\n]*', re.VERBOSE | re.DOTALL)
"""Behind an unclosed quote: every later one is part of the same mistake, to the end of its line."""
_CLOSED_STRING: Final = re.compile(_STRING, re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

_REMEDIES: Final = {
    "$": "A variable is `$` and a name that begins with a lower-case letter or `_`.",
    "#": "A comment begins with `//`.",
    **dict.fromkeys("'`\u2018\u2019\u201c\u201d", 'A text is written in double quotes: `"…"`.'),
}
"""By the first character of what no token begins with."""
_QUERY_REMEDIES: Final = {
    **_REMEDIES,
    "&": "Conditions are joined by `and`.",
    "!": "Conditions are negated by `not`.",
}
_REPEATS: Final = frozenset("*+")
_UNSURE: Final = None
Sort = tuple[TokenKind, str, int]
"""What a piece is: its kind, its text as a token has it, and its length without blanks."""

_KIND_OF_FIRST: Final[dict[str, TokenKind]] = {
    **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", TokenKind.UPPER),
    **dict.fromkeys("abcdefghijklmnopqrstuvwxyz_", TokenKind.LOWER),
    **dict.fromkeys("{}()[]:,.@?<>=|-", TokenKind.MARK),
}
_DIGITS: Final = frozenset("0123456789")
_BLANKS: Final = " \t\r\n"
_SORTS_MAX: Final = 1 << 14
"""How many pieces are remembered at a time."""


class _Sorts(dict[str, Sort | None]):
    """What short pieces are; None for what must be looked at closely.

    The same pieces come again and again, so they are remembered; a token's text is then always the
    same object, which the parsers compare quickly.
    """

    def __missing__(self, piece: str) -> Sort | None:
        if len(piece) > NAME_LENGTH_MAX:
            return _UNSURE
        if len(self) >= _SORTS_MAX:
            self.clear()
        self[piece] = sort = _sort_of(piece.rstrip(_BLANKS))
        return sort


def _sort_of(bare: str) -> Sort | None:
    first, length = bare[:1], len(bare)
    kind = _KIND_OF_FIRST.get(first)
    if kind is not None:
        return kind, intern(bare), length
    if first == "$" and length > 1:
        return TokenKind.VARIABLE, intern(bare[1:]), length
    if first in _DIGITS:
        return (TokenKind.INTEGER if bare.isdigit() else TokenKind.FLOAT), bare, length
    return (TokenKind.MARK, bare, length) if bare == "!=" else _UNSURE


_SORTS: Final = _Sorts()


class Comment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A comment and where it stands among the tokens; the formatters keep them."""

    text: str
    """As written, with its marks, without the line feed."""
    start: int
    """Offset of its first character."""
    end: int
    before: int
    """Index of the token that comes next."""


class Lexed(msgspec.Struct, frozen=True, kw_only=True):
    """A text cut into tokens, and what stands between them."""

    tokens: tuple[Token, ...]
    """Ended by one `END`."""
    comments: tuple[Comment, ...]


def lex(report: Report) -> Lexed:
    """Returns the tokens and comments of the report's source; adds problems to *report*."""
    lexer = _Lexer(report)
    lexer.run()
    return Lexed(tokens=tuple(lexer.tokens), comments=tuple(lexer.comments))


class _Lexer:
    def __init__(self, report: Report) -> None:
        self.report = report
        self.text = report.source.text
        self.tokens: list[Token] = []
        self.comments: list[Comment] = []

    def run(self) -> None:
        text = self.text
        start = 0
        if text.startswith(BYTE_ORDER_MARK):
            self.report.parse_error(
                2,
                "the file begins with a byte order mark",
                (0, 1),
                remedy="Save it as UTF-8 without a byte order mark.",
            )
            start = 1
        start += len(text) - start - len(text[start:].lstrip(_BLANKS))
        pieces = _PIECES.findall(text, start)
        if pieces and pieces[-1][0] == '"' and not _is_closed(pieces[-1]):
            pieces = self._unclosed(pieces)
        self._sort(pieces, start)
        end = len(text)
        self.tokens.append(Token(kind=TokenKind.END, text="", start=end, end=end))

    def _unclosed(self, pieces: list[str]) -> list[str]:
        """Returns the pieces with the unclosed text at their end cut at its first line."""
        rest = pieces.pop()
        start = len(self.text) - len(rest)
        self.report.parse_error(
            6,
            "the text is never closed",
            (start, start + 1),
            remedy='Close it with `"`; a quote inside a text is written `\\"`.',
        )
        line, feed, later = rest.partition("\n")
        bare = later.lstrip(_BLANKS)
        blanks = later[: len(later) - len(bare)]
        return [*pieces, line + feed + blanks, *_LATER_PIECES.findall(bare)]

    def _sort(self, pieces: list[str], start: int) -> None:
        """Makes a token of each piece that is no comment."""
        sorts, emit = _SORTS, self.tokens.append
        for piece, at in zip(pieces, accumulate(map(len, pieces), initial=start), strict=False):
            sort = sorts[piece]
            if sort is not None:
                kind, text, length = sort
                emit(Token(kind=kind, text=text, start=at, end=at + length))
            else:
                self._look(piece, at)

    def _look(self, piece: str, start: int) -> None:
        """Takes a piece that is long, or a text, a comment, or nothing that the grammar has."""
        first, bare = piece[0], piece.rstrip(_BLANKS)
        end = start + len(bare)
        if first == "/" and len(bare) > 1:
            self._comment(piece, start)
            return
        kind, text = TokenKind.BAD, ""
        if first == '"':
            if _is_closed(piece):
                kind, text = TokenKind.STRING, self._unescaped(bare[1:-1], start + 1)
            else:
                end = start + len(piece.partition("\n")[0])
        elif first in _DIGITS:
            kind, text = (TokenKind.INTEGER if bare.isdigit() else TokenKind.FLOAT), bare
        elif first in _KIND_OF_FIRST:
            kind, text = _KIND_OF_FIRST[first], self._name(bare, start, end)
        elif first == "$" and len(bare) > 1:
            kind, text = TokenKind.VARIABLE, self._name(bare[1:], start, end)
        else:
            self._unexpected(bare, start)
        self.tokens.append(Token(kind=kind, text=text, start=start, end=end))

    def _name(self, text: str, start: int, end: int) -> str:
        if len(text) <= NAME_LENGTH_MAX:
            return text
        message = f"a name has at most {NAME_LENGTH_MAX} characters, this one {len(text)}"
        self.report.parse_error(9, message, (start, end), remedy="Shorten it.")
        return text[:NAME_LENGTH_MAX]

    def _comment(self, piece: str, start: int) -> None:
        text = piece.partition("\n")[0] if piece[1] == "/" else piece.rstrip(_BLANKS)
        if piece[1] == "/" or (len(text) > 3 and text.endswith("*/")):
            end = start + len(text)
            comment = Comment(text=text, start=start, end=end, before=len(self.tokens))
            self.comments.append(comment)
            return
        self.report.parse_error(
            8, "the comment is never closed", (start, start + 2), remedy="Close it with `*/`."
        )
        end = start + len(piece)
        self.tokens.append(Token(kind=TokenKind.BAD, text="", start=start, end=end))

    def _unescaped(self, raw: str, start: int) -> str:
        if "\\" not in raw:
            return raw

        def plain(found: re.Match[str]) -> str:
            known = _ESCAPES.get(found[1])
            if known is None:
                place = (start + found.start(), start + found.end())
                self.report.parse_error(
                    7,
                    f"unknown escape: a backslash before {_named(found[1])}",
                    place,
                    remedy='The escapes are `\\"`, `\\\\`, `\\n`, `\\r` and `\\t`; '
                    "a backslash itself is `\\\\`.",
                )
            return found[1] if known is None else known

        return _ESCAPE.sub(plain, raw)

    def _hops(self, mark: str) -> str | None:
        """Returns how the hops of ``knows*`` are written in a query; None for any other place."""
        if mark not in _REPEATS or len(self.tokens) < 2 or self.report.dialect.name != ".gq":
            return None
        earlier, before = self.tokens[-2:]
        if before.kind is TokenKind.LOWER and not earlier.is_mark("."):
            return f"Hops have bounds: write `{before.text[:50]}{{1,3}}` for one to three."
        return None

    def _unexpected(self, piece: str, start: int) -> None:
        usual = "Take it out, or put it into a text or a comment."
        known = _QUERY_REMEDIES if self.report.dialect.name == ".gq" else _REMEDIES
        remedy = self._hops(piece[0]) or known.get(piece[0], usual)
        message = f"unexpected character {_named(piece[0])}"
        self.report.parse_error(5, message, (start, start + len(piece)), remedy=remedy)


def _is_closed(piece: str) -> bool:
    """Returns whether a piece that begins with a quote is a text."""
    bare = piece.rstrip(_BLANKS)
    return len(bare) > 1 and _CLOSED_STRING.fullmatch(bare) is not None


def _named(character: str) -> str:
    """Returns a character so that no terminal is harmed: itself where it is plain ASCII."""
    if "!" <= character <= "~":
        return f"`{character}`"
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")
