"""Parses expressions of `.gq`: values, variables, properties, aggregates; no operators.

Functions and forms of the full language that this release does not run are read to their end and
reported; `OPAQUE` then stands in their place, and the declaration is not handed on.

Rules: GQ015 unknown function, GQ022 date or time. Source: languages 2.1, 3.1.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, get_args

from agentctl.languages.query.plan import AggregateName
from agentctl.languages.query.syntax import (
    AggregateUse,
    Expression,
    LiteralUse,
    NameUse,
    PropertyUse,
    VariableUse,
)
from agentctl.languages.schema.temporal import parse_date, parse_datetime
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.report import Report
from agentctl.languages.text.suggest import did_you_mean
from agentctl.languages.text.token import Token, TokenKind

AGGREGATES: Final[dict[str, AggregateName]] = {name: name for name in get_args(AggregateName)}
OTHER_FUNCTIONS: Final = frozenset(
    {"now", "nearest", "search", "fuzzy", "match_text", "bm25", "rrf"}
)
ANONYMOUS: Final = "_"
U64_MAX: Final = 2**64 - 1
I64_MAX: Final = 2**63 - 1


class ExpressionParser:
    """The part of the `.gq` parser below a clause."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.cursor = Cursor(report)
        self.quiet = 0
        """How many constructs around this place are answered as not supported already."""

    def unsupported(self, what: str, first: Token, last: Token | None = None) -> None:
        """Reports a part of the language that this release does not run, once."""
        if not self.quiet:
            self.report.unsupported(what, first.start, (last or self.cursor.last).end)

    @contextmanager
    def within_unsupported(self, what: str, first: Token) -> Iterator[None]:
        """Reports *what* at *first*, and nothing else inside as unsupported."""
        self.unsupported(what, first, first)
        self.quiet += 1
        try:
            yield
        finally:
            self.quiet -= 1

    def expression(self) -> Expression:
        """``expr := function | VAR ('.' IDENT)? | literal | IDENT``."""
        with self.cursor.nested():
            token = self.cursor.peek()
            if token.kind is TokenKind.VARIABLE:
                return self.variable_or_property()
            if token.kind is TokenKind.LOWER and token.text not in {"true", "false", "null"}:
                return self._named()
            return self.literal()

    def variable(self, wanted: str = "a variable") -> VariableUse:
        """Takes a ``$name``."""
        token = self.cursor.expect_kind(TokenKind.VARIABLE, wanted)
        return VariableUse(name=token.text, where=self.cursor.span(token))

    def variable_or_property(self) -> VariableUse | PropertyUse:
        """``VAR ('.' IDENT | '.' '@' IDENT)?``."""
        first = self.cursor.peek()
        use = self.variable()
        if not self.cursor.accept_mark("."):
            return use
        if self.cursor.accept_mark("@"):
            name = self.cursor.expect_kind(TokenKind.LOWER, "`id`, `type`, `src` or `dst`")
            self.unsupported(f"metadata (`.@{name.text[:50]}`)", first, name)
        else:
            name = self.cursor.expect_name(TokenKind.LOWER, "the name of a property")
        return PropertyUse(
            var=use.name,
            property=name.text,
            where=self.cursor.span(first, name),
            property_where=self.cursor.span(name),
        )

    def literal(self) -> LiteralUse:
        """``literal := list | datetime(STR) | date(STR) | STR | number | true | false | null``."""
        first = self.cursor.peek()
        if first.is_mark("-") or first.kind in {TokenKind.INTEGER, TokenKind.FLOAT}:
            return self._number()
        if first.is_word("date") or first.is_word("datetime"):
            return self._moment()
        if first.kind is TokenKind.STRING:
            return self._value(first.text, Scalar.STRING, self.cursor.take())
        if first.is_word("true") or first.is_word("false"):
            return self._value(first.text == "true", Scalar.BOOL, self.cursor.take())
        return self._not_run_literal(first)

    def _not_run_literal(self, first: Token) -> LiteralUse:
        """``null`` and lists, which only the full language has; anything else is a surprise."""
        if first.is_mark("["):
            self._list()
        elif self.cursor.accept_word("null"):
            self.unsupported("`null`", first)
        else:
            self.cursor.surprise("a value, a variable or a name")
        return self._opaque(first)

    def _named(self) -> Expression:
        """A name: of a function where ``(`` follows, else of an output."""
        first = self.cursor.peek()
        if not self.cursor.at_mark("(", 1):
            self.cursor.take()
            return NameUse(name=first.text, where=self.cursor.span(first))
        if first.text in {"date", "datetime"}:
            return self.literal()
        if first.text in AGGREGATES:
            return self._aggregate(AGGREGATES[first.text])
        if first.text in OTHER_FUNCTIONS:
            self.cursor.take()
            with self.within_unsupported(f"the function `{first.text}`", first):
                self._arguments()
            return self._opaque(first)
        known = (*AGGREGATES, *OTHER_FUNCTIONS, "date", "datetime")
        return self.cursor.fail(
            15,
            f"there is no function {first.describe()}",
            first,
            remedy=did_you_mean(first.text, known),
        )

    def _arguments(self) -> None:
        self.cursor.expect_mark("(")
        while not self.cursor.at_mark(")"):
            self.expression()
            if not self.cursor.accept_mark(","):
                break
        self.cursor.expect_mark(")")

    def _aggregate(self, function: AggregateName) -> Expression:
        first = self.cursor.take()
        self.cursor.expect_mark("(")
        argument = self.expression()
        close = self.cursor.expect_mark(")")
        if isinstance(argument, VariableUse | PropertyUse):
            where = self.cursor.span(first, close)
            return AggregateUse(function=function, argument=argument, where=where)
        self.unsupported(f"`{function}` of anything but a variable or a property", first, close)
        return self._opaque(first)

    def _list(self) -> None:
        first = self.cursor.take()
        with self.cursor.nested(), self.within_unsupported("a list literal", first):
            while not self.cursor.at_mark("]"):
                self.literal()
                if not self.cursor.accept_mark(","):
                    break
            self.cursor.expect_mark("]")

    def _moment(self) -> LiteralUse:
        """``date("…")`` or ``datetime("…")``."""
        first = self.cursor.take()
        self.cursor.expect_mark("(")
        text = self.cursor.expect_kind(TokenKind.STRING)
        close = self.cursor.expect_mark(")")
        is_date = first.text == "date"
        value = parse_date(text.text) if is_date else parse_datetime(text.text)
        if value is None:
            form = "2026-11-21" if is_date else "2026-11-21T03:30:00Z"
            kind = "day" if is_date else "time"
            self.report.parse_error(
                22, f"this is no {kind}", text, remedy=f'Write it as `{first.text}("{form}")`.'
            )
        scalar = Scalar.DATE if is_date else Scalar.DATETIME
        return self._value(value or 0, scalar, first, close)

    def _number(self) -> LiteralUse:
        first = self.cursor.peek()
        negative = self.cursor.accept_mark("-") is not None
        token = self.cursor.peek()
        if token.kind is TokenKind.FLOAT:
            self.cursor.take()
            number = float(token.text)
            if not math.isfinite(number):
                self.report.parse_error(9, "the number is beyond the range of F64", token)
                number = 0.0
            return self._value(-number if negative else number, Scalar.F64, first, token)
        self.cursor.expect_kind(TokenKind.INTEGER, "a number")
        maximum = I64_MAX + 1 if negative else U64_MAX
        value = self.cursor.integer(token, maximum=maximum, negative=negative)
        scalar = Scalar.I64 if value <= I64_MAX else Scalar.U64
        return self._value(value, scalar, first, token)

    def _value(
        self, value: str | float, scalar: Scalar, first: Token, last: Token | None = None
    ) -> LiteralUse:
        where = self.cursor.span(first, last)
        return LiteralUse(value=value, type=PropertyType(scalar=scalar), where=where)

    def _opaque(self, first: Token) -> LiteralUse:
        """Stands for what has been reported as not supported."""
        return self._value("", Scalar.STRING, first)
