"""Parses `.pg` text; what it finds wrong goes to the report, what it can read is returned.

It knows the whole grammar. What this release does not run is read to its end and answered with
`not_supported_yet`. After a mistake it goes on with the next declaration.

Rules: PG011 keyword not followed by a space, PG012 first letter of a name, PG013 comma between
properties, PG014 unknown property type, PG015 arguments of a constraint, PG016 order of the parts
of a declaration. Source: languages 1.1, 3.1, 3.2.
"""

import re
from typing import Final, Literal

from agentctl.languages.schema.property_syntax import PropertyParser
from agentctl.languages.schema.syntax import (
    Annotation,
    ConstraintSyntax,
    Name,
    PropertySyntax,
    SchemaSyntax,
    TypeSyntax,
)
from agentctl.languages.text.cursor import Cursor, HaltError
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import Dialect
from agentctl.languages.text.token import Token, TokenKind

SCHEMA_DIALECT: Final = Dialect(name=".pg", parse_code="schema_parse_error", prefix="PG")
DECLARATIONS: Final = ("node", "edge", "interface")
_GLUED: Final = re.compile(rf"({'|'.join(DECLARATIONS)})([A-Z].*)", re.DOTALL)


def parse_schema(report: Report) -> SchemaSyntax:
    """Returns the declarations of the report's source.

    ``file := (interface | node | edge)*``
    """
    return _SchemaParser(report).file()


def _declaration_begins(cursor: Cursor) -> bool:
    token = cursor.peek()
    return (
        token.kind is TokenKind.LOWER
        and token.text in DECLARATIONS
        and cursor.at_kind(TokenKind.UPPER, 1)
    )


class _SchemaParser(PropertyParser):
    def __init__(self, report: Report) -> None:
        super().__init__(Cursor(report), report)
        self.types: list[TypeSyntax] = []

    def file(self) -> SchemaSyntax:
        while not self.cursor.at_end():
            before = self.cursor.position
            try:
                self._declaration()
            except HaltError:
                self.quiet = False
                if self.cursor.position == before:
                    self.cursor.take()
                self.cursor.skip_until(_declaration_begins)
        return SchemaSyntax(types=tuple(self.types))

    def _declaration(self) -> None:
        keyword = self.cursor.peek()
        glued = _GLUED.fullmatch(keyword.text) if keyword.kind is TokenKind.LOWER else None
        if glued is not None:
            self.cursor.fail(
                11,
                f"`{glued[1]}` is not followed by a space",
                keyword,
                remedy=f"Write `{glued[1]} {glued[2][:50]}`.",
            )
        if self.cursor.accept_word("node"):
            self._node()
        elif self.cursor.accept_word("edge"):
            self._edge()
        elif self.cursor.accept_word("interface"):
            self._interface(keyword)
        else:
            self.cursor.surprise("`node`, `edge` or `interface`")

    def _interface(self, keyword: Token) -> None:
        """``interface := 'interface' TYPE '{' prop* '}'``."""
        name = self.cursor.expect_name(TokenKind.UPPER, "the name of an interface")
        self.unsupported("an interface", keyword.start, name.end)
        self.quiet = True
        self.cursor.expect_mark("{")
        while not self.cursor.accept_mark("}"):
            self._property_or_comma()
        self.quiet = False

    def _node(self) -> None:
        """``node := 'node' TYPE annot* ('implements' TYPE (',' TYPE)*)? '{' (prop|bodyc)* '}'``."""
        name = self._name(TokenKind.UPPER, "the name of a node type")
        annotations: tuple[Annotation, ...] = ()
        inherits = False
        properties: list[PropertySyntax] = []
        constraints: list[ConstraintSyntax] = []
        whole = False
        try:
            annotations = self.annotations()
            inherits = self._implements()
            self._body(properties, constraints)
            whole = not inherits
        finally:  # also a broken declaration declares its name
            self.types.append(
                TypeSyntax(
                    kind="node",
                    name=name,
                    annotations=annotations,
                    properties=tuple(properties),
                    constraints=tuple(constraints),
                    whole=whole,
                )
            )

    def _implements(self) -> bool:
        keyword = self.cursor.accept_word("implements")
        if keyword is None:
            return False
        last = self.cursor.expect_name(TokenKind.UPPER, "the name of an interface")
        while self.cursor.accept_mark(","):
            if self.cursor.at_mark("{"):
                break
            last = self.cursor.expect_name(TokenKind.UPPER, "the name of an interface")
        self.unsupported("`implements`", keyword.start, last.end)
        if self.cursor.at_mark("@"):
            self.cursor.fail(
                16, "annotations stand before `implements`", remedy="Move them before `implements`."
            )
        return True

    def _edge(self) -> None:
        """``edge := 'edge' TYPE ':' TYPE '->' TYPE card? annot* ('{' (prop|bodyc)* '}')?``."""
        name = self._name(TokenKind.UPPER, "the name of an edge type")
        self.cursor.expect_mark(":", remedy="Write `edge Name: Source -> Target`.")
        source = self._name(TokenKind.UPPER, "the node type that the edge leaves")
        self.cursor.expect_mark("->", remedy="Write `edge Name: Source -> Target`.")
        target = self._name(TokenKind.UPPER, "the node type that the edge reaches")
        annotations: tuple[Annotation, ...] = ()
        properties: list[PropertySyntax] = []
        constraints: list[ConstraintSyntax] = []
        whole = False
        try:
            annotations = self.annotations()
            if self.cursor.at_mark("{") or not self._edge_ends():
                self._body(properties, constraints)
            whole = True
        finally:
            self.types.append(
                TypeSyntax(
                    kind="edge",
                    name=name,
                    source=source,
                    target=target,
                    annotations=annotations,
                    properties=tuple(properties),
                    constraints=tuple(constraints),
                    whole=whole,
                )
            )

    def _edge_ends(self) -> bool:
        """Whether the next thing is another declaration (or tries to be one)."""
        token = self.cursor.peek()
        return token.kind in {TokenKind.LOWER, TokenKind.END}

    def _body(self, properties: list[PropertySyntax], constraints: list[ConstraintSyntax]) -> None:
        opener = self.cursor.expect_mark("{")
        while not self.cursor.accept_mark("}"):
            if self.cursor.at_end():
                self.cursor.fail(10, "the `{` is never closed", opener)
            if self.cursor.at_mark("@"):
                constraint = self._constraint()
                if constraint is not None:
                    constraints.append(constraint)
                continue
            found = self._property_or_comma()
            if found is not None:
                properties.append(found)

    def _property_or_comma(self) -> PropertySyntax | None:
        comma = self.cursor.accept_mark(",")
        if comma is None:
            return self.property()
        self.report.parse_error(
            13, "properties are not separated by commas", comma, remedy="Take the comma out."
        )
        return None

    def _constraint(self) -> ConstraintSyntax | None:
        """``bodyc := '@' (key|unique|index|range|check) '(' carg (',' carg)* ')'``."""
        at = self.cursor.expect_mark("@")
        name = self.cursor.expect_kind(TokenKind.LOWER, "a constraint")
        if not self.cursor.at_mark("("):
            self.cursor.surprise(
                "`(`", remedy=f"In a body, name the properties: `@{name.text[:50]}(a, b)`."
            )
        match name.text:
            case "key":
                return self._columns("key", at)
            case "index":
                return self._columns("index", at)
            case "unique" | "range" | "check":
                self._any_arguments()
                self.unsupported(f"`@{name.text}`", at.start, self.cursor.last.end)
                return None
            case _:
                return self.cursor.fail(
                    15,
                    f"`@{name.text[:50]}` is no constraint",
                    name,
                    remedy="A body takes `@key`, `@unique`, `@index`, `@range` and `@check`.",
                )

    def _columns(self, name: Literal["key", "index"], at: Token) -> ConstraintSyntax:
        self.cursor.expect_mark("(")
        columns: list[Name] = []
        while not self.cursor.at_mark(")"):
            token = self.cursor.peek()
            if token.kind is not TokenKind.LOWER:
                self.cursor.fail(
                    15,
                    f"`@{name}` takes names of properties, not {token.describe()}",
                    remedy=f"Write `@{name}(a, b)`.",
                )
            columns.append(self._name(TokenKind.LOWER, "the name of a property"))
            if not self.cursor.accept_mark(","):
                break
        close = self.cursor.expect_mark(")")
        where = self.cursor.span(at, close)
        if not columns:
            self.report.parse_error(15, f"`@{name}` names no property", (at.start, close.end))
        return ConstraintSyntax(name=name, columns=tuple(columns), where=where)

    def _any_arguments(self) -> None:
        """``carg := range | literal | IDENT``, ``range := NUM '..' NUM? | '..' NUM``."""
        self.cursor.expect_mark("(")
        while True:
            self._any_argument()
            if not self.cursor.accept_mark(",") or self.cursor.at_mark(")"):
                break
        self.cursor.expect_mark(")")

    def _any_argument(self) -> None:
        if self.cursor.accept_mark(".."):
            self._number()
        elif self.cursor.at_mark("-") or self.cursor.peek().kind in {
            TokenKind.INTEGER,
            TokenKind.FLOAT,
        }:
            self._number()
            if self.cursor.accept_mark("..") and not (
                self.cursor.at_mark(",") or self.cursor.at_mark(")")
            ):
                self._number()
        elif self.cursor.peek().kind in {TokenKind.STRING, TokenKind.LOWER}:
            self.cursor.take()
        else:
            self.cursor.surprise("a property, a text or a range")

    def _number(self) -> None:
        self.cursor.accept_mark("-")
        if not self.cursor.at_kind(TokenKind.INTEGER):
            self.cursor.expect_kind(TokenKind.FLOAT, "a number")
        else:
            self.cursor.take()

    def _name(self, kind: TokenKind, wanted: str) -> Name:
        token = self.cursor.expect_name(kind, wanted)
        return Name(text=token.text, where=self.cursor.span(token))
