"""Parses the body of a query that reads: its parts, each once and in their order.

Rules: GQ010, GQ011 keyword that runs into a name, GQ019 empty braces, GQ023 order of the parts,
GQ027 direction of `nearest`. Source: languages 2.1, 3.1.
"""

import re
from typing import Final

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.query.clause_syntax import ClauseParser
from agentctl.languages.query.expression_syntax import I64_MAX, TYPES
from agentctl.languages.query.recovery import NAMES, PARTS, OuterHaltError, part_begins
from agentctl.languages.query.syntax import (
    AggregateUse,
    Clause,
    Expression,
    LiteralUse,
    NameUse,
    OrderSyntax,
    ReadBody,
    ReturnItem,
    SearchUse,
    VariableUse,
)
from agentctl.languages.schema.types import Scalar
from agentctl.languages.text.cursor import HaltError
from agentctl.languages.text.sequence import another
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import Token, TokenKind

_RANKS: Final = {"match": 0, "return": 1, "order": 2, "limit": 3, "offset": 3}
"""Where a part belongs."""
_LOWER: Final = TokenKind.LOWER
_GLUED_LIMIT: Final = re.compile(r"(limit|offset)([0-9]+)")
_GLUED_ALIAS: Final = re.compile(r"as([a-z0-9_][A-Za-z0-9_]*)")
_PARTS_REMEDY: Final = "The parts are `match`, `return`, `order`, `limit`, `offset`, each once."


def _item_begins(token: Token, after: Token) -> bool:
    return token.kind is TokenKind.VARIABLE or (token.kind is _LOWER and after.is_mark("("))


class ReadParser(ClauseParser):
    """The part of the `.gq` parser for queries that read."""

    def read(self) -> ReadBody:
        """``read := 'match' block 'return' items ('order' items)? ('limit' n)? ('offset' n)?``."""
        self._clauses: tuple[Clause, ...] = ()
        self._items: tuple[ReturnItem, ...] = ()
        self._order: tuple[OrderSyntax, ...] = ()
        self._counts: dict[str, LiteralUse | VariableUse] = {}
        self._distinct = False
        words: dict[str, Token] = {}
        while (word := self._part_word()) is not None:
            self._check_place(word, self.cursor.peek(), words)
            words.setdefault(word, self.cursor.take())
            try:
                self.part(word)
            except HaltError:
                self._skip_to_part()
        first = self.cursor.peek()
        for part in ("match", "return"):
            if part not in words:
                self._missing(part, first)
        span = self.cursor.span
        return ReadBody(
            clauses=self._clauses,
            items=self._items,
            distinct=self._distinct,
            order=self._order,
            limit=self._counts.get("limit"),
            offset=self._counts.get("offset"),
            match_where=span(words.get("match", first)),
            return_where=span(words.get("return", first)),
        )

    def _part_word(self) -> str | None:
        """Returns which part comes next; a misspelt word is reported."""
        token, after = self.cursor.peek(), self.cursor.peek(1)
        if token.kind is _LOWER and token.text in PARTS:
            return token.text
        if token.kind not in NAMES:
            return None
        if _GLUED_LIMIT.fullmatch(token.text):
            return token.text[: token.text.index("t") + 1]
        meant = nearest(token.text, PARTS)
        if meant is None or not (after.is_mark("{") or after.kind is TokenKind.INTEGER):
            return None
        self.misspelt(token, meant)
        return meant

    def _check_place(self, word: str, token: Token, before: dict[str, Token]) -> None:
        """Reports a part that comes twice, or before one that it belongs behind."""
        misplaced = before and max(map(_RANKS.__getitem__, before)) > _RANKS[word]
        if not self.unbalanced and (word in before or misplaced):
            message = f"`{word}` stands in the wrong place or twice"
            related: tuple[Related, ...] = ()
            if word in before:
                where = self.cursor.span(before[word])
                related = (Related(where=where, message=f"the first `{word}`"),)
            self.report.parse_error(23, message, token, remedy=_PARTS_REMEDY, related=related)

    def _missing(self, part: str, first: Token) -> None:
        """Reports that a part is not there, unless it may be inside what could not be read."""
        if first.kind is TokenKind.BAD or self.unbalanced:
            raise HaltError
        message = f"expected `{part}`, found {first.describe()}"
        remedy = (
            "A query reads with `match { … } return { … }`, "
            "or changes with `insert`, `update` and `delete`."
        )
        self.report.parse_error(23, message, first, remedy=remedy)
        raise HaltError

    def _skip_to_part(self) -> None:
        """Goes on to the next part of this query; halts where none comes."""
        cursor = self.cursor
        while not self.outer_begins(cursor.position):
            cursor.take()
        if not part_begins(cursor.peek(), cursor.peek(1)):
            self.unbalanced = True
            raise OuterHaltError

    def part(self, word: str) -> None:
        """Reads a part, behind its word."""
        match word:
            case "match":
                self._clauses = self.clauses()
            case "return":
                self._items = self._returned()
            case "order":
                self._order = self._ordered()
            case _:
                self._counts[word] = self._count_of_rows(word)

    def _returned(self) -> tuple[ReturnItem, ...]:
        """``'distinct'? '{' (expr ('as' IDENT)? ','?)+ '}'``."""
        cursor = self.cursor
        distinct = cursor.accept_word("distinct")
        if distinct is not None:
            self._distinct = True
            self.added("distinct", distinct)
        opener = self.opens()
        if cursor.at_mark("}"):
            self.empty(opener, "Say what is returned, e.g. `$a.name`.")
        found: list[ReturnItem] = []
        while cursor.accept_mark("}") is None:
            if self.outer_begins(cursor.position):
                self.unclosed(opener)
            start = cursor.position
            try:
                found.append(self.item())
            except OuterHaltError:
                raise
            except HaltError:
                self.resume(start, _item_begins, commas=True)
        return tuple(found)

    def item(self) -> ReturnItem:
        """``expr ('as' IDENT)? ','?``."""
        cursor = self.cursor
        value = self.expression()
        alias: Token | None = None
        if cursor.accept_word("as") is not None:
            alias = self.name(_LOWER, "an alias")
        if cursor.accept_mark(",") is None and alias is None:
            self._no_glued_alias()
        where = cursor.span(alias) if alias else value.where
        return ReturnItem(value=value, alias=alias.text if alias else None, where=where)

    def _no_glued_alias(self) -> None:
        """Refuses ``$a.x asname``, which OmniGraph 0.10 reads as ``$a.x as name``."""
        token = self.cursor.peek()
        if token.kind is _LOWER and _GLUED_ALIAS.fullmatch(token.text):
            if self.cursor.at_mark("(", 1):
                return
            self.refuse_glued(token, ("as",))

    def _ordered(self) -> tuple[OrderSyntax, ...]:
        """``'{' ord (',' ord)* '}'``."""
        cursor = self.cursor
        if cursor.at_word("by"):
            cursor.surprise("`{`", remedy="Write `order { $a.x desc }`.")
        opener = self.opens()
        if cursor.at_mark("}"):
            self.empty(opener, "Say what it is ordered by, or take `order` out.")
        found: list[OrderSyntax] = []
        while cursor.accept_mark("}") is None:
            if self.outer_begins(cursor.position):
                self.unclosed(opener)
            start = cursor.position
            try:
                found.append(self._order_item())
            except OuterHaltError:
                raise
            except HaltError:
                self.resume(start, _item_begins, commas=True)
        return tuple(found)

    def _order_item(self) -> OrderSyntax:
        """``ord := nearest '(' … ')' | expr ('asc' | 'desc')?``."""
        cursor = self.cursor
        first = cursor.peek()
        value: Expression
        if first.is_word("null"):
            value = NameUse(name="null", where=cursor.span(cursor.take()))
        else:
            value = self.expression()
        if isinstance(value, AggregateUse):
            self.added("aggregate-order", first, cursor.last)
        elif isinstance(value, NameUse) and value.name.startswith(("true", "false")):
            self.added("name-begins-like-bool", first)
        direction = self._direction()
        if direction is not None and isinstance(value, SearchUse) and value.function == "nearest":
            self.report.parse_error(
                27,
                "`nearest` is always ordered from the nearest on",
                direction,
                remedy=f"Take the `{direction.text}` out.",
            )
        self._end_of_order_item()
        descending = direction is not None and direction.text == "desc"
        return OrderSyntax(value=value, descending=descending, where=value.where)

    def _direction(self) -> Token | None:
        """``'asc' | 'desc'``; another word is reported and taken."""
        cursor = self.cursor
        token, after = cursor.peek(), cursor.peek(1)
        if token.kind not in NAMES or not (
            token.text in {"asc", "desc"} or after.is_mark("}") or after.is_mark(",")
        ):
            return None
        cursor.take()
        if token.text in {"asc", "desc"}:
            return token
        meant = "desc" if token.text.lower().startswith("d") else "asc"
        message = f"expected `asc` or `desc`, found {token.describe()}"
        self.report.parse_error(10, message, token, remedy=f"Did you mean `{meant}`?")
        return None

    def _end_of_order_item(self) -> None:
        """Takes the comma; one that is missing is reported, one that is too many noted."""
        cursor = self.cursor
        if another(cursor, "}") or cursor.at_mark("}") or self.outer_begins(cursor.position):
            return
        token = cursor.peek()
        if not _item_begins(token, cursor.peek(1)):
            remedy = "An order item is `$a.x`, `$a.x asc` or `$a.x desc`."
            cursor.surprise("`,` or `}`", remedy=remedy)
        message = f"expected `,` or `}}`, found {token.describe()}"
        remedy = "Put a comma between the items of `order`."
        self.report.parse_error(10, message, token, remedy=remedy)

    def _count_of_rows(self, word: str) -> LiteralUse | VariableUse:
        """``INT | VAR``."""
        cursor = self.cursor
        glued = _GLUED_LIMIT.fullmatch(cursor.last.text)
        if glued is not None:
            self.refuse_glued(cursor.last, ("limit", "offset"))
        if word == "offset":
            self.added("offset", cursor.last)
        token = cursor.peek()
        if token.kind is TokenKind.VARIABLE:
            if word == "limit":
                self.added("limit-parameter", cursor.last, token)
            return self.variable()
        cursor.expect_kind(
            TokenKind.INTEGER,
            "a number of rows or a parameter",
            remedy=f"Write `{word} 10` or `{word} $n`.",
        )
        value = cursor.integer(token, maximum=I64_MAX)
        return LiteralUse(value=value, type=TYPES[Scalar.I64], where=cursor.span(token))
