"""Parses the clauses of a `match` block.

Recursion is bounded by the cursor; every level of a block, a parenthesis or a `not` is one.

Rules: GQ013 comma between clauses, GQ018 form of the hop bounds, GQ019 empty braces.
Source: languages 2.1, 2.7, 3.1.
"""

from typing import Final

from agentctl.languages.query.expression_syntax import ExpressionParser
from agentctl.languages.query.plan import Comparison
from agentctl.languages.query.syntax import (
    BindingClause,
    Clause,
    CompareUse,
    EdgeName,
    Expression,
    FilterClause,
    Hops,
    InlineMatch,
    LiteralUse,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.text.token import Token, TokenKind

COMPARISONS: Final[dict[str, Comparison]] = {
    "=": "=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "contains": "contains",
    "starts_with": "starts_with",
}
BLOCKS: Final = ("not", "optional", "exists")
BARE_CALLS: Final = frozenset({"search", "fuzzy", "match_text"})
HOPS_MAX: Final = 2**31 - 1


class ClauseParser(ExpressionParser):
    """The part of the `.gq` parser for `match` blocks."""

    def clauses(self) -> tuple[Clause, ...]:
        """``'{' clause+ '}'``; clauses that are reported as not supported are left out."""
        opener = self.cursor.expect_mark("{")
        if self.cursor.at_mark("}"):
            self.cursor.fail(
                10, "expected a clause, found `}`", remedy="Bind a variable: `$a: Type`."
            )
        found: list[Clause] = []
        with self.cursor.nested():
            while not self.cursor.accept_mark("}"):
                if self.cursor.at_end():
                    self.cursor.fail(10, "the `{` is never closed", opener)
                comma = self.cursor.accept_mark(",")
                if comma is not None:
                    message = "clauses are not separated by commas"
                    self.report.parse_error(13, message, comma, remedy="Take the comma out.")
                    continue
                clause = self._clause()
                if clause is not None:
                    found.append(clause)
        return tuple(found)

    def _clause(self) -> Clause | None:
        cursor = self.cursor
        first = cursor.peek()
        if first.kind is TokenKind.VARIABLE:
            if cursor.at_mark(":", 1):
                return self._binding()
            if self._traversal_follows():
                return self._traversal()
        elif first.kind is TokenKind.LOWER and first.text in BLOCKS and cursor.at_mark("{", 1):
            self._block(first)
            return None
        return self._condition()

    def _block(self, first: Token) -> None:
        """``not { … }``, ``optional { … }`` or ``exists { … }``, alone or in a condition."""
        self.cursor.take()
        with self.within_unsupported(f"`{first.text} {{ … }}`", first):
            self.clauses()
            self._more_conditions()

    def _binding(self) -> BindingClause:
        """``VAR ':' TYPE ('{' IDENT ':' val (',' IDENT ':' val)* ','? '}')?``."""
        var = self.variable()
        self.cursor.expect_mark(":")
        name = self.cursor.expect_name(TokenKind.UPPER, "the name of a node type")
        matches: list[InlineMatch] = []
        if self.cursor.accept_mark("{"):
            if self.cursor.at_mark("}"):
                self.cursor.fail(19, "the braces are empty", remedy="Take the braces out.")
            while not self.cursor.at_mark("}"):
                match = self._inline_match()
                if match is not None:
                    matches.append(match)
                if not self.cursor.accept_mark(","):
                    break
            self.cursor.expect_mark("}")
        return BindingClause(
            var=var, type_name=name.text, type_where=self.cursor.span(name), matches=tuple(matches)
        )

    def _inline_match(self) -> InlineMatch | None:
        name = self.cursor.expect_name(TokenKind.LOWER, "the name of a property")
        self.cursor.expect_mark(":")
        value: LiteralUse | VariableUse
        if self.cursor.at_kind(TokenKind.VARIABLE):
            value = self.variable()
        elif self.cursor.at_word("now") and self.cursor.at_mark("(", 1):
            self.expression()
            return None
        else:
            value = self.literal()
        return InlineMatch(property=name.text, value=value, where=self.cursor.span(name))

    def _traversal_follows(self) -> bool:
        """Whether a traversal begins here, after ``VAR``; else it is a condition.

        A bare variable left of a word is a traversal, except where the word is an operator and
        what follows is no bare variable. The checker has the last word on ``contains``.
        """
        cursor = self.cursor
        word = cursor.peek(1)
        if word.kind is TokenKind.VARIABLE or word.is_mark("("):
            return True
        if word.is_mark("<"):
            return cursor.at_kind(TokenKind.LOWER, 2) and cursor.at_mark(">", 3)
        if word.kind not in {TokenKind.LOWER, TokenKind.UPPER}:
            return False
        after = cursor.peek(2)
        if word.text in {"contains", "starts_with", "in", "is", "and", "or"}:
            return after.is_mark("{") or (
                after.kind is TokenKind.VARIABLE and not cursor.at_mark(".", 3)
            )
        return True

    def _traversal(self) -> TraversalClause | None:
        """``VAR (VAR ':')? ( '<' EDGE '>' | EDGE ) ('{' INT ',' INT? '}')? VAR``."""
        cursor = self.cursor
        start = cursor.peek().start
        left = self.variable()
        edge_var: VariableUse | None = None
        if cursor.at_kind(TokenKind.VARIABLE):
            edge_var = self.variable()
            cursor.expect_mark(":", remedy="Write `$a $e:knows $b` to bind the edge to `$e`.")
        undirected = cursor.accept_mark("<")
        edge: Token | None = None
        if undirected is not None:
            edge = cursor.expect_name(TokenKind.LOWER, "the name of an edge")
            cursor.expect_mark(">")
            self.unsupported("an undirected traversal", undirected)
        elif cursor.at_mark("("):
            first = cursor.peek()
            cursor.skip_balanced()
            self.unsupported("a choice of edges", first)
        else:
            edge = cursor.expect_name(TokenKind.LOWER, "the name of an edge")
        hops = self._hops() if cursor.at_mark("{") else None
        right = self.variable("a variable at the other end of the edge")
        if edge is None:
            return None
        return TraversalClause(
            left=left,
            right=right,
            edges=(EdgeName(name=edge.text, where=cursor.span(edge)),),
            edge_var=edge_var,
            hops=hops,
            where=cursor.report.source.span(start, cursor.last.end),
        )

    def _hops(self) -> Hops:
        """``'{' INT ',' INT? '}'``."""
        cursor = self.cursor
        remedy = "Write `{1,3}` for one to three hops."
        opener = cursor.expect_mark("{")
        token = cursor.peek()
        if token.kind is not TokenKind.INTEGER:
            cursor.fail(18, f"expected a number of hops, found {token.describe()}", remedy=remedy)
        minimum = cursor.integer(cursor.take(), maximum=HOPS_MAX)
        if cursor.at_mark("}"):
            cursor.fail(
                18,
                "hops are a minimum and a maximum",
                remedy=f"Write `{{{minimum},{minimum}}}` for exactly {minimum}.",
            )
        cursor.expect_mark(",", remedy=remedy)
        maximum = None
        if cursor.at_kind(TokenKind.INTEGER):
            maximum = cursor.integer(cursor.take(), maximum=HOPS_MAX)
        close = cursor.expect_mark("}", remedy=remedy)
        return Hops(minimum=minimum, maximum=maximum, where=cursor.span(opener, close))

    def _condition(self) -> FilterClause | None:
        """``expr comparison expr``; of the rest of boolean expressions only the form is known."""
        first = self.cursor.peek()
        left = self._operand_or_unsupported(first)
        if left is None:
            return None
        token = self.cursor.peek()
        comparison = self._comparison()
        if comparison is None:
            if token.is_word("in") or token.is_word("is"):
                with self.within_unsupported(f"`{token.text}`", token):
                    self._comparison_tail()
                    self._more_conditions()
                return None
            self.cursor.surprise(
                "a comparison", remedy=f"Comparisons are {', '.join(COMPARISONS)}."
            )
        right = self._right_side()
        where = self.cursor.span(first, self.cursor.last)
        if self.cursor.at_word("and") or self.cursor.at_word("or"):
            word = self.cursor.peek()
            with self.within_unsupported(f"`{word.text}`", word):
                self._more_conditions()
            return None
        if right is None:
            return None
        condition = CompareUse(left=left, comparison=comparison, right=right, where=where)
        return FilterClause(condition=condition, where=where)

    def _operand_or_unsupported(self, first: Token) -> Expression | None:
        """Returns the left operand; None where the whole clause was read as not supported."""
        cursor = self.cursor
        if first.is_mark("(") or first.is_word("not"):
            with self.within_unsupported("a boolean expression", first):
                self._boolean()
                self._more_conditions()
            return None
        if first.is_word("count") and cursor.at_mark("{", 1):
            cursor.take()
            with self.within_unsupported("`count { … }`", first):
                self.clauses()
                self._comparison_tail()
                self._more_conditions()
            return None
        left = self.expression()
        if first.kind is TokenKind.LOWER and first.text in BARE_CALLS and not self._operator_next():
            return None
        return left

    def _operator_next(self) -> bool:
        token = self.cursor.peek()
        return token.kind in {TokenKind.MARK, TokenKind.LOWER} and token.text in COMPARISONS

    def _comparison(self) -> Comparison | None:
        return COMPARISONS[self.cursor.take().text] if self._operator_next() else None

    def _right_side(self) -> Expression | None:
        first = self.cursor.peek()
        if first.is_mark("("):
            with self.within_unsupported("parentheses", first):
                self._boolean()
            return None
        return self.expression()

    def _more_conditions(self) -> None:
        """``(('and' | 'or') condition)*``."""
        while self.cursor.accept_word("and") or self.cursor.accept_word("or"):
            self._boolean()

    def _boolean(self) -> None:
        """Reads one condition of the full language; what it means is not kept."""
        cursor = self.cursor
        with cursor.nested():
            if cursor.accept_word("not"):
                if cursor.at_mark("{"):
                    self.clauses()
                else:
                    self._boolean()
                return
            if cursor.accept_mark("("):
                self._boolean()
                self._more_conditions()
                cursor.expect_mark(")")
            elif cursor.peek().text in {"exists", "count"} and cursor.at_mark("{", 1):
                cursor.take()
                self.clauses()
            else:
                self.expression()
            self._comparison_tail()

    def _comparison_tail(self) -> None:
        """``(comparison expr | 'in' list | 'is' 'not'? 'null')?``."""
        cursor = self.cursor
        if cursor.accept_word("in"):
            self.expression()
        elif cursor.accept_word("is"):
            cursor.accept_word("not")
            cursor.expect_word("null")
        elif self._comparison() is not None:
            self._right_side()
