"""Parses conditions: comparisons, and what `not`, `and` and `or` make of them.

A comparison binds tighter than ``not``, that than ``and``, that than ``or``. Recursion is bounded
by the cursor: a parenthesis, a ``not`` and a block are one level each.

Rules: GQ010 a condition is not whole, GQ025 a traversal in the place of a condition, GQ029 right
side of ``in``. Source: languages 2.1, 2.7, 3.1.
"""

from typing import Final, NoReturn

from agentctl.languages.query.arrow_syntax import arrow_comes
from agentctl.languages.query.expression_syntax import ExpressionParser
from agentctl.languages.query.plan import Comparison
from agentctl.languages.query.syntax import (
    CallUse,
    CompareUse,
    Condition,
    CountUse,
    ExistsUse,
    Expression,
    InUse,
    JunctionUse,
    ListUse,
    NameUse,
    NotUse,
    NullUse,
    SearchUse,
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
WORD_OPERATORS: Final = frozenset({"contains", "starts_with", "in", "is"})
BARE_CALLS: Final = frozenset({"search", "fuzzy", "match_text"})
CONDITIONS: Final = (CompareUse, InUse, NullUse, CallUse, ExistsUse, NotUse, JunctionUse)
_OTHER_OPERATORS: Final = {
    "like": "contains",
    "matches": "contains",
    "startswith": "starts_with",
    "begins_with": "starts_with",
    "has": "contains",
    "includes": "contains",
    "eq": "=",
    "equals": "=",
    **{word: word for word in ("contains", "starts_with", "in", "is")},
}
_OTHER_MARKS: Final = {("=", "="): "=", ("<", ">"): "!=", ("=", "<"): "<=", ("=", ">"): ">="}
"""Comparisons of other languages, as the tokens that they are here."""
_RANKS: Final = frozenset({"bm25", "nearest", "rrf"})
_OPERATOR_KINDS: Final = frozenset({TokenKind.MARK, TokenKind.LOWER})

Term = Condition | Expression
"""A condition, or an operand on its way to become one."""


class ConditionParser(ExpressionParser):
    """The part of the `.gq` parser for conditions."""

    property_names: bool = False
    """Whether a name left of an operator is a property, whatever it is: in a mutation's `where`."""

    def condition(self) -> Condition:
        """``condition := conjunction ('or' conjunction)*``."""
        return self._whole(self._disjunction(self.cursor.peek()))

    def condition_after(self, start: Condition, first: Token) -> Condition:
        """Reads the rest of a condition whose first part has been read, from *first* on."""
        return self._whole(self._disjunction(first, start))

    def _disjunction(self, first: Token, start: Condition | None = None) -> Term:
        """``conjunction ('or' conjunction)*``."""
        cursor = self.cursor
        term = self._conjunction(first, start)
        word = cursor.peek()
        if not word.is_word("or"):
            return term
        self.added("boolean-expression", word)
        found = [self._whole(term)]
        while self.joined("or"):
            found.append(self._whole(self._conjunction(cursor.peek())))
        where = self.report.source.span(first.start, cursor.last.end)
        return JunctionUse(word="or", conditions=tuple(found), where=where)

    def _conjunction(self, first: Token, start: Condition | None = None) -> Term:
        """``conjunction := negation ('and' negation)*``."""
        cursor = self.cursor
        term: Term = start if start is not None else self._negation()
        word = cursor.peek()
        if not word.is_word("and"):
            return term
        self.added("boolean-expression", word)
        found = [self._whole(term)]
        while self.joined("and"):
            found.append(self._whole(self._negation()))
        where = self.report.source.span(first.start, cursor.last.end)
        return JunctionUse(word="and", conditions=tuple(found), where=where)

    def joined(self, word: str) -> bool:
        """Takes the ``and`` or ``or`` between two conditions, if it comes next."""
        return self.cursor.accept_word(word) is not None

    def _negation(self) -> Term:
        """``negation := 'not' (block | negation) | comparison``."""
        cursor = self.cursor
        first = cursor.peek()
        if not first.is_word("not") or self._is_name(cursor.peek(1)):
            return self._comparison(first)
        cursor.take()
        inner: Condition
        if cursor.at_mark("{"):
            inner = self.exists(cursor.peek())
        else:
            self.added("boolean-expression", first)
            with cursor.nested():
                inner = self._whole(self._negation())
        return NotUse(condition=inner, where=cursor.span(first, cursor.last))

    def exists(self, first: Token) -> ExistsUse:
        """Reads ``'{' clause+ '}'`` as whether there is a match; its place begins at *first*."""
        clauses = self.clauses()
        return ExistsUse(clauses=clauses, where=self.cursor.span(first, self.cursor.last))

    def _whole(self, term: Term) -> Condition:
        """Returns a condition; halts where it is an operand that is compared with nothing."""
        if isinstance(term, CONDITIONS):
            return term
        token = self.cursor.peek()
        if isinstance(term, VariableUse) and self._edge_comes(token):
            self._no_traversal(token)
        if isinstance(term, SearchUse) and term.function in _RANKS:
            known = "It ranks: put it first into `order`."
            self.cursor.surprise("a comparison", remedy=known)
        if isinstance(term, CountUse):
            known = "Compare it, `count { … } > 0`, or write `exists { … }`."
            self.cursor.surprise("a comparison", remedy=known)
        if isinstance(term, NameUse) and self._is_behind_number():
            self._no_number()
        if isinstance(term, NameUse | VariableUse) and arrow_comes(self.cursor, 0):
            remedy = "A traversal is written `$a knows $b`, with the name of the edge alone."
            self.cursor.surprise("a comparison", remedy=remedy)
        meant = _OTHER_OPERATORS.get(token.text.lower())
        known = f"Comparisons are {', '.join(COMPARISONS)}, in, is null."
        if token.is_mark("=") or token.kind not in _OPERATOR_KINDS:
            known = f"Say what it is compared with. {known}"
        return self.cursor.surprise(
            "a comparison", remedy=f"Did you mean `{meant}`?" if meant else known
        )

    def _is_behind_number(self) -> bool:
        """Whether the name that was taken last runs on from a number, as in ``1_000``."""
        tokens, position = self.cursor.tokens, self.cursor.position
        number, name = tokens[max(position - 2, 0)], tokens[position - 1]
        numeric = number.kind is TokenKind.INTEGER or number.kind is TokenKind.FLOAT
        return numeric and number.end == name.start

    def _no_number(self) -> NoReturn:
        tokens, position = self.cursor.tokens, self.cursor.position
        place = (tokens[position - 2].start, tokens[position - 1].end)
        remedy = "Numbers are written like `1000`, `1.5` or `1e3`."
        self.cursor.fail(10, "a number runs into a name", place, remedy=remedy)

    def _edge_comes(self, token: Token) -> bool:
        """Whether a traversal was meant: an edge and a variable, or ``<edge>``."""
        if token.is_mark("<"):
            return self.cursor.at_mark(">", 2)
        return token.kind is TokenKind.LOWER and self.cursor.at_kind(TokenKind.VARIABLE, 1)

    def _no_traversal(self, token: Token) -> NoReturn:
        self.cursor.fail(
            25,
            "a traversal is no condition",
            token,
            remedy="Put it into a block of its own: `exists { $a knows $b }`.",
        )

    def _is_name(self, after: Token) -> bool:
        """Whether a ``not`` is no negation but a property, as it is before a mark."""
        return after.is_mark(")") or self._compares(after)

    def _compares(self, token: Token) -> bool:
        return token.kind is TokenKind.MARK and token.text in COMPARISONS

    def _comparison(self, first: Token) -> Term:
        """``comparison := operand (operator operand | 'in' list | 'is' 'not'? 'null')? | exists``."""
        cursor = self.cursor
        if first.kind is TokenKind.LOWER:
            if first.text == "exists" and cursor.at_mark("{", 1):
                self.added("exists", cursor.take())
                return self.exists(first)
            left = self.property_or_expression()
        elif first.is_mark("("):
            group = self.group()
            if isinstance(group, CONDITIONS):
                return group
            left = group
        else:
            left = self.expression()
        return self._compared(left, first)

    def property_or_expression(self) -> Expression:
        """Reads the left side of a comparison that begins with a name."""
        return self.expression()

    def group(self) -> Term:
        """``'(' (condition | operand) ')'``."""
        cursor = self.cursor
        opener = cursor.take()
        self.added("boolean-expression", opener)
        with cursor.nested():
            term = self._disjunction(cursor.peek())
        cursor.expect_mark(")")
        return term

    def _compared(self, left: Expression, first: Token) -> Term:
        cursor = self.cursor
        token = cursor.peek()
        if token.kind in _OPERATOR_KINDS:
            comparison = COMPARISONS.get(token.text)
            if comparison is not None:
                if comparison == "<" and self._edge_comes(token):
                    self._no_traversal(token)
                cursor.take()
                self._no_other_mark(token)
                right = self.right_side()
                if self._compares(cursor.peek()):
                    self._no_chain()
                where = self.report.source.span(first.start, cursor.last.end)
                return CompareUse(left=left, comparison=comparison, right=right, where=where)
            if token.is_word("in"):
                return self._membership(left, first)
            if token.is_word("is"):
                return self._null_test(left, first)
        if isinstance(left, SearchUse) and left.function in BARE_CALLS:
            return CallUse(call=left, where=left.where)
        return left

    def right_side(self) -> Expression:
        """``operand := expr | '(' operand ')'``."""
        cursor = self.cursor
        opener = cursor.accept_mark("(")
        if opener is None:
            return self.expression()
        self.added("boolean-expression", opener)
        with cursor.nested():
            found = self.right_side()
        cursor.expect_mark(")")
        return found

    def _no_other_mark(self, mark: Token) -> None:
        """Refuses the ``==`` and ``<>`` of other languages."""
        after = self.cursor.peek()
        meant = _OTHER_MARKS.get((mark.text, after.text))
        if meant is not None and after.kind is TokenKind.MARK and after.start == mark.end:
            both = f"{mark.text}{after.text}"
            place = (mark.start, after.end)
            self.cursor.fail(
                10, f"there is no comparison `{both}`", place, remedy=f"Write `{meant}`."
            )

    def _no_chain(self) -> NoReturn:
        self.cursor.fail(
            10,
            f"expected the end of the comparison, found {self.cursor.peek().describe()}",
            remedy="Comparisons do not chain: write `1 < $a.x and $a.x < 5`.",
        )

    def _membership(self, operand: Expression, first: Token) -> InUse:
        """``'in' (list | VAR)``."""
        cursor = self.cursor
        self.added("in-list", cursor.take())
        token = cursor.peek()
        values: ListUse | VariableUse
        if token.is_mark("["):
            values = self.list()
        elif token.kind is TokenKind.VARIABLE and not cursor.at_mark(".", 1):
            values = self.variable()
        else:
            cursor.fail(
                29,
                f"behind `in` comes a list or a parameter, not {token.describe()}",
                remedy='Write `in ["a", "b"]` or `in $list`; '
                "a property that is a list is asked with `$a.tags contains …`.",
            )
        where = self.report.source.span(first.start, cursor.last.end)
        return InUse(operand=operand, values=values, where=where)

    def _null_test(self, operand: Expression, first: Token) -> NullUse:
        """``'is' 'not'? 'null'``."""
        cursor = self.cursor
        word = cursor.take()
        negated = cursor.accept_word("not") is not None
        cursor.expect_word(
            "null", remedy="Write `is null` or `is not null`; values are compared with `=`."
        )
        self.added("null-test", word, cursor.last)
        where = self.report.source.span(first.start, cursor.last.end)
        return NullUse(operand=operand, negated=negated, where=where)
