"""Splits a text into tokens; both languages have the same ones.

Linear in the length of the text, whatever it holds: each character is looked at a bounded number
of times, and an unclosed text or comment is looked for once.
"""

import re
import unicodedata
from typing import Final

from agentctl.languages.text.report import Report
from agentctl.languages.text.token import Token, TokenKind

NAME_LENGTH_MAX: Final = 255
BYTE_ORDER_MARK: Final = "\ufeff"
_ESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}

_NAMES: Final = frozenset({TokenKind.UPPER, TokenKind.LOWER, TokenKind.VARIABLE})

_TOKEN: Final = re.compile(
    r"""
      (?P<blank> [ \t\r\n]+ | //[^\n]* )
    | (?P<comment> /\* )
    | (?P<UPPER> [A-Z][A-Za-z0-9_]* )
    | (?P<LOWER> [a-z_][A-Za-z0-9_]* )
    | (?P<VARIABLE> \$ [a-z_][A-Za-z0-9_]* )
    | (?P<FLOAT> [0-9]+ (?: \.[0-9]+ (?: [eE][+-]?[0-9]+ )? | [eE][+-]?[0-9]+ ) )
    | (?P<INTEGER> [0-9]+ )
    | (?P<quote> " )
    | (?P<MARK> -> | \.\. | <= | >= | != | [{}()\[\]:,.@?<>=|-] )
    | (?P<other> [^ \t\r\nA-Za-z0-9_$"{}()\[\]:,.@?<>=|/!-]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def tokens_of(report: Report) -> tuple[Token, ...]:
    """Returns the tokens of the report's source, ended by one `END`; adds problems to *report*."""
    return _Lexer(report).run()


class _Lexer:
    def __init__(self, report: Report) -> None:
        self.report = report
        self.text = report.source.text
        self.tokens: list[Token] = []
        self.position = 0
        self.unclosed_string = False
        """Then every later quote is part of it, and not worth another search."""

    def run(self) -> tuple[Token, ...]:
        if self.text.startswith(BYTE_ORDER_MARK):
            self.report.parse_error(
                2,
                "the file begins with a byte order mark",
                (0, 1),
                remedy="Save it as UTF-8 without a byte order mark.",
            )
            self.position = 1
        while self.position < len(self.text):
            self._step()
        self._emit(TokenKind.END, "", len(self.text), len(self.text))
        return tuple(self.tokens)

    def _step(self) -> None:
        match = _TOKEN.match(self.text, self.position)
        assert match is not None, "the last alternative takes any character"
        start, self.position = match.span()
        match match.lastgroup:
            case "blank":
                pass
            case "comment":
                self._comment(start)
            case "quote":
                self._string(start)
            case "other":
                self._unexpected(start, self.position)
            case "VARIABLE":
                self._emit(
                    TokenKind.VARIABLE,
                    self.text[start + 1 : self.position],
                    start,
                    self.position,
                )
            case name:
                kind = TokenKind[name or "MARK"]
                self._emit(kind, self.text[start : self.position], start, self.position)

    def _comment(self, start: int) -> None:
        close = self.text.find("*/", start + 2)
        if close >= 0:
            self.position = close + 2
            return
        self.position = len(self.text)
        self.report.parse_error(
            8, "the comment is never closed", (start, start + 2), remedy="Close it with `*/`."
        )
        self._emit(TokenKind.BAD, "", start, self.position)

    def _string(self, start: int) -> None:
        match = None if self.unclosed_string else _STRING.match(self.text, start)
        if match is not None:
            self.position = match.end()
            value = self._unescaped(start + 1, match.end() - 1)
            self._emit(TokenKind.STRING, value, start, self.position)
            return
        if not self.unclosed_string:
            self.report.parse_error(
                6,
                "the text is never closed",
                (start, start + 1),
                remedy='Close it with `"`; a quote inside a text is written `\\"`.',
            )
            self.unclosed_string = True
        line_end = self.text.find("\n", start)
        self.position = len(self.text) if line_end < 0 else line_end
        self._emit(TokenKind.BAD, "", start, self.position)

    def _unescaped(self, start: int, end: int) -> str:
        raw = self.text[start:end]
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

    def _unexpected(self, start: int, end: int) -> None:
        character = self.text[start]
        remedy = "Take it out, or put it into a text or a comment."
        if character == "$":
            remedy = "A variable is `$` and a name that begins with a lower-case letter or `_`."
        self.report.parse_error(
            5, f"unexpected character {_named(character)}", (start, end), remedy=remedy
        )
        self._emit(TokenKind.BAD, "", start, end)

    def _emit(self, kind: TokenKind, text: str, start: int, end: int) -> None:
        if kind in _NAMES and len(text) > NAME_LENGTH_MAX:
            message = f"a name has at most {NAME_LENGTH_MAX} characters, this one {len(text)}"
            self.report.parse_error(9, message, (start, end))
            text = text[:NAME_LENGTH_MAX]
        self.tokens.append(Token(kind=kind, text=text, start=start, end=end))


def _named(character: str) -> str:
    """Returns a character so that no terminal is harmed: itself where it is plain ASCII."""
    if "!" <= character <= "~":
        return f"`{character}`"
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")
