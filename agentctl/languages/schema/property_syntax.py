"""Parses one property of a `.pg` declaration: its name, its type and its annotations.

``prop := IDENT ':' core '?'? ('=' literal)? annot*``. Used by the parser of declarations only.
"""

from typing import Final

from agentctl.languages.schema.syntax import Annotation, AnnotationValue, Name, PropertySyntax
from agentctl.languages.schema.type_syntax import parse_type
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.report import Report
from agentctl.languages.text.token import Token, TokenKind

CONSTRAINTS: Final = frozenset({"key", "unique", "index", "range", "check"})
SUPPORTED_ANNOTATIONS: Final = frozenset({"key", "index", "description", "instruction"})


class PropertyParser:
    """The part of the `.pg` parser below a declaration."""

    def __init__(self, cursor: Cursor, report: Report) -> None:
        self.cursor = cursor
        self.report = report
        self.quiet = False
        """Inside something that is answered as not supported already."""

    def unsupported(self, what: str, start: int, end: int) -> None:
        """Reports a part of the language that this release does not run."""
        if not self.quiet:
            self.report.unsupported(what, start, end)

    def property(self) -> PropertySyntax:
        """``prop := IDENT ':' core '?'? ('=' literal)? annot*``."""
        name = self.cursor.expect_name(TokenKind.LOWER, "the name of a property")
        self.cursor.expect_mark(":", remedy="Write `name: Type`.")
        first = self.cursor.peek()
        type_, what = parse_type(self.cursor)
        last = self.cursor.last
        if what is not None:
            self.unsupported(what, first.start, last.end)
        equals = self.cursor.accept_mark("=")
        if equals is not None:
            self.cursor.accept_mark("-")
            self._literal()
            self.unsupported("a default", equals.start, self.cursor.last.end)
        return PropertySyntax(
            name=Name(text=name.text, where=self.cursor.span(name)),
            type=type_,
            type_where=self.cursor.span(first, last),
            annotations=self.annotations(),
        )

    def annotations(self) -> tuple[Annotation, ...]:
        """``annot*``, without those that this release does not run."""
        found: list[Annotation] = []
        while self.cursor.at_mark("@") and not self._constraint_follows():
            at = self.cursor.take()
            annotation = self._annotation(at)
            if annotation.name in SUPPORTED_ANNOTATIONS:
                found.append(annotation)
            else:
                self.unsupported(f"`@{annotation.name[:50]}`", at.start, self.cursor.last.end)
        return tuple(found)

    def _constraint_follows(self) -> bool:
        """Whether ``@name(`` begins a constraint of the body, also right after a property."""
        name = self.cursor.peek(1)
        return (
            name.kind is TokenKind.LOWER
            and name.text in CONSTRAINTS
            and self.cursor.at_mark("(", 2)
        )

    def _annotation(self, at: Token) -> Annotation:
        """``annot := '@' IDENT ( '(' (literal|IDENT) (',' IDENT '=' literal)* ')' )?``."""
        name = self.cursor.expect_kind(TokenKind.LOWER, "the name of an annotation")
        value: AnnotationValue | Name | None = None
        if self.cursor.accept_mark("("):
            if name.text == "card":
                self._cardinality()
            else:
                value = self._annotation_arguments()
            self.cursor.expect_mark(")")
        return Annotation(name=name.text, value=value, where=self.cursor.span(at, self.cursor.last))

    def _annotation_arguments(self) -> AnnotationValue | Name:
        value = self._literal_or_name()
        while self.cursor.accept_mark(",") and not self.cursor.at_mark(")"):
            self.cursor.expect_kind(TokenKind.LOWER, "the name of an argument")
            self.cursor.expect_mark("=")
            self._literal()
        return value

    def _cardinality(self) -> None:
        """``card := '@card' '(' INT '..' INT? ')'``."""
        remedy = "Write `@card(0..3)`, or `@card(1..)` without a maximum."
        self.cursor.expect_kind(TokenKind.INTEGER, "a minimum", remedy=remedy)
        self.cursor.expect_mark("..", remedy=remedy)
        if self.cursor.at_kind(TokenKind.INTEGER):
            self.cursor.take()

    def _literal_or_name(self) -> AnnotationValue | Name:
        token = self.cursor.peek()
        if token.kind is TokenKind.LOWER and token.text not in {"true", "false"}:
            self.cursor.take()
            return Name(text=token.text, where=self.cursor.span(token))
        return self._literal()

    def _literal(self) -> AnnotationValue:
        """``literal := STRING | FLOAT | INT | 'true' | 'false'``, numbers without a sign."""
        token = self.cursor.peek()
        if token.kind is TokenKind.INTEGER:
            return self.cursor.integer(self.cursor.take(), maximum=2**63 - 1)
        if token.kind is TokenKind.FLOAT:
            return float(self.cursor.take().text)
        if token.kind is TokenKind.STRING or token.is_word("true") or token.is_word("false"):
            self.cursor.take()
            return token.text if token.kind is TokenKind.STRING else token.text == "true"
        return self.cursor.surprise("a text, a number, `true` or `false`")
