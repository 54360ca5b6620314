"""Parses `.pg` text; what it finds wrong goes to the report, what it can read is returned.

After a mistake it goes on with the next property, constraint or declaration, whichever comes first.
The grammar does not nest, so that no text makes the parser go deep.

Rules: PG011 keyword not followed by a space, PG012 first letter of a name, PG013 comma between
properties, PG016 order of the parts of a declaration, PG018 cardinality, PG019 what an interface
does not take. Source: languages 1.1, 3.1, 3.2.
"""

import re
from typing import Final
from typing import Literal as OneOf

import msgspec

from agentctl.languages.schema.constraint_syntax import ConstraintParser
from agentctl.languages.schema.property_syntax import CARD_REMEDY
from agentctl.languages.schema.syntax import (
    Annotation,
    CardinalitySyntax,
    ConstraintSyntax,
    Name,
    PropertySyntax,
    SchemaSyntax,
    TypeSyntax,
)
from agentctl.languages.text.cursor import Cursor, HaltError
from agentctl.languages.text.report import Report
from agentctl.languages.text.sequence import another
from agentctl.languages.text.source import Dialect
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import Token, TokenKind

SCHEMA_DIALECT: Final = Dialect(name=".pg", parse_code="schema_parse_error", prefix="PG")
TypeKind = OneOf["interface", "node", "edge"]
DECLARATIONS: Final = ("node", "edge", "interface")
_LOWER: Final = TokenKind.LOWER
_UPPER: Final = TokenKind.UPPER
_MARK: Final = TokenKind.MARK
"""Bound once: a member of an enum is looked up by Python code."""
CARDINALITY_MAX: Final = 2**32 - 1
_GLUED: Final = re.compile(rf"({'|'.join(DECLARATIONS)})([A-Z].*)", re.DOTALL)
_PARENTHESES: Final = {"(": 1, "[": 1, ")": -1, "]": -1}
_BRACES: Final = {"{": 1, "}": -1}
_NAMES: Final = {
    "interface": "the name of an interface",
    "node": "the name of a node type",
    "edge": "the name of an edge type",
}
_EDGE_FORM: Final = "Write `edge Name: Source -> Target`."


class _Draft(msgspec.Struct, kw_only=True):
    """A declaration while it is read; also a broken one declares its name."""

    annotations: tuple[Annotation, ...] = ()
    cardinality: CardinalitySyntax | None = None
    implements: list[Name] = msgspec.field(default_factory=list)
    properties: list[PropertySyntax] = msgspec.field(default_factory=list)
    constraints: list[ConstraintSyntax] = msgspec.field(default_factory=list)
    broken: bool = False


def parse_schema(report: Report) -> SchemaSyntax:
    """Returns the declarations of the report's source.

    ``file := (interface | node | edge)*``
    """
    return _SchemaParser(report).file()


def declaration_begins(cursor: Cursor) -> bool:
    """Returns whether a declaration begins next, be its keyword glued or its name in lower case."""
    token = cursor.peek()
    if token.kind is not _LOWER:
        return False
    after = cursor.peek(1)
    if token.text in DECLARATIONS:
        named = after.kind is _LOWER and cursor.peek(2).is_mark("{")
        return named or after.kind is _UPPER
    return after.is_mark("{") and _GLUED.fullmatch(token.text) is not None


class _SchemaParser(ConstraintParser):
    def __init__(self, report: Report) -> None:
        super().__init__(Cursor(report), report)
        self.types: list[TypeSyntax] = []

    def file(self) -> SchemaSyntax:
        while not self.cursor.at_end():
            before = self.cursor.position
            try:
                self._declaration()
            except HaltError:
                if self.cursor.position == before:
                    self.cursor.take()
                self._back_to_declaration(before)
                self.cursor.skip_until(declaration_begins)
        return SchemaSyntax(types=tuple(self.types))

    def _back_to_declaration(self, begun: int) -> bool:
        """Returns to a declaration whose keyword was taken for a name of what began there."""
        halted = self.cursor.position
        for position in range(begun + 1, halted):
            self.cursor.position = position
            if declaration_begins(self.cursor):
                return True
        self.cursor.position = halted
        return False

    def _declaration(self) -> None:
        keyword = self.cursor.peek()
        glued = _GLUED.fullmatch(keyword.text) if keyword.kind is _LOWER else None
        if glued is not None:
            name = self._no_space(glued[1], keyword)
            self._declared(glued[1], name)
            return
        if keyword.kind is _LOWER and keyword.text in DECLARATIONS:
            self.cursor.take()
            self._declared(keyword.text, self._name(_UPPER, _NAMES[keyword.text]))
            return
        meant = nearest(keyword.text, DECLARATIONS) if keyword.kind is _LOWER else None
        remedy = f"Did you mean `{meant}`?" if meant else None
        if keyword.is_mark("}"):
            remedy = "Take it out; what stands before it is closed already."
        self.cursor.surprise("`node`, `edge` or `interface`", remedy=remedy)

    def _declared(self, word: str, name: Name) -> None:
        match word:
            case "node":
                self._node(name)
            case "edge":
                self._edge(name)
            case _:
                self._interface(name)

    def _no_space(self, word: str, token: Token) -> Name:
        """Reports a keyword that runs into a name, and returns the name, as 0.10 reads it."""
        rest = token.text[len(word) :]
        self.report.parse_error(
            11,
            f"`{word}` is not followed by a space",
            token,
            remedy=f"Write `{word} {rest[:50]}`.",
        )
        self.cursor.take()
        return Name(text=rest, where=self.cursor.span(token))

    def _interface(self, name: Name) -> None:
        """``interface := 'interface' TYPE '{' prop* '}'``."""
        draft = _Draft()
        try:
            if self.cursor.at_mark("@") or self.cursor.at_word("implements"):
                self.cursor.fail(
                    19,
                    "an interface has properties only, no annotations and no interfaces",
                    remedy="Put it on the nodes that implement the interface.",
                )
            self._body(draft, "interface")
        except HaltError:
            draft.broken = True
            raise
        finally:
            self._declare("interface", name, draft)

    def _node(self, name: Name) -> None:
        """``node := 'node' TYPE annot* ('implements' TYPE (',' TYPE)*)? '{' (prop|bodyc)* '}'``."""
        draft = _Draft()
        try:
            if self.cursor.at_mark("@"):
                draft.annotations = self.annotations()
            behind = draft.annotations and self.cursor.last.is_word("implements")
            if behind and self.cursor.at_kind(_UPPER):
                self._annotated_implements(draft)
            else:
                self._implements(draft)
            self._body(draft, "node")
        except HaltError:
            draft.broken = True
            raise
        finally:
            self._declare("node", name, draft)

    def _annotated_implements(self, draft: _Draft) -> None:
        """Reports ``@implements I``, whose ``@implements`` has been taken, and reads it."""
        cursor = self.cursor
        last = draft.annotations[-1]
        self.report.parse_error(
            10,
            "`implements` is a word of its own, no annotation",
            last.where,
            remedy=f"Write `implements {cursor.peek().text[:50]}`, behind all annotations.",
        )
        draft.annotations = draft.annotations[:-1]
        draft.implements.append(self._name(_UPPER, _NAMES["interface"]))
        while another(cursor, "{"):
            draft.implements.append(self._name(_UPPER, _NAMES["interface"]))
        if cursor.at_mark("@"):
            draft.annotations += self.annotations()

    def _implements(self, draft: _Draft) -> None:
        """``('implements' TYPE (',' TYPE)*)?``."""
        cursor = self.cursor
        word = cursor.peek()
        if word.kind is not _LOWER:
            return
        if word.text.startswith("implements") and word.text[10:11].isupper():
            draft.implements.append(self._no_space("implements", word))
        else:
            no_name = not cursor.at_kind(_UPPER, 1) or word.text in DECLARATIONS
            if no_name and word.text != "implements":
                cursor.surprise("`{`")
            cursor.expect_word("implements")
            draft.implements.append(self._name(_UPPER, _NAMES["interface"]))
        while another(cursor, "{"):
            draft.implements.append(self._name(_UPPER, _NAMES["interface"]))
        if cursor.at_mark("@"):
            cursor.report.parse_error(
                16,
                "annotations stand before `implements`",
                cursor.peek(),
                remedy="Move them before `implements`.",
            )
            draft.annotations += self.annotations()

    def _edge(self, name: Name) -> None:
        """``edge := 'edge' TYPE ':' TYPE '->' TYPE card? annot* ('{' (prop|bodyc)* '}')?``."""
        cursor = self.cursor
        cursor.expect_mark(":", remedy=_EDGE_FORM)
        source = self._name(_UPPER, "the node type that the edge leaves")
        cursor.expect_mark("->", remedy=_EDGE_FORM)
        target = self._name(_UPPER, "the node type that the edge reaches")
        draft = _Draft()
        try:
            if cursor.at_mark("@"):
                draft.cardinality = self._cardinality()
                draft.annotations = self.annotations()
            if cursor.at_mark("{") or not self._edge_ends():
                self._body(draft, "edge")
        except HaltError:
            draft.broken = True
            raise
        finally:
            self._declare("edge", name, draft, source, target)

    def _edge_ends(self) -> bool:
        """Whether the next thing is another declaration (or tries to be one)."""
        return self.cursor.peek().kind in {_LOWER, TokenKind.END}

    def _cardinality(self) -> CardinalitySyntax | None:
        """``card := '@card' '(' INT '..' INT? ')'``; None where an annotation comes."""
        cursor = self.cursor
        if not cursor.at_word("card", 1):
            return None
        at = cursor.take()
        word = cursor.take()
        if not cursor.accept_mark("("):
            self.report.parse_error(
                18, "`@card` has no bounds", (at.start, word.end), remedy=CARD_REMEDY
            )
            return None
        minimum = self._count("a minimum")
        if cursor.at_mark(")"):
            close = cursor.take()
            self.report.parse_error(
                18,
                "`@card` has one number and no `..`",
                (at.start, close.end),
                remedy=f"Write `@card({minimum}..{minimum})` for exactly {minimum}, "
                f"or `@card({minimum}..)` without a maximum.",
            )
            return None
        cursor.expect_mark("..", remedy=CARD_REMEDY)
        maximum = self._count("a maximum") if cursor.at_kind(TokenKind.INTEGER) else None
        if cursor.at_mark(","):
            cursor.fail(18, "`@card` takes its bounds and nothing else", remedy=CARD_REMEDY)
        close = cursor.expect_mark(")", remedy=CARD_REMEDY)
        where = (at.start, close.end)
        if maximum is not None and minimum > maximum:
            self.report.parse_error(
                18,
                "the minimum is above the maximum",
                where,
                remedy=f"Write `@card({maximum}..{minimum})`.",
            )
            return None
        return CardinalitySyntax(minimum=minimum, maximum=maximum, where=self.report.where(where))

    def _count(self, wanted: str) -> int:
        token = self.cursor.expect_kind(TokenKind.INTEGER, wanted, remedy=CARD_REMEDY)
        return self.cursor.integer(token, maximum=CARDINALITY_MAX)

    def _body(self, draft: _Draft, kind: TypeKind) -> None:
        """``'{' (prop | bodyc)* '}'``; a broken part does not hide the next one."""
        cursor = self.cursor
        opener = cursor.expect_mark("{")
        while not cursor.accept_mark("}"):
            before = cursor.position
            try:
                named = cursor.at_mark(":", 1)
                if not named and (cursor.at_end() or declaration_begins(cursor)):
                    cursor.fail(10, "the `{` is never closed", opener, remedy="Close it with `}`.")
                self._part(draft, kind)
            except HaltError:
                draft.broken = True
                if not self._recovered(before):
                    raise

    def _part(self, draft: _Draft, kind: TypeKind) -> None:
        """``prop | bodyc``."""
        cursor = self.cursor
        if cursor.at_mark(":", 1):
            draft.properties.append(self.property())
            return
        if cursor.at_mark("@"):
            if kind == "interface":
                self._interface_constraint()
                return
            before = draft.properties[-1].name.text if draft.properties else None
            constraint = self.constraint(before)
            if constraint is not None:
                draft.constraints.append(constraint)
            return
        comma = cursor.accept_mark(",")
        if comma is None:
            draft.properties.append(self.property())
            return
        self.report.parse_error(
            13, "properties are not separated by commas", comma, remedy="Take the comma out."
        )

    def _interface_constraint(self) -> None:
        """Steps over a constraint, which the body of an interface does not take."""
        cursor = self.cursor
        if not self.constraint_follows():
            cursor.surprise("a property", remedy="Put the annotation right behind a property.")
        at = cursor.take()
        cursor.take()
        close = cursor.skip_balanced()
        self.report.parse_error(
            19,
            "an interface has properties only, no constraints of its body",
            (at.start, close.end),
            remedy="Put the constraint into the nodes, or `@key`, `@unique` or `@index` without "
            "parentheses behind the property.",
        )

    def _recovered(self, begun: int) -> bool:
        """Goes to where the next part of the body begins; returns False where there is none.

        Within the parentheses of the broken part only the beginning of a line counts.
        """
        cursor = self.cursor
        tokens = cursor.tokens
        if self._back_to_declaration(begun):
            return False
        if cursor.position == begun and not (cursor.at_mark("}") or declaration_begins(cursor)):
            cursor.take()
        marks = [t.text for t in tokens[begun : cursor.position] if t.kind is _MARK]
        parentheses = sum(_PARENTHESES.get(m, 0) for m in marks)
        braces = sum(_BRACES.get(m, 0) for m in marks)
        while not cursor.at_end() and not declaration_begins(cursor):
            token = cursor.peek()
            if token.is_mark("}") and braces <= 0:
                return True
            outside = parentheses <= 0 and braces <= 0
            if self._part_begins() and (outside or self._line_begins(token)):
                return True
            if token.kind is _MARK:
                parentheses += _PARENTHESES.get(token.text, 0)
                braces += _BRACES.get(token.text, 0)
            cursor.take()
        return False

    def _part_begins(self) -> bool:
        cursor = self.cursor
        if cursor.at_mark("@"):
            return self.constraint_follows()
        return cursor.at_kind(_LOWER) and cursor.at_mark(":", 1)

    def _line_begins(self, token: Token) -> bool:
        return "\n" in self.report.source.text[self.cursor.last.end : token.start]

    def _declare(
        self,
        kind: TypeKind,
        name: Name,
        draft: _Draft,
        source: Name | None = None,
        target: Name | None = None,
    ) -> None:
        self.types.append(
            TypeSyntax(
                kind=kind,
                name=name,
                source=source,
                target=target,
                cardinality=draft.cardinality,
                annotations=draft.annotations,
                implements=tuple(draft.implements),
                properties=tuple(draft.properties),
                constraints=tuple(draft.constraints),
                whole=not draft.broken,
            )
        )

    def _name(self, kind: TokenKind, wanted: str) -> Name:
        if declaration_begins(self.cursor):
            self.cursor.surprise(wanted)
        token = self.cursor.expect_name(kind, wanted)
        text = token.text[0].upper() + token.text[1:]
        return Name(text=text, where=self.cursor.span(token))
