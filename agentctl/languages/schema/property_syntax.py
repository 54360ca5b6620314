"""Parses one property of a `.pg` declaration: its name, its type, its default, its annotations.

``prop := IDENT ':' core '?'? ('=' literal)? annot*``. Used by the parser of declarations only.
Rules: PG018 form of a cardinality. Source: languages 1.1, 3.1.
"""

from typing import Final

from agentctl.languages.schema.literal_syntax import (
    read_default,
    read_literal,
)
from agentctl.languages.schema.syntax import (
    Annotation,
    AnnotationArgument,
    Literal,
    LiteralList,
    Name,
    PropertySyntax,
)
from agentctl.languages.schema.type_syntax import read_type
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.report import Report
from agentctl.languages.text.sequence import another, close
from agentctl.languages.text.token import Token, TokenKind

CONSTRAINTS: Final = frozenset({"key", "unique", "index", "range", "check"})
_LOWER: Final = TokenKind.LOWER
"""Bound once: a member of an enum is looked up by Python code."""
CARD_REMEDY: Final = "Write `@card(0..3)`, or `@card(1..)` without a maximum."


class PropertyParser:
    """The part of the `.pg` parser below a declaration."""

    def __init__(self, cursor: Cursor, report: Report) -> None:
        self.cursor = cursor
        self.report = report

    def property(self) -> PropertySyntax:
        """``prop := IDENT ':' core '?'? ('=' literal)? annot*``."""
        cursor = self.cursor
        name = cursor.expect_name(_LOWER, "the name of a property")
        if cursor.accept_mark(":") is None:
            remedy = "Write `name: Type`."
            if name.text == "not" and cursor.at_word("null"):
                remedy = "Take `not null` out: only a type with a `?` may be null."
            cursor.surprise("`:`", remedy=remedy)
        first = cursor.peek()
        type_ = read_type(cursor)
        last = cursor.last
        default = self._default() if cursor.at_mark("=") else None
        return PropertySyntax(
            name=Name(text=name.text, where=cursor.span(name)),
            type=type_,
            type_where=cursor.span(first, last),
            default=default,
            annotations=self.annotations() if cursor.at_mark("@") else (),
        )

    def _default(self) -> Literal | LiteralList:
        """``'=' literal``, which 0.10 does not have."""
        equals = self.cursor.take()
        value = read_default(self.cursor)
        self.report.reads_otherwise(
            "added",
            "default",
            "a default, which 0.10 refuses",
            (equals.start, self.cursor.last.end),
            remedy="Take it out; a property that may be left out is then `T?`.",
        )
        return value

    def annotations(self) -> tuple[Annotation, ...]:
        """``annot*``, up to a constraint of the body."""
        found: list[Annotation] = []
        cursor = self.cursor
        while cursor.at_mark("@") and not self.constraint_follows():
            at = cursor.take()
            if cursor.at_word("card") and self._cardinality_follows():
                self._misplaced_cardinality(at)
            else:
                found.append(self._annotation(at))
        return tuple(found)

    def constraint_follows(self) -> bool:
        """Whether ``@name(`` begins a constraint of the body, also right after a property."""
        return self.cursor.peek(1).text in CONSTRAINTS and self.cursor.at_mark("(", 2)

    def _cardinality_follows(self) -> bool:
        """Whether ``(m..`` comes behind the next word."""
        cursor = self.cursor
        return (
            cursor.at_mark("(", 1)
            and cursor.at_kind(TokenKind.INTEGER, 2)
            and cursor.at_mark("..", 3)
        )

    def _misplaced_cardinality(self, at: Token) -> None:
        """Steps over a cardinality that does not stand directly behind an edge's target."""
        self.cursor.take()
        closer = self.cursor.skip_balanced()
        self.report.parse_error(
            16,
            "`@card(…)` stands on an edge, directly behind its target",
            (at.start, closer.end),
            remedy="Write `edge Name: Source -> Target @card(0..3)`, other annotations after it.",
        )

    def _annotation(self, at: Token) -> Annotation:
        """``annot := '@' IDENT ( '(' (literal|IDENT) (',' IDENT '=' literal)* ')' )?``."""
        cursor = self.cursor
        name = cursor.expect_name(_LOWER, "the name of an annotation")
        if not cursor.accept_mark("("):
            return Annotation(name=name.text, where=cursor.span(at, name))
        value = self._annotation_value(name)
        arguments: list[AnnotationArgument] = []
        if not cursor.at_mark(")"):
            while another(cursor, ")"):
                arguments.append(self._argument())
        closer = close(cursor, ")")
        return Annotation(
            name=name.text,
            value=value,
            arguments=tuple(arguments),
            where=cursor.span(at, closer),
        )

    def _annotation_value(self, annotation: Token) -> Literal | Name:
        cursor = self.cursor
        token = cursor.peek()
        if token.kind is _LOWER and token.text not in {"true", "false"}:
            cursor.take()
            self.prefix_of_bool(token)
            return Name(text=token.text, where=cursor.span(token))
        if token.kind is TokenKind.UPPER:
            remedy = f'Write `"{token.text[:50]}"`.'
            if annotation.text == "implements":
                remedy = f"Write `implements {token.text[:50]}`, behind all annotations."
            message = f"expected a text or a name, found {token.describe()}"
            cursor.fail(10, message, remedy=remedy)
        return read_literal(cursor, signed_in_old=False)

    def prefix_of_bool(self, token: Token) -> None:
        """Notes a name that begins like ``true`` or ``false``, where 0.10 stops reading it."""
        if token.text.startswith(("true", "false")):
            self.report.reads_otherwise(
                "added",
                "name-begins-like-bool",
                "a name that begins with `true` or `false`, which 0.10 refuses here",
                token,
            )

    def _argument(self) -> AnnotationArgument:
        """``IDENT '=' literal``."""
        cursor = self.cursor
        token = cursor.peek()
        if token.kind is not _LOWER:
            cursor.surprise(
                "`name = value`",
                remedy="An annotation takes one value; further ones are written `name = value`.",
            )
        name = cursor.take()
        cursor.expect_mark("=", remedy="An annotation takes one value; further ones have names.")
        return AnnotationArgument(
            name=Name(text=name.text, where=cursor.span(name)),
            value=read_literal(cursor, signed_in_old=False),
        )
