"""Prints `.pg` text in its one canonical form, with its comments.

Order, names and values stay as they are written; a comma behind the last item goes, since OmniGraph
0.10 does not take it. Formatting twice changes nothing, and formatting keeps the shape digest.
"""

from typing import Final

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.schema.parse import SCHEMA_DIALECT, declaration_begins, parse_schema
from agentctl.languages.schema.property_syntax import CONSTRAINTS
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.layout import Formatted, Gap, Layout
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import read_source
from agentctl.languages.text.token import Token, TokenKind

_CLOSING: Final = frozenset({")", "]"})
_CLINGS_TO_BEFORE: Final = frozenset({":", ",", "?", ")", "]", "..", "("})
_CLINGS_TO_AFTER: Final = frozenset({"(", "[", "@", "..", "-"})


def format_schema(source: bytes, *, file: str) -> Formatted:
    """Returns *source* in canonical form, or its syntax errors; *file* names it in them."""
    text = read_source(source, file=file, dialect=SCHEMA_DIALECT)
    if isinstance(text, Diagnostic):
        return Formatted(text=None, diagnostics=(text,))
    report = Report(text, SCHEMA_DIALECT)
    parse_schema(report)
    if report.failed:
        return Formatted(text=None, diagnostics=sort_diagnostics(report.all()))
    return Formatted(text=_Formatter(Report(text, SCHEMA_DIALECT)).run())


class _Formatter:
    """Walks over tokens that are known to be right, and finds out where it is."""

    def __init__(self, report: Report) -> None:
        self.cursor = Cursor(report)
        self.layout = Layout(report.source, self.cursor.comments)

    def run(self) -> str:
        gap = Gap.LINE
        while not self.cursor.at_end():
            gap = self._declaration(gap)
        return self.layout.text()

    def _declaration(self, gap: Gap) -> Gap:
        """Prints a declaration behind *gap*, or apart if it has a body; returns the next gap."""
        layout, cursor = self.layout, self.cursor
        has_body = self._has_body()
        layout.open()
        layout.put(cursor.take(), Gap.APART if has_body else gap)
        layout.indent()
        while not (cursor.at_end() or cursor.at_mark("{") or declaration_begins(cursor)):
            if cursor.at_mark("@"):
                self._annotation()
            elif cursor.at_word("implements"):
                layout.put(cursor.take(), Gap.BREAK)
            else:
                self._token()
        layout.dedent()
        layout.close()
        if not has_body:
            return Gap.LINE
        self._body()
        return Gap.APART

    def _has_body(self) -> bool:
        tokens = self.cursor.tokens
        position = self.cursor.position
        if tokens[position].text != "edge":
            return True
        while tokens[position].kind is not TokenKind.END:
            position += 1
            token = tokens[position]
            if token.is_mark("{"):
                return True
            if token.kind is TokenKind.LOWER and tokens[position + 1].kind is TokenKind.UPPER:
                return False
        return False

    def _body(self) -> None:
        layout, cursor = self.layout, self.cursor
        opener = cursor.take()
        layout.put(opener)
        layout.indent()
        gap = Gap.FIRST
        while not cursor.at_mark("}"):
            if cursor.at_mark("@"):
                self._constraint(gap)
            else:
                self._property(gap)
            gap = Gap.LINE
        closer = cursor.take()
        layout.dedent()
        if gap is Gap.LINE or self._comment_within(opener, closer):
            layout.put(closer, Gap.LAST)
        else:
            layout.put(closer, Gap.NONE)

    def _comment_within(self, opener: Token, closer: Token) -> bool:
        between = self.cursor.report.source.text[opener.end : closer.start]
        return bool(between.strip())

    def _property(self, gap: Gap) -> None:
        layout, cursor = self.layout, self.cursor
        layout.open()
        layout.put(cursor.take(), gap)
        layout.put(cursor.take(), Gap.NONE)
        self._type()
        if cursor.at_mark("="):
            layout.put(cursor.take())
            self._default()
        layout.indent()
        while cursor.at_mark("@") and not self._constraint_follows():
            self._annotation()
        layout.dedent()
        layout.close()

    def _type(self) -> None:
        """Prints a type; the values of an enum stay in one piece each."""
        cursor = self.cursor
        if cursor.at_mark("["):
            self._sequence(Gap.SPACE)
        else:
            word = cursor.take()
            self.layout.put(word)
            if cursor.at_mark("("):
                self._sequence(Gap.NONE)
        if cursor.at_mark("?"):
            self.layout.put(cursor.take(), Gap.NONE)

    def _default(self) -> None:
        if self.cursor.at_mark("["):
            self._sequence(Gap.SPACE)
            return
        sign = self.cursor.accept_mark("-")
        if sign is not None:
            self.layout.put(sign)
        self.layout.put(self.cursor.take(), Gap.NONE if sign else Gap.SPACE)
        if self.cursor.at_mark("("):
            self._sequence(Gap.NONE)

    def _sequence(self, gap: Gap) -> None:
        """Prints brackets and what they hold, an item a line where it does not fit."""
        layout, cursor = self.layout, self.cursor
        layout.open()
        layout.put(cursor.take(), gap)
        layout.indent()
        next_gap = Gap.SOFT
        while not (cursor.at_mark(")") or cursor.at_mark("]")):
            comma = cursor.accept_mark(",")
            if comma is not None:
                if cursor.peek().text not in _CLOSING:
                    layout.put(comma, Gap.NONE)
                    next_gap = Gap.BREAK
                continue
            self._item(next_gap)
        layout.dedent()
        layout.put(cursor.take(), Gap.SOFT if next_gap is not Gap.SOFT else Gap.NONE)
        layout.close()

    def _item(self, gap: Gap) -> None:
        """Prints tokens up to the next comma or the closing bracket."""
        cursor = self.cursor
        last = cursor.take()
        self.layout.put(last, gap)
        while not (cursor.at_mark(",") or cursor.at_mark(")") or cursor.at_mark("]")):
            if cursor.at_mark("("):
                self._sequence(Gap.NONE)
                continue
            token = cursor.take()
            self.layout.put(token, Gap.NONE)

    def _annotation(self) -> None:
        """Prints an annotation, which is never broken inside."""
        self.layout.put(self.cursor.take(), Gap.BREAK)
        self.layout.put(self.cursor.take(), Gap.NONE)
        if not self.cursor.at_mark("("):
            return
        while not self.cursor.at_mark(")"):
            self._token()
        self._token()

    def _constraint(self, gap: Gap) -> None:
        self.layout.put(self.cursor.take(), gap)
        self.layout.put(self.cursor.take(), Gap.NONE)
        self._sequence(Gap.NONE)

    def _constraint_follows(self) -> bool:
        return self.cursor.peek(1).text in CONSTRAINTS and self.cursor.at_mark("(", 2)

    def _token(self) -> None:
        """Prints the next token with the usual gap; leaves a comma behind the last item out."""
        before = self.cursor.last
        token = self.cursor.take()
        if token.is_mark(",") and self.cursor.peek().text in _AFTER_LAST:
            return
        clings = (
            (token.kind is TokenKind.MARK and token.text in _CLINGS_TO_BEFORE)
            or (before.kind is TokenKind.MARK and before.text in _CLINGS_TO_AFTER)
            or token.is_mark("=")
            or before.is_mark("=")
        )
        self.layout.put(token, Gap.NONE if clings else Gap.SPACE)


_AFTER_LAST: Final = _CLOSING | {"{"}
