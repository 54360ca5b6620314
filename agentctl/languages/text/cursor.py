"""Walks over the tokens of one text; both parsers are made of these moves.

A mistake that the parser cannot step over is reported and raised as `HaltError`; the loop over the
declarations catches it and goes on with the next one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from agentctl.diagnostics.span import Span
from agentctl.languages.text.lexer import lex
from agentctl.languages.text.report import Report
from agentctl.languages.text.token import Token, TokenKind

NESTING_DEPTH_MAX: Final = 64
INTEGER_DIGITS_MAX: Final = 20
"""Enough for every 64-bit integer."""
OPENERS: Final = {"{": "}", "(": ")", "[": "]"}
_MARK: Final = TokenKind.MARK
_LOWER: Final = TokenKind.LOWER
"""Bound once: a member of an enum is looked up by Python code."""


class HaltError(Exception):
    """The rest of the declaration cannot be read; what is wrong has been reported."""


class Cursor:
    """A position among tokens."""

    def __init__(self, report: Report) -> None:
        self.report = report
        lexed = lex(report)
        self.tokens = lexed.tokens
        self.comments = lexed.comments
        self._end = len(lexed.tokens) - 1
        self._place = report.source.span
        self.position = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> Token:
        """Returns the token *ahead* of the next one; beyond the last, the `END`."""
        try:
            return self.tokens[self.position + ahead]
        except IndexError:
            return self.tokens[-1]

    def take(self) -> Token:
        """Returns the next token and goes past it, though never past the `END`."""
        position = self.position
        if position < self._end:
            self.position = position + 1
        return self.tokens[position]

    @property
    def last(self) -> Token:
        """The token that was taken last."""
        return self.tokens[max(self.position - 1, 0)]

    def at_end(self) -> bool:
        """Returns whether all tokens are taken."""
        return self.position == self._end

    def at_mark(self, text: str, ahead: int = 0) -> bool:
        """Returns whether that punctuation comes next."""
        token = self.peek(ahead) if ahead else self.tokens[self.position]
        return token.text == text and token.kind is _MARK

    def at_word(self, text: str, ahead: int = 0) -> bool:
        """Returns whether that keyword comes next."""
        token = self.peek(ahead) if ahead else self.tokens[self.position]
        return token.text == text and token.kind is _LOWER

    def at_kind(self, kind: TokenKind, ahead: int = 0) -> bool:
        """Returns whether a token of that kind comes next."""
        return self.peek(ahead).kind is kind

    def accept_mark(self, text: str) -> Token | None:
        """Takes that punctuation if it comes next."""
        token = self.tokens[self.position]
        if token.text != text or token.kind is not _MARK:
            return None
        self.position += 1
        return token

    def accept_word(self, text: str) -> Token | None:
        """Takes that keyword if it comes next."""
        token = self.tokens[self.position]
        if token.text != text or token.kind is not _LOWER:
            return None
        self.position += 1
        return token

    def expect_mark(self, text: str, *, remedy: str | None = None) -> Token:
        """Takes that punctuation, or halts."""
        return self.take() if self.at_mark(text) else self.surprise(f"`{text}`", remedy=remedy)

    def expect_word(self, text: str, *, remedy: str | None = None) -> Token:
        """Takes that keyword, or halts."""
        return self.take() if self.at_word(text) else self.surprise(f"`{text}`", remedy=remedy)

    def expect_kind(
        self, kind: TokenKind, wanted: str | None = None, *, remedy: str | None = None
    ) -> Token:
        """Takes a token of that kind, or halts saying that *wanted* was expected."""
        if self.at_kind(kind):
            return self.take()
        return self.surprise(wanted or kind.value, remedy=remedy)

    def expect_name(self, kind: TokenKind, wanted: str) -> Token:
        """Takes a name; one whose first letter has the wrong case is reported, and taken too."""
        token = self.peek()
        if token.kind is kind:
            return self.take()
        if token.kind not in {TokenKind.UPPER, TokenKind.LOWER}:
            return self.surprise(wanted)
        upper = kind is TokenKind.UPPER
        case = "an upper-case" if upper else "a lower-case"
        first = token.text[0].upper() if upper else token.text[0].lower()
        remedy = f"Write `{first}{token.text[1:][:50]}`."
        if first == token.text[0]:
            remedy = f"Begin it with {case} letter."
        message = f"{wanted} begins with {case} letter, not {token.describe()}"
        self.report.parse_error(12, message, token, remedy=remedy)
        return self.take()

    def integer(self, token: Token, *, maximum: int, negative: bool = False) -> int:
        """Returns the value of an `INTEGER` token; out of range it is reported and 0."""
        digits = token.text.lstrip("0") or "0"
        value = int(digits) if len(digits) <= INTEGER_DIGITS_MAX else maximum + 1
        if value > maximum:
            self.report.parse_error(
                9,
                f"the number is beyond {'-' if negative else ''}{maximum}",
                token,
                remedy="Write a smaller one.",
            )
            return 0
        return -value if negative else value

    def surprise(self, wanted: str, *, remedy: str | None = None) -> NoReturn:
        """Halts: *wanted* was expected, and something else comes next."""
        self.fail(
            10,
            f"expected {wanted}, found {self.peek().describe()}",
            remedy=remedy or f"Write {wanted} here, or look for what is missing just before.",
        )

    def fail(
        self,
        number: int,
        message: str,
        place: Token | tuple[int, int] | None = None,
        *,
        remedy: str | None = None,
    ) -> NoReturn:
        """Halts with a break of that rule, at the next token where no place is given."""
        if place is None and self.at_kind(TokenKind.BAD):
            raise HaltError  # the lexer has reported it
        self.report.parse_error(
            number, message, self.peek() if place is None else place, remedy=remedy
        )
        raise HaltError

    def span(self, first: Token, last: Token | None = None) -> Span:
        """Returns the place from *first* to *last*, or of *first* alone."""
        return self._place(first.start, (last or first).end)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Bounds the depth: halts where braces or expressions nest deeper than the maximum."""
        if self.depth >= NESTING_DEPTH_MAX:
            self.fail(
                4,
                f"nested deeper than {NESTING_DEPTH_MAX} levels",
                remedy="Split it into several clauses or queries.",
            )
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def skip_balanced(self) -> Token:
        """Takes an opening bracket and everything up to its closing one; returns that one."""
        opener = self.take()
        assert opener.text in OPENERS
        closing = [OPENERS[opener.text]]
        while closing:
            token = self.take()
            if token.kind is TokenKind.END:
                self.fail(
                    10,
                    f"the `{opener.text}` is never closed",
                    opener,
                    remedy=f"Close it with `{OPENERS[opener.text]}`.",
                )
            if token.kind is not TokenKind.MARK:
                continue
            if token.text in OPENERS:
                closing.append(OPENERS[token.text])
            elif token.text in OPENERS.values() and token.text != closing.pop():
                self.fail(10, f"unexpected `{token.text}`", token, remedy="Take it out.")
        return self.last

    def skip_until(self, begins: Callable[["Cursor"], bool]) -> None:
        """Goes on to the next place where *begins* holds, or to the end."""
        self.depth = 0
        while not self.at_end() and not begins(self):
            self.take()
