"""Prints `.gq` text in its one canonical form, with its comments.

A part of a query and a clause of a block stand on a line each; a block of one clause, and whatever
commas separate, stay on one line where they fit. Order, names, values and parentheses stay as they
are written. Commas stand between items and never behind the last one, which OmniGraph 0.10 does not
take. Formatting twice changes nothing, and formatting does not change what is parsed.
"""

from typing import Final

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.outline import Outline, outline
from agentctl.languages.query.parse import QUERY_DIALECT
from agentctl.languages.text.cursor import OPENERS, Cursor
from agentctl.languages.text.layout import Formatted, Gap, Layout
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import read_source
from agentctl.languages.text.token import Token, TokenKind

_CLOSERS: Final = frozenset(OPENERS.values())
_CLINGS_TO_BEFORE: Final = frozenset({".", ":", "?"})
_CLINGS_TO_AFTER: Final = frozenset({".", "@", "-"})
_MARK: Final = TokenKind.MARK


def format_queries(source: bytes, *, file: str) -> Formatted:
    """Returns *source* in canonical form, or its syntax errors; *file* names it in them."""
    text = read_source(source, file=file, dialect=QUERY_DIALECT)
    if isinstance(text, Diagnostic):
        return Formatted(text=None, diagnostics=(text,))
    report = Report(text, QUERY_DIALECT)
    found = outline(report)
    if report.failed:
        return Formatted(text=None, diagnostics=sort_diagnostics(report.all()))
    return Formatted(text=_Formatter(Report(text, QUERY_DIALECT), found).run())


class _Open:
    """A bracket, or a stretch of the outline, that is printed now."""

    def __init__(self, close: Gap, *, grouped: bool, levels: int) -> None:
        self.close = close
        """What stands before the closing mark."""
        self.grouped = grouped
        self.levels = levels
        """How much deeper its lines stand."""


class _Formatter:
    """Puts one token after the other; what stands before each is told by the outline."""

    def __init__(self, report: Report, found: Outline) -> None:
        cursor = Cursor(report)
        self.tokens = cursor.tokens
        self.layout = Layout(report.source, cursor.comments)
        self.outline = found
        self.behind_notes = {c.before for c in cursor.comments if c.text.startswith("//")}
        """Tokens that cannot stay on their line, because a comment ends it."""
        self.open: list[_Open] = []
        self.gap: Gap | None = None
        """What stands before the next token, where the one before has decided it."""

    def run(self) -> str:
        """Returns the whole text."""
        last = len(self.tokens) - 1
        for index, token in enumerate(self.tokens):
            for _ in range(self.outline.ends.get(index, 0)):
                self._pop()
            if index == last:
                break
            if token.is_mark(",") and index not in self.outline.hops:
                self._comma(index)
                continue
            if index in self.outline.loose_items and not self.tokens[index - 1].is_mark(","):
                self._comma(index - 1)
            for _ in range(self.outline.starts.get(index, 0)):
                self.layout.open()
                self.open.append(_Open(Gap.NONE, grouped=True, levels=0))
            self._put(index, token)
        return self.layout.text()

    def _pop(self) -> None:
        """Ends a stretch."""
        for _ in range(self.open.pop().levels):
            self.layout.dedent()
        self.layout.close()

    def _comma(self, index: int) -> None:
        """Prints the comma of that *index*, or one behind it; none before a closing mark."""
        after = self.tokens[index + 1]
        if after.kind is not _MARK or after.text not in _CLOSERS:
            self.layout.insert(",")
            self.gap = Gap.BREAK

    def _put(self, index: int, token: Token) -> None:
        gap, self.gap = self.gap or self._gap_before(index, token), None
        if token.kind is not _MARK or index in self.outline.hops:
            self.layout.put(token, gap)
        elif token.text in OPENERS:
            self._opener(index, token, gap)
        elif token.text in _CLOSERS:
            self._closer(index, token)
        elif token.is_mark("@") and not self.tokens[index - 1].is_mark("."):
            self.layout.indent()
            self.layout.put(token, Gap.BREAK)
            self.layout.dedent()
        else:
            self.layout.put(token, gap)

    def _opener(self, index: int, token: Token, gap: Gap) -> None:
        """Prints an opening bracket, and decides how what it holds is laid out."""
        inside = self._inside(index, token)
        empty = self.tokens[index + 1].text in _CLOSERS
        grouped = inside in {Gap.SOFT, Gap.BREAK}
        if grouped:
            self.layout.open()
        self.layout.put(token, gap)
        levels = 0 if inside is Gap.NONE else 1
        for _ in range(levels):
            self.layout.indent()
        close = Gap.LAST if inside is Gap.FIRST else inside
        self.open.append(_Open(Gap.NONE if empty else close, grouped=grouped, levels=levels))
        self.gap = Gap.NONE if empty else inside

    def _inside(self, index: int, token: Token) -> Gap:
        """Returns the gap behind an opening bracket."""
        if token.text == "[":
            return Gap.SOFT
        if token.text == "(":
            annotation = index > 1 and self.tokens[index - 2].is_mark("@")
            return Gap.NONE if annotation else Gap.SOFT
        several = self.outline.blocks.get(index, 1) > 1
        return Gap.FIRST if several or index in self.outline.bodies else Gap.BREAK

    def _closer(self, index: int, token: Token) -> None:
        opened = self.open.pop()
        first = index - 1 if self.tokens[index - 1].is_mark(",") else index  # that comma goes
        must_break = opened.levels and not self.behind_notes.isdisjoint({first, index})
        for _ in range(opened.levels):
            self.layout.dedent()
        self.layout.put(token, Gap.LAST if must_break else opened.close)
        if opened.grouped:
            self.layout.close()

    def _gap_before(self, index: int, token: Token) -> Gap:
        """Returns what stands before a token that no bracket or comma has spoken for."""
        if index in self.outline.declarations:
            return Gap.APART
        if index in self.outline.lines:
            return Gap.LINE
        if index in self.outline.joints:
            return self._before_joint()
        if index in self.outline.hops or self._clings(index, token):
            return Gap.NONE
        return Gap.BREAK if token.is_mark("|") else Gap.SPACE

    def _before_joint(self) -> Gap:
        """Indents what follows in a clause, once; parentheses have done so."""
        around = self.open[-1]
        if around.levels == 0:
            around.levels = 1
            self.layout.indent()
        return Gap.BREAK

    def _clings(self, index: int, token: Token) -> bool:
        """Whether nothing stands between a token and the one before it."""
        before = self.tokens[index - 1]
        if before.kind is _MARK and before.text in _CLINGS_TO_AFTER:
            return True
        if before.is_mark(":") and index > 1:
            return self._names_edge(index, token)
        if before.is_mark("<") or token.is_mark(">"):
            first = index - 1 if before.is_mark("<") else index - 2
            return self.tokens[first].is_mark("<") and self.tokens[first + 2].is_mark(">")
        if token.kind is not _MARK:
            return False
        if token.text == "(":
            return index not in self.outline.parentheses
        return token.text in _CLINGS_TO_BEFORE

    def _names_edge(self, index: int, token: Token) -> bool:
        """Whether an edge follows the colon before *token*, as in ``$e:knows``."""
        is_variable = self.tokens[index - 2].kind is TokenKind.VARIABLE
        return is_variable and token.kind is not TokenKind.UPPER and not token.is_mark("[")
