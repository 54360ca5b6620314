"""Parses `.gq` text; what it finds wrong goes to the report, what it can read whole is returned.

It knows the whole grammar. What this release does not run is read to its end and answered with
`not_supported_yet`. After a mistake it goes on with the next declaration.

Rules: GQ011 keyword not followed by a space, GQ012 first letter of a name, GQ014 type of a
parameter, GQ016 annotation given twice, GQ017 blank annotation, GQ020 parameter declared twice,
GQ021 reserved parameter, GQ023 order of the parts of a query. Source: languages 2.1, 3.1.
"""

import re
from typing import Final

from agentctl.languages.query.clause_syntax import ClauseParser
from agentctl.languages.query.expression_syntax import ANONYMOUS, I64_MAX
from agentctl.languages.query.syntax import (
    LiteralUse,
    OrderSyntax,
    ParamSyntax,
    QueryDecl,
    ReadBody,
    ReturnItem,
)
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.languages.schema.type_syntax import parse_type
from agentctl.languages.text.cursor import Cursor, HaltError
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import Dialect
from agentctl.languages.text.token import Token, TokenKind

QUERY_DIALECT: Final = Dialect(name=".gq", parse_code="query_parse_error", prefix="GQ")
NOW_PARAMETER: Final = "__nanograph_now"
"""Carries the time of ``now()``; no query declares it."""
MUTATIONS: Final = ("insert", "update", "delete")
ANNOTATIONS: Final = ("description", "instruction")
_GLUED: Final = re.compile(r"query([A-Za-z0-9_]+)")


def parse_queries(report: Report) -> tuple[QueryDecl, ...]:
    """Returns the declarations of the report's source that have no mistake. ``file := query*``."""
    return _QueryParser(report).file()


def _declaration_begins(cursor: Cursor) -> bool:
    return (
        cursor.at_word("query")
        and cursor.peek(1).kind in {TokenKind.LOWER, TokenKind.UPPER}
        and cursor.at_mark("(", 2)
    )


class _QueryParser(ClauseParser):
    def file(self) -> tuple[QueryDecl, ...]:
        found: list[QueryDecl] = []
        while not self.cursor.at_end():
            problems, before = len(self.report), self.cursor.position
            try:
                declaration = self._declaration()
            except HaltError:
                if self.cursor.position == before:
                    self.cursor.take()
                self.cursor.skip_until(_declaration_begins)
                continue
            if declaration is not None and len(self.report) == problems:
                found.append(declaration)
        return tuple(found)

    def _declaration(self) -> QueryDecl | None:
        """``query := 'query' IDENT '(' params ')' annotation* '{' (read | mutation+) '}'``."""
        keyword = self.cursor.peek()
        glued = _GLUED.fullmatch(keyword.text) if keyword.kind is TokenKind.LOWER else None
        if glued is not None:
            remedy = f"Write `query {glued[1][:50]}`."
            self.cursor.fail(11, "`query` is not followed by a space", keyword, remedy=remedy)
        self.cursor.expect_word("query")
        name = self.cursor.expect_name(TokenKind.LOWER, "the name of a query")
        params = self._params()
        texts = self._annotations()
        word = self.cursor.peek(1)
        if self.cursor.at_mark("{") and word.kind is TokenKind.LOWER and word.text in MUTATIONS:
            self.unsupported(f"a mutation (`{word.text}`)", word, word)
            self.cursor.skip_balanced()
            return None
        self.cursor.expect_mark("{")
        match = self.cursor.expect_word(
            "match", remedy="A query reads with `match { … } return { … }`."
        )
        clauses = self.clauses()
        returns = self.cursor.peek()
        items = self._items()
        order = self._order() if self.cursor.at_word("order") else ()
        limit = self._limits()
        self.cursor.expect_mark("}")
        return QueryDecl(
            name=name.text,
            where=self.cursor.span(name),
            params=params,
            body=ReadBody(
                clauses=clauses,
                items=items,
                order=order,
                limit=limit,
                match_where=self.cursor.span(match),
                return_where=self.cursor.span(returns),
            ),
            description=texts.get("description"),
            instruction=texts.get("instruction"),
        )

    def _params(self) -> tuple[ParamSyntax, ...]:
        """``'(' (param (',' param)*)? ')'``."""
        remedy = "Parameters come next, also where there are none: `query name() { … }`."
        self.cursor.expect_mark("(", remedy=remedy)
        found: dict[str, ParamSyntax] = {}
        while not self.cursor.at_mark(")"):
            first = self.cursor.peek()
            param = self._param()
            if param.name in found:
                self.report.parse_error(
                    20, f"the parameter `${param.name[:50]}` is declared twice", first
                )
            found.setdefault(param.name, param)
            if not self.cursor.accept_mark(","):
                break
        self.cursor.expect_mark(")")
        return tuple(found.values())

    def _param(self) -> ParamSyntax:
        """``param := VAR ':' type '?'?``."""
        token = self.cursor.expect_kind(TokenKind.VARIABLE, "a parameter")
        if token.text in {NOW_PARAMETER, ANONYMOUS}:
            self.report.parse_error(
                21, f"`${token.text}` is reserved", token, remedy="Give it another name."
            )
        self.cursor.expect_mark(":")
        first = self.cursor.peek()
        type_, what = parse_type(self.cursor)
        if type_.enum_values is not None:
            self.report.parse_error(
                14, "a parameter cannot be an enum", first, remedy="Declare it as `String`."
            )
        elif what is not None:
            self.unsupported(f"{what} of a parameter", first)
        return ParamSyntax(name=token.text, type=type_, where=self.cursor.span(token))

    def _annotations(self) -> dict[str, str]:
        """``( '@description' '(' STR ')' | '@instruction' '(' STR ')' )*``."""
        found: dict[str, str] = {}
        while (at := self.cursor.accept_mark("@")) is not None:
            name = self.cursor.peek()
            if name.kind is not TokenKind.LOWER or name.text not in ANNOTATIONS:
                self.cursor.surprise("`description` or `instruction`")
            self.cursor.take()
            self.cursor.expect_mark("(")
            text = self.cursor.expect_kind(TokenKind.STRING)
            close = self.cursor.expect_mark(")")
            if name.text in found:
                message = f"`@{name.text}` is given twice"
                self.report.parse_error(
                    16, message, (at.start, close.end), remedy="Keep one of them."
                )
            if not text.text.strip():
                self.report.parse_error(17, f"the text of `@{name.text}` is blank", text)
            found.setdefault(name.text, text.text)
        return found

    def _items(self) -> tuple[ReturnItem, ...]:
        """``'return' '{' (expr ('as' IDENT)? ','?)+ '}'``."""
        self.cursor.expect_word("return")
        distinct = self.cursor.accept_word("distinct")
        if distinct is not None:
            self.unsupported("`distinct`", distinct)
        opener = self.cursor.expect_mark("{")
        if self.cursor.at_mark("}"):
            self.cursor.fail(10, "expected something to return, found `}`")
        found: list[ReturnItem] = []
        while not self.cursor.accept_mark("}"):
            if self.cursor.at_end():
                self.cursor.fail(10, "the `{` is never closed", opener)
            found.append(self._item())
        return tuple(found)

    def _item(self) -> ReturnItem:
        value = self.expression()
        alias: Token | None = None
        if self.cursor.accept_word("as"):
            alias = self.cursor.expect_name(TokenKind.LOWER, "an alias")
        self.cursor.accept_mark(",")
        where = self.cursor.span(alias) if alias else value.where
        return ReturnItem(value=value, alias=alias.text if alias else None, where=where)

    def _order(self) -> tuple[OrderSyntax, ...]:
        """``'order' '{' ord (',' ord)* '}'`` with ``ord := expr ('asc'|'desc')?``."""
        self.cursor.expect_word("order")
        self.cursor.expect_mark("{")
        found: list[OrderSyntax] = []
        while True:
            value = self.expression()
            descending = self.cursor.accept_word("desc") is not None
            if not descending:
                self.cursor.accept_word("asc")
            found.append(OrderSyntax(value=value, descending=descending, where=value.where))
            if not self.cursor.accept_mark(",") or self.cursor.at_mark("}"):
                break
        self.cursor.expect_mark("}", remedy="An order item is `$a.x`, `$a.x asc` or `$a.x desc`.")
        return tuple(found)

    def _limits(self) -> LiteralUse | None:
        """``('limit' INT)?`` and, of the full language, ``offset`` and parameters in both."""
        limit: LiteralUse | None = None
        for name in ("limit", "offset"):
            word = self.cursor.accept_word(name)
            if word is None:
                continue
            if self.cursor.at_kind(TokenKind.VARIABLE):
                self.cursor.take()
                self.unsupported(f"`{name}` by a parameter", word)
                continue
            token = self.cursor.expect_kind(TokenKind.INTEGER, "a number of rows")
            number = self.cursor.integer(token, maximum=I64_MAX)
            if name == "offset":
                self.unsupported("`offset`", word)
            else:
                limit = LiteralUse(
                    value=number,
                    type=PropertyType(scalar=Scalar.I64),
                    where=self.cursor.span(token),
                )
        misplaced = self.cursor.peek()
        if misplaced.kind is TokenKind.LOWER and misplaced.text in {"match", "order", "limit"}:
            self.cursor.fail(
                23,
                f"`{misplaced.text}` stands in the wrong place or twice",
                remedy="The parts are `match`, `return`, `order`, `limit`, each once.",
            )
        return limit
