"""Parses expressions of `.gq`: values, variables, properties, functions; no operators.

Rules: GQ009 number out of range, GQ015 unknown function, GQ022 date or time, GQ026 number of
arguments, GQ028 unknown metadata, GQ031 what may stand for a value. Source: languages 2.1, 3.1.
"""

import math
from abc import ABC, abstractmethod
from typing import Final, get_args

from agentctl.languages.query.plan import AggregateName, MetadataName
from agentctl.languages.query.recovery import RecoveringParser
from agentctl.languages.query.syntax import (
    AggregateUse,
    Clause,
    CountUse,
    Expression,
    ListUse,
    LiteralUse,
    MetadataUse,
    NameUse,
    NowUse,
    PropertyUse,
    SearchName,
    SearchUse,
    VariableUse,
)
from agentctl.languages.schema.temporal import parse_date, parse_datetime
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.languages.text.sequence import another
from agentctl.languages.text.suggest import did_you_mean
from agentctl.languages.text.token import Token, TokenKind

AGGREGATES: Final[dict[str, AggregateName]] = {name: name for name in get_args(AggregateName)}
SEARCHES: Final[dict[str, SearchName]] = {name: name for name in get_args(SearchName)}
METADATA: Final[dict[str, MetadataName]] = {name: name for name in get_args(MetadataName)}
ARGUMENT_COUNTS: Final = {
    **dict.fromkeys(AGGREGATES, (1, 1)),
    "now": (0, 0),
    "search": (2, 2),
    "fuzzy": (2, 3),
    "match_text": (2, 2),
    "bm25": (2, 2),
    "nearest": (2, 2),
    "rrf": (2, 3),
}
"""The fewest and the most of each function."""
_SIGNATURES: Final = {
    **{name: f"{name}($a.property)" for name in AGGREGATES},
    "now": "now()",
    "search": "search($a.text, $words)",
    "fuzzy": "fuzzy($a.text, $words, 2)",
    "match_text": "match_text($a.text, $words)",
    "bm25": "bm25($a.text, $words)",
    "nearest": "nearest($a.vector, $query)",
    "rrf": "rrf(nearest($a.vector, $query), bm25($a.text, $words), 60)",
}
MOMENTS: Final = frozenset({"date", "datetime"})
VALUE_WORDS: Final = frozenset({"true", "false", "null"})
ANONYMOUS: Final = "_"
U64_MAX: Final = 2**64 - 1
I64_MAX: Final = 2**63 - 1
TYPES: Final = {scalar: PropertyType(scalar=scalar) for scalar in Scalar}
"""One value of each plain type, for all literals."""

Value = LiteralUse | ListUse | NowUse | VariableUse
_VARIABLE: Final = TokenKind.VARIABLE
_LOWER: Final = TokenKind.LOWER
_STRING: Final = TokenKind.STRING
_NUMBERS: Final = frozenset({TokenKind.INTEGER, TokenKind.FLOAT})


class ExpressionParser(RecoveringParser, ABC):
    """The part of the `.gq` parser below a clause."""

    @abstractmethod
    def clauses(self) -> tuple[Clause, ...]:
        """``'{' clause+ '}'``."""

    def expression(self) -> Expression:
        """``expr := VAR ('.' IDENT | '.' '@' IDENT)? | call | 'count' block | literal | IDENT``."""
        token = self.cursor.peek()
        if token.kind is _VARIABLE:
            return self.variable_or_member()
        if token.kind is _LOWER and token.text not in VALUE_WORDS:
            return self._named(token)
        return self.literal("a value, a variable or a name")

    def value(self) -> Value:
        """``val := literal | VAR | now()``: what a property is given or compared with."""
        cursor = self.cursor
        token = cursor.peek()
        if token.kind is _VARIABLE:
            use = self.variable()
            if cursor.at_mark("."):
                self._no_value(token)
            return use
        if token.kind is not _LOWER or token.text in VALUE_WORDS:
            return self.literal("a value")
        if not cursor.at_mark("(", 1) or not (token.text in MOMENTS or token.text == "now"):
            self._no_value(token)
        return self._now() if token.text == "now" else self._moment()

    def _no_value(self, token: Token) -> None:
        """Halts where an expression stands for a value."""
        if token.kind is _LOWER and not self.cursor.at_mark("(", 1):
            remedy = f'A text is written `"{token.text[:50]}"`.'
        else:
            remedy = "Compare with it in a clause of its own: `$a.x = $b.y`."
        message = "a value here is a literal, a variable or `now()`"
        self.cursor.fail(31, message, token, remedy=remedy)

    def variable(self, wanted: str = "a variable") -> VariableUse:
        """Takes a ``$name``."""
        cursor = self.cursor
        token = (
            cursor.take() if cursor.at_kind(_VARIABLE) else cursor.expect_kind(_VARIABLE, wanted)
        )
        return VariableUse(name=token.text, where=cursor.span(token))

    def variable_or_member(self) -> VariableUse | PropertyUse | MetadataUse:
        """``VAR ('.' IDENT | '.' '@' IDENT)?``."""
        cursor = self.cursor
        first = cursor.take()
        if cursor.accept_mark(".") is None:
            return VariableUse(name=first.text, where=cursor.span(first))
        at = cursor.accept_mark("@")
        if at is not None:
            return self._metadata(first, at)
        name = self.name(_LOWER, "the name of a property")
        return PropertyUse(
            var=first.text,
            property=name.text,
            where=cursor.span(first, name),
            property_where=cursor.span(name),
        )

    def _metadata(self, first: Token, at: Token) -> MetadataUse:
        name = self.cursor.expect_kind(_LOWER, "`id`, `type`, `src` or `dst`")
        if name.text not in METADATA:
            message = f"there is no metadata `@{name.text[:50]}`"
            remedy = did_you_mean(name.text, METADATA, mark="@")
            self.report.parse_error(28, message, (at.start, name.end), remedy=remedy)
        self.added("metadata", at, name)
        return MetadataUse(
            var=first.text,
            name=METADATA.get(name.text, "id"),
            where=self.cursor.span(first, name),
            name_where=self.report.source.span(at.start, name.end),
        )

    def literal(self, wanted: str) -> LiteralUse | ListUse:
        """``literal := list | datetime(STR) | date(STR) | STR | number | true | false | null``."""
        first = self.cursor.peek()
        if first.kind is _STRING:
            return self._literal(first.text, Scalar.STRING, self.cursor.take())
        if first.kind in _NUMBERS or first.is_mark("-"):
            return self.number()
        if first.kind is _LOWER and first.text in VALUE_WORDS:
            return self._word(self.cursor.take())
        if first.kind is _LOWER and first.text in MOMENTS and self.cursor.at_mark("(", 1):
            return self._moment()
        if first.is_mark("["):
            return self.list()
        return self.cursor.surprise(wanted)

    def _word(self, token: Token) -> LiteralUse:
        """``true``, ``false`` or ``null``."""
        if token.text != "null":
            return self._literal(token.text == "true", Scalar.BOOL, token)
        self.added("null-literal", token)
        return LiteralUse(value=None, type=None, where=self.cursor.span(token))

    def _named(self, first: Token) -> Expression:
        """A name: of a function where ``(`` follows, else of an output or a property."""
        cursor = self.cursor
        after = cursor.peek(1)
        if after.is_mark("("):
            return self._call(first)
        if first.text == "count" and after.is_mark("{"):
            return self._count(cursor.take())
        cursor.take()
        return NameUse(name=first.text, where=cursor.span(first))

    def _count(self, first: Token) -> CountUse:
        """``'count' '{' clause+ '}'``; two levels, since an expression is deep in a condition."""
        self.added("count-block", first)
        with self.cursor.nested():
            clauses = self.clauses()
        return CountUse(clauses=clauses, where=self.cursor.span(first, self.cursor.last))

    def _call(self, first: Token) -> Expression:
        """``call := IDENT '(' (expr (',' expr)*)? ')'``."""
        text = first.text
        if text in MOMENTS:
            return self._moment()
        if text == "now":
            return self._now()
        if text not in ARGUMENT_COUNTS:
            self._no_function(first)
        cursor = self.cursor
        cursor.take()
        arguments = self._arguments()
        where = cursor.span(first, cursor.last)
        self._count_arguments(first, len(arguments))
        if text in SEARCHES:
            return SearchUse(function=SEARCHES[text], arguments=arguments, where=where)
        argument = arguments[0] if arguments else VariableUse(name=ANONYMOUS, where=where)
        return AggregateUse(function=AGGREGATES[text], argument=argument, where=where)

    def _no_function(self, first: Token) -> None:
        known = (*ARGUMENT_COUNTS, *sorted(MOMENTS))
        message = f"there is no function {first.describe()}"
        self.cursor.fail(15, message, first, remedy=did_you_mean(first.text, known))

    def _count_arguments(self, first: Token, found: int) -> None:
        """Reports another number of arguments than the function takes."""
        fewest, most = ARGUMENT_COUNTS[first.text]
        if fewest <= found <= most:
            return
        counts = f"{fewest}" if fewest == most else f"{fewest} or {most}"
        message = f"`{first.text}` takes {counts} argument{'s' * (most != 1)}, not {found}"
        place = (first.start, self.cursor.last.end)
        remedy = f"Write `{_SIGNATURES[first.text]}`."
        self.report.parse_error(26, message, place, remedy=remedy)

    def _arguments(self) -> tuple[Expression, ...]:
        cursor = self.cursor
        cursor.expect_mark("(")
        found: list[Expression] = []
        with cursor.nested():
            while not cursor.at_mark(")"):
                found.append(self.expression())
                if not another(cursor, ")"):
                    break
        cursor.expect_mark(")")
        return tuple(found)

    def _now(self) -> NowUse:
        """``'now' '(' ')'``."""
        first = self.cursor.take()
        self._count_arguments(first, len(self._arguments()))
        return NowUse(where=self.cursor.span(first, self.cursor.last))

    def list(self) -> ListUse:
        """``'[' (literal (',' literal)*)? ']'``."""
        cursor = self.cursor
        first = cursor.expect_mark("[")
        items: list[LiteralUse | ListUse] = []
        with cursor.nested():
            while not cursor.at_mark("]"):
                items.append(self._item_of_list())
                if not another(cursor, "]"):
                    break
        close = cursor.expect_mark("]")
        return ListUse(items=tuple(items), where=cursor.span(first, close))

    def _item_of_list(self) -> LiteralUse | ListUse:
        token = self.cursor.peek()
        if token.kind is _VARIABLE or token.is_word("now"):
            self.cursor.fail(
                31,
                f"a list is written with literals, not with {token.describe()}",
                token,
                remedy="Give the whole list as a parameter: `$x.p in $list`.",
            )
        return self.literal("a value")

    def _moment(self) -> LiteralUse:
        """``('date' | 'datetime') '(' STR ')'``."""
        cursor = self.cursor
        first = cursor.take()
        is_date = first.text == "date"
        form = f'{first.text}("2026-11-21{"" if is_date else "T03:30:00Z"}")'
        cursor.expect_mark("(")
        text = cursor.expect_kind(_STRING, remedy=f"Write it as `{form}`.")
        close = cursor.expect_mark(")")
        value = parse_date(text.text) if is_date else parse_datetime(text.text)
        if value is None:
            kind = "day" if is_date else "time"
            message = f"this is no {kind}"
            self.report.parse_error(22, message, text, remedy=f"Write it as `{form}`.")
        return self._literal(value or 0, Scalar.DATE if is_date else Scalar.DATETIME, first, close)

    def number(self) -> LiteralUse:
        """``'-'? (INT | FLOAT)``."""
        cursor = self.cursor
        first = cursor.peek()
        negative = cursor.accept_mark("-") is not None
        if negative:
            self.added("negative-number", first, cursor.peek())
        token = cursor.peek()
        if token.kind is TokenKind.FLOAT:
            return self._float(first, cursor.take(), negative=negative)
        cursor.expect_kind(TokenKind.INTEGER, "a number")
        maximum = I64_MAX + 1 if negative else U64_MAX
        value = cursor.integer(token, maximum=maximum, negative=negative)
        if value <= I64_MAX:
            return self._literal(value, Scalar.I64, first, token)
        self.added("unsigned-number", token)
        return self._literal(value, Scalar.U64, first, token)

    def _float(self, first: Token, token: Token, *, negative: bool) -> LiteralUse:
        number = float(token.text)
        if not math.isfinite(number):
            message = "the number is beyond the range of F64"
            self.report.parse_error(9, message, token, remedy="Write a smaller one.")
            number = 0.0
        if "e" in token.text or "E" in token.text:
            self.added("exponent-number", token)
        return self._literal(-number if negative else number, Scalar.F64, first, token)

    def _literal(
        self, value: str | float, scalar: Scalar, first: Token, last: Token | None = None
    ) -> LiteralUse:
        where = self.cursor.span(first, last)
        return LiteralUse(value=value, type=TYPES[scalar], where=where)
