"""How the `.gq` parser goes on after a mistake, so that one run tells all of them.

Each clause, item, assignment, parameter and mutation is read on its own: what is wrong in one is
reported, and reading goes on at the next that surely begins there, which is one on a line of its
own or behind a comma. Where the surroundings end instead, `OuterHaltError` goes up to what can go
on there: the next part of the query, or the next declaration.
"""

from collections.abc import Callable
from typing import Final, NoReturn

from agentctl.diagnostics.diagnostic import error
from agentctl.diagnostics.span import Span
from agentctl.languages.query.additions import REMEDIES, added_message
from agentctl.languages.text.cursor import OPENERS, Cursor, HaltError
from agentctl.languages.text.report import Report
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import Token, TokenKind

PARTS: Final = ("match", "return", "order", "limit", "offset")
"""Of a read, in their order."""
NAMES: Final = frozenset({TokenKind.LOWER, TokenKind.UPPER})
_CLOSERS: Final = frozenset(OPENERS.values())
_MARK: Final = TokenKind.MARK
_LOWER: Final = TokenKind.LOWER
_END: Final = TokenKind.END

Begins = Callable[[Token, Token], bool]
"""Whether something begins at a token, told by it and the next one."""


class OuterHaltError(HaltError):
    """Neither can the block be read on; the next part, the next declaration or the end comes."""


class RecoveringParser:
    """The part of the `.gq` parser that knows where to go on, and how words are misspelt."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.cursor = Cursor(report)
        self.unbalanced = False
        """Whether brackets of this declaration are known not to match: then one more that is never
        closed is no news."""

    def added(self, feature: str, first: Token, last: Token | None = None) -> None:
        """Notes a construct that OmniGraph 0.10 does not have."""
        place = (first.start, (last or first).end)
        message, remedy = added_message(feature), REMEDIES.get(feature)
        self.report.reads_otherwise("added", feature, message, place, remedy=remedy)

    def mistake(self, number: int, message: str, where: Span, *, remedy: str | None = None) -> None:
        """Reports a break of the grammar at a place that is known as lines and columns."""
        dialect, file = self.report.dialect, self.report.source.file
        rule = dialect.rule(number)
        self.report.add(
            error(dialect.parse_code, file, message, rule=rule, where=where, remedy=remedy)
        )

    def name(self, kind: TokenKind, wanted: str) -> Token:
        """Takes a name; one whose first letter has the wrong case is reported and taken."""
        token = self.cursor.peek()
        if token.kind is kind:
            return self.cursor.take()
        if token.kind not in NAMES:
            return self.cursor.expect_kind(kind, wanted)
        upper = kind is TokenKind.UPPER
        first = token.text[0].upper() if upper else token.text[0].lower()
        self.report.parse_error(
            12,
            f"{wanted} begins with {'an upper' if upper else 'a lower'}-case letter, "
            f"not {token.describe()}",
            token,
            remedy=f"Write `{first}{token.text[1:][:50]}`." if first != token.text[0] else None,
        )
        return self.cursor.take()

    def keyword(self, word: str, *, remedy: str | None = None) -> Token:
        """Takes a keyword; one that is misspelt is reported and taken."""
        token = self.cursor.peek()
        if token.kind in NAMES and token.text != word:
            self.refuse_glued(token, (word,))
            if nearest(token.text, (word,)) is not None:
                self.misspelt(token, word)
                return self.cursor.take()
        return self.cursor.expect_word(word, remedy=remedy)

    def misspelt(self, token: Token, word: str) -> None:
        """Reports that *word* was probably meant."""
        message = f"expected `{word}`, found {token.describe()}"
        self.report.parse_error(10, message, token, remedy=f"Did you mean `{word}`?")

    def refuse_glued(self, token: Token, words: tuple[str, ...]) -> None:
        """Halts where one of the keywords *words* runs into a name, as OmniGraph 0.10 lets it."""
        for word in words:
            rest = token.text[len(word) :]
            if token.kind is _LOWER and rest and token.text.startswith(word):
                self.cursor.fail(
                    11,
                    f"`{word}` is not followed by a space",
                    token,
                    remedy=f"Write `{word} {rest[:50]}`.",
                )

    def opens(self) -> Token:
        """Takes the ``{`` of a block."""
        if self.unbalanced and self.outer_begins(self.cursor.position):
            raise OuterHaltError
        return self.cursor.expect_mark("{")

    def unclosed(self, opener: Token) -> NoReturn:
        """Halts where a block is never closed."""
        if not self.unbalanced:
            self.report.parse_error(
                24,
                f"the `{opener.text}` is never closed",
                opener,
                remedy=f"Close it with `{OPENERS[opener.text]}`.",
            )
        self.unbalanced = True
        raise OuterHaltError

    def outer_begins(self, index: int) -> bool:
        """Whether the token of that *index* cannot be inside a block of a query."""
        tokens = self.cursor.tokens
        token = tokens[index]
        if token.kind is _END:
            return True
        if token.kind is not _LOWER:
            return False
        after = tokens[index + 1]
        if token.text == "query":
            return after.kind in NAMES and tokens[index + 2].is_mark("(")
        return part_begins(token, after)

    def resume(self, start: int, begins: Begins, *, commas: bool = False) -> None:
        """Goes on after a mistake in what began at the token of index *start*.

        Stops behind a comma where *commas* separate, at a line where *begins* holds, or at the
        brace that closes the block; halts where neither comes. What stands in brackets that are
        still open is passed over, but a line that begins at the mistake itself: then it is a
        closing parenthesis that is missing.
        """
        cursor = self.cursor
        tokens = cursor.tokens
        failed = max(cursor.position, start + 1)
        if cursor.peek().kind is TokenKind.BAD:
            self.unbalanced = True  # an unclosed text or comment may hold any bracket
        closing: list[str] = []
        index = start
        while True:
            token = tokens[index]
            if index >= failed or token.kind is _END:
                if self._is_outer(index):
                    self.unbalanced = self.unbalanced or bool(closing) or index == len(tokens) - 1
                    cursor.position = index
                    raise OuterHaltError
                within = closing and (index > failed or "}" in closing)
                if not within and self._goes_on(index, begins, commas=commas):
                    return
            if not _balances(token, closing) and token.text == "}" and index >= failed:
                self.unbalanced = True
                cursor.position = index
                return
            index += 1

    def _goes_on(self, index: int, begins: Begins, *, commas: bool) -> bool:
        """Whether reading can go on at the token of that *index*; then it is the next one."""
        tokens = self.cursor.tokens
        token = tokens[index]
        if commas and token.is_mark(","):
            self.cursor.position = index + 1
            return True
        begun = self._first_of_line(index) and begins(token, tokens[index + 1])
        if begun or token.is_mark("}"):
            self.cursor.position = index
            return True
        return False

    def _is_outer(self, index: int) -> bool:
        before = self.cursor.tokens[index - 1]
        if not self.outer_begins(index):
            return False
        alone = before.is_mark("}") or before.is_mark("{") or self._first_of_line(index)
        return alone or self.cursor.tokens[index].kind is _END

    def _first_of_line(self, index: int) -> bool:
        tokens, text = self.cursor.tokens, self.report.source.text
        return index == 0 or "\n" in text[tokens[index - 1].end : tokens[index].start]


def _balances(token: Token, closing: list[str]) -> bool:
    """Keeps in *closing* what closes the open brackets; returns whether *token* fits to them.

    A closing mark closes also what was opened after its own opening mark.
    """
    if token.kind is not _MARK:
        return True
    if token.text in OPENERS:
        closing.append(OPENERS[token.text])
    elif token.text in _CLOSERS:
        if token.text not in closing:
            return False
        while closing.pop() != token.text:
            pass
    return True


def part_begins(token: Token, after: Token) -> bool:
    """Whether a part of a read begins at *token*, told by it and the next one."""
    if token.kind is not _LOWER or token.text not in PARTS:
        return False
    if token.text in {"limit", "offset"}:
        return after.kind in {TokenKind.INTEGER, TokenKind.VARIABLE}
    return after.is_mark("{") or (token.text == "return" and after.is_word("distinct"))


def declaration_begins(cursor: Cursor) -> bool:
    """Whether ``query name (`` comes next."""
    return cursor.at_word("query") and cursor.peek(1).kind in NAMES and cursor.at_mark("(", 2)
