"""Parses the constraints of a `.pg` body: `@key`, `@unique`, `@index`, `@range`, `@check`.

Directly behind a property they look like its annotations and are none: the parenthesis makes them
constraints of the body. What is written wrong for that reason gets the right spelling.
Rules: PG015 arguments, PG017 bounds, PG038 a range that 0.10 reads otherwise.
Source: languages 1.1, 2.7, 3.2.
"""

from typing import Final, NoReturn, cast

from agentctl.languages.schema.literal_syntax import number_begins, read_literal, read_number
from agentctl.languages.schema.property_syntax import CONSTRAINTS, PropertyParser
from agentctl.languages.schema.syntax import (
    Bounds,
    ConstraintName,
    ConstraintSyntax,
    Literal,
    Name,
)
from agentctl.languages.text.sequence import another, close
from agentctl.languages.text.token import Token, TokenKind

_LOWER: Final = TokenKind.LOWER
"""Bound once: a member of an enum is looked up by Python code."""
Argument = Name | Literal | Bounds


class ConstraintParser(PropertyParser):
    """The part of the `.pg` parser that reads constraints."""

    def constraint(self, before: str | None) -> ConstraintSyntax | None:
        """``bodyc := '@' (key|unique|index|range|check) '(' carg (',' carg)* ')'``.

        *before* is the property that it follows directly. None where its arguments are wrong.
        """
        at = self.cursor.take()
        word = self.cursor.peek()
        if word.text not in CONSTRAINTS or not self.cursor.at_mark("(", 1):
            self._no_constraint(word)
        self.cursor.take()
        arguments = self._constraint_arguments()
        where = (at.start, self.cursor.last.end)
        named = arguments[0].text if arguments and isinstance(arguments[0], Name) else before
        shown = (named or "name")[:50]
        match word.text:
            case "range":
                return self._range(arguments, where, shown)
            case "check":
                return self._check(arguments, where, shown)
            case name:
                return self._columns(cast("ConstraintName", name), arguments, where, shown)

    def _no_constraint(self, word: Token) -> NoReturn:
        """Halts at an annotation that belongs to nothing."""
        if word.text in CONSTRAINTS:
            self.cursor.fail(
                15,
                f"`@{word.text}` in a body names its properties",
                word,
                remedy=f"Write `@{word.text}(…)`, or put `@{word.text}` right behind a property.",
            )
        if word.kind is _LOWER:
            self.cursor.fail(
                15,
                f"`@{word.text[:50]}` is no constraint, and here it belongs to no property",
                word,
                remedy="Put it before the constraints, right behind the property, or on the type. "
                "A body takes `@key`, `@unique`, `@index`, `@range` and `@check`.",
            )
        self.cursor.surprise("a constraint", remedy="A body takes `@key(…)` and its kind.")

    def _constraint_arguments(self) -> tuple[Argument, ...]:
        """``'(' carg (',' carg)* ')'``."""
        self.cursor.expect_mark("(")
        found: list[Argument] = []
        while not self.cursor.at_mark(")"):
            found.append(self._constraint_argument())
            if not another(self.cursor, ")"):
                break
        close(self.cursor, ")")
        return tuple(found)

    def _constraint_argument(self) -> Argument:
        """``carg := range | literal | IDENT``, ``range := NUM '..' NUM? | '..' NUM``."""
        cursor = self.cursor
        first = cursor.peek()
        if first.kind is _LOWER and first.text not in {"true", "false"}:
            cursor.take()
            self.prefix_of_bool(first)
            return Name(text=first.text, where=cursor.span(first))
        minimum = read_number(cursor, signed_in_old=True) if number_begins(cursor) else None
        if cursor.accept_mark("..") is None:
            return minimum or read_literal(cursor, signed_in_old=False)
        maximum = read_number(cursor, signed_in_old=True) if number_begins(cursor) else None
        return Bounds(
            minimum=_number(minimum),
            maximum=_number(maximum),
            where=cursor.span(first, cursor.last),
        )

    def _columns(
        self,
        name: ConstraintName,
        arguments: tuple[Argument, ...],
        where: tuple[int, int],
        before: str,
    ) -> ConstraintSyntax | None:
        """``@key(a, b)``, ``@unique(a, b)``, ``@index(a, b)``."""
        columns = tuple(a for a in arguments if isinstance(a, Name))
        remedy = f"Write `@{name}` right behind the property, or `@{name}({before})`."
        if not arguments:
            self.report.parse_error(15, f"`@{name}` names no property", where, remedy=remedy)
            return None
        if len(columns) < len(arguments):
            self.report.parse_error(
                15, f"`@{name}(…)` takes names of properties", where, remedy=remedy
            )
            return None
        return ConstraintSyntax(name=name, columns=columns, where=self.report.where(where))

    def _range(
        self, arguments: tuple[Argument, ...], where: tuple[int, int], before: str
    ) -> ConstraintSyntax | None:
        """``@range(p, a..b)``."""
        remedy = f"Write `@range({before}, 0..100)`, either bound may be left out."
        match arguments:
            case (Name() as name, Bounds() as bounds):
                self._bounds(name, bounds)
                return ConstraintSyntax(
                    name="range", columns=(name,), bounds=bounds, where=self.report.where(where)
                )
            case (Bounds(), *_):
                message = "`@range(…)` names its property too: it belongs to the body"
            case (Name(), Bounds(), *_):
                message = "`@range` takes one property and its bounds, and nothing else"
            case _:
                message = "`@range` takes a property and its bounds"
        self.report.parse_error(15, message, where, remedy=remedy)
        return None

    def _bounds(self, name: Name, bounds: Bounds) -> None:
        shown = name.text[:50]
        if bounds.minimum is None and bounds.maximum is None:
            self._bounds_error(bounds, "a range has a minimum, a maximum or both", shown)
        elif bounds.minimum is None:
            self._maximum_alone(bounds, shown)
        elif bounds.maximum is not None and bounds.minimum > bounds.maximum:
            self._bounds_error(bounds, "the minimum is above the maximum", shown)

    def _bounds_error(self, bounds: Bounds, message: str, name: str) -> None:
        low, high = bounds.maximum, bounds.minimum
        remedy = f"Write `@range({name}, 0..100)`."
        if low is not None and high is not None:
            remedy = f"Write `@range({name}, {low}..{high})`."
        self.report.parse_error(17, message, bounds.where, remedy=remedy)

    def _maximum_alone(self, bounds: Bounds, name: str) -> None:
        """Tells that 0.10 takes ``..5`` for a minimum of 5."""
        message = f"`..{bounds.maximum}` is a maximum here, and a minimum in OmniGraph 0.10"
        remedy = f"Give both bounds: `@range({name}, 0..{bounds.maximum})`."
        self.report.warn(38, message, bounds.where, remedy=remedy)
        self.report.reads_otherwise(
            "differs", "range-maximum", message, bounds.where, remedy=remedy
        )

    def _check(
        self, arguments: tuple[Argument, ...], where: tuple[int, int], before: str
    ) -> ConstraintSyntax | None:
        """``@check(p, "regex")``."""
        match arguments:
            case (Name() as name, Literal(written="text") as pattern):
                return ConstraintSyntax(
                    name="check", columns=(name,), pattern=pattern, where=self.report.where(where)
                )
            case (Literal(written="text"), *_):
                message = "`@check(…)` names its property too: it belongs to the body"
            case (Name(), Literal(written="text"), *_):
                message = "`@check` takes one property and one pattern, and nothing else"
            case _:
                message = "`@check` takes a property and a pattern"
        self.report.parse_error(15, message, where, remedy=f'Write `@check({before}, "^[a-z]+$")`.')
        return None


def _number(literal: Literal | None) -> int | float | None:
    value = None if literal is None else literal.value
    assert value is None or isinstance(value, int | float)
    return value
