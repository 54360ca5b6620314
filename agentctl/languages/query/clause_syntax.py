"""Parses the clauses of a `match` block and of the blocks inside it.

Rules: GQ010 misspelt block, GQ013 what stands between clauses, GQ018 form of the hop bounds, GQ019
empty braces, GQ024 braces never closed, GQ025 a traversal in a condition, GQ033 edge name.
Source: languages 2.1, 2.7, 3.1.
"""

from typing import Final

from agentctl.languages.query.arrow_syntax import arrow_comes, read_arrow
from agentctl.languages.query.condition_syntax import WORD_OPERATORS, ConditionParser
from agentctl.languages.query.recovery import NAMES, OuterHaltError
from agentctl.languages.query.syntax import (
    BindingClause,
    Clause,
    EdgeName,
    FilterClause,
    Hops,
    InlineMatch,
    NotClause,
    NotUse,
    OptionalClause,
    TraversalClause,
    VariableUse,
)
from agentctl.languages.text.cursor import HaltError
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import Token, TokenKind

BLOCKS: Final = ("not", "optional", "exists", "count")
HOPS_MAX: Final = 2**31 - 1
_JUNCTIONS: Final = frozenset({"AND", "OR", "And", "Or"})
_VARIABLE: Final = TokenKind.VARIABLE
_LOWER: Final = TokenKind.LOWER
_UPPER: Final = TokenKind.UPPER
_HOPS_REMEDY: Final = "Write `{1,3}` for one to three hops."


def _clause_begins(token: Token, after: Token) -> bool:
    return (
        token.kind is _VARIABLE
        or token.is_word("not")
        or (token.kind is _LOWER and (after.is_mark("{") or after.is_mark("(")))
    )


def _match_begins(token: Token, after: Token) -> bool:
    return token.kind is _LOWER and after.is_mark(":")


class ClauseParser(ConditionParser):
    """The part of the `.gq` parser for `match` blocks."""

    def clauses(self) -> tuple[Clause, ...]:
        """``'{' clause+ '}'``."""
        cursor = self.cursor
        opener = self.opens()
        if cursor.at_mark("}"):
            self.empty(opener, "Say what is looked for, e.g. `$a: Type`.")
        found: list[Clause] = []
        with cursor.nested():
            while cursor.accept_mark("}") is None:
                start = cursor.position
                try:
                    clause = self.clause(opener, found)
                except OuterHaltError:
                    raise
                except HaltError:
                    self.resume(start, _clause_begins)
                else:
                    if clause is not None:
                        found.append(clause)
        return tuple(found)

    def empty(self, opener: Token, remedy: str) -> None:
        """Reports that nothing stands between the braces."""
        place = (opener.start, self.cursor.peek().end)
        self.report.parse_error(19, "nothing stands between the braces", place, remedy=remedy)

    def clause(self, opener: Token, before: list[Clause]) -> Clause | None:
        """``clause := 'not' block | 'optional' block | binding | traversal | condition``."""
        cursor = self.cursor
        first = cursor.peek()
        if first.kind is _VARIABLE:
            after = cursor.peek(1)
            if after.is_mark(":"):
                return self._binding()
            if self._traversal_comes(after):
                return self._traversal()
            if arrow_comes(cursor, 1):
                self._arrow()
                return None
        elif first.kind is _LOWER:
            clause = self._block_clause(first, opener, before)
            if clause is not None or cursor.peek() is not first:
                return clause
        elif first.kind is TokenKind.END:
            self.unclosed(opener)
        elif first.is_mark("|") or first.text in _JUNCTIONS:
            word = "or" if first.is_mark("|") else first.text.lower()
            cursor.surprise("a clause", remedy=f"Conditions are joined by `{word}`.")
        elif first.is_mark(","):
            message = "clauses are not separated by commas"
            self.report.parse_error(13, message, cursor.take(), remedy="Take the comma out.")
            return None
        condition = self.condition()
        return FilterClause(condition=condition, where=condition.where)

    def _block_clause(self, first: Token, opener: Token, before: list[Clause]) -> Clause | None:
        """Reads a clause that begins with a word, if that word makes it another than a condition.

        Returns None where it does not, and where something is reported and taken.
        """
        cursor = self.cursor
        if cursor.at_mark("{", 1):
            if first.text == "not":
                return self._not(cursor.take())
            if first.text == "exists":
                return self._exists(cursor.take())
            if first.text == "optional":
                self.added("optional", cursor.take())
                where = cursor.span(first, first)
                return OptionalClause(clauses=self.clauses(), where=where)
            if first.text not in BLOCKS and not self.outer_begins(cursor.position):
                self._unknown_block(first)
                return None
        if self.outer_begins(cursor.position):
            self.unclosed(opener)
        if first.text in {"and", "or"} and before:
            self._no_junction(first, before[-1])
        return None

    def _not(self, first: Token) -> Clause:
        """``'not' block``, which may go on as a condition."""
        cursor = self.cursor
        block = self.exists(cursor.peek())
        where = cursor.span(first)
        if not cursor.at_word("and") and not cursor.at_word("or"):
            return NotClause(clauses=block.clauses, where=where)
        negated = NotUse(condition=block, where=cursor.span(first, cursor.last))
        condition = self.condition_after(negated, first)
        return FilterClause(condition=condition, where=condition.where)

    def _exists(self, first: Token) -> Clause:
        """``'exists' block``, which may go on as a condition."""
        self.added("exists", first)
        condition = self.condition_after(self.exists(first), first)
        return FilterClause(condition=condition, where=condition.where)

    def _unknown_block(self, first: Token) -> None:
        """Reports a word before braces that is none, and reads the block all the same."""
        meant = nearest(first.text, BLOCKS)
        remedy = f"Did you mean `{meant}`?" if meant else f"Blocks are {', '.join(BLOCKS)}."
        message = f"there is no block {first.describe()}"
        self.report.parse_error(10, message, self.cursor.take(), remedy=remedy)
        self.clauses()

    def _no_junction(self, word: Token, before: Clause) -> None:
        """Reports an ``and`` or ``or`` behind a clause that is no condition."""
        cursor = self.cursor
        if word.text == "and" or not isinstance(before, TraversalClause):
            message = f"clauses are not joined by `{word.text}`: each must hold"
            remedy = f"Take the `{word.text}` out."
            self.report.parse_error(13, message, word, remedy=remedy)
        else:
            message = "a traversal is no condition"
            remedy = "Put it into a block of its own: `exists { $a knows $b } or …`."
            self.mistake(25, message, before.where, remedy=remedy)
        cursor.take()

    def _binding(self) -> BindingClause:
        """``VAR ':' TYPE ('{' IDENT ':' val (',' IDENT ':' val)* ','? '}')?``."""
        cursor = self.cursor
        var = self.variable()
        cursor.take()
        name = self.name(_UPPER, "the name of a node type")
        opener = cursor.accept_mark("{")
        matches = self._matches(opener) if opener is not None else ()
        return BindingClause(
            var=var, type_name=name.text, type_where=cursor.span(name), matches=matches
        )

    def _matches(self, opener: Token) -> tuple[InlineMatch, ...]:
        cursor = self.cursor
        if cursor.at_mark("}"):
            self.empty(opener, "Take the braces out.")
        found: list[InlineMatch] = []
        while not cursor.at_mark("}"):
            start = cursor.position
            try:
                found.append(self._inline_match())
                if cursor.accept_mark(",") is None and not self._comma_missing():
                    break
            except HaltError:
                self.resume(start, _match_begins, commas=True)
        if not cursor.at_mark("}"):
            if self.outer_begins(cursor.position):
                self.unclosed(opener)
            cursor.surprise("`,` or `}`")
        cursor.take()
        return tuple(found)

    def _comma_missing(self) -> bool:
        """Reports a value that comes without a comma before it."""
        token = self.cursor.peek()
        if not _match_begins(token, self.cursor.peek(1)):
            return False
        message = f"expected `,` or `}}`, found {token.describe()}"
        self.report.parse_error(10, message, token, remedy="Put a comma between the values.")
        return True

    def _inline_match(self) -> InlineMatch:
        name = self.name(_LOWER, "the name of a property")
        self.cursor.expect_mark(":")
        return InlineMatch(property=name.text, value=self.value(), where=self.cursor.span(name))

    def _traversal_comes(self, after: Token) -> bool:
        """Whether a clause that begins with ``VAR`` is a traversal; else it is a condition.

        A bare variable left of a word is a traversal, except where the word is an operator and
        what follows is no bare variable, or goes on as a condition.
        """
        if after.kind is _LOWER:
            return self._edge_comes_after(after)
        if after.kind is TokenKind.MARK:
            undirected = after.text == "<" and self.cursor.at_mark(">", 3)
            return after.text == "(" or (undirected and self.cursor.peek(2).kind in NAMES)
        return after.kind is _VARIABLE or after.kind is _UPPER

    def _edge_comes_after(self, word: Token) -> bool:
        """Whether *word* behind a bare variable is an edge, and no operator."""
        cursor = self.cursor
        if word.text not in WORD_OPERATORS and word.text not in {"and", "or"}:
            return True
        if not cursor.at_kind(_VARIABLE, 2):
            return cursor.at_mark("{", 2)
        behind = cursor.peek(3)
        if behind.is_mark(".") or behind.is_word("and") or behind.is_word("or"):
            self.added("variable-operand", cursor.peek(), word)
            return False
        return True

    def _traversal(self) -> TraversalClause:
        """``VAR (VAR ':')? ('<' EDGE '>' | EDGE | '(' EDGE ('|' EDGE)* ')') hops? VAR``."""
        cursor = self.cursor
        first = cursor.peek()
        left = self.variable()
        edge_var: VariableUse | None = None
        if cursor.at_kind(_VARIABLE):
            edge_var = self.variable()
            cursor.expect_mark(":", remedy="Write `$a $e:knows $b` to bind the edge to `$e`.")
        undirected = cursor.accept_mark("<") is not None
        if undirected:
            edges: tuple[EdgeName, ...] = (self.edge(),)
            cursor.expect_mark(">")
        else:
            edges = self.alternatives() if cursor.at_mark("(") else (self.edge(),)
        hops = self.hops() if cursor.at_mark("{") else None
        right = self._right_end()
        return TraversalClause(
            left=left,
            right=right,
            edges=edges,
            undirected=undirected,
            edge_var=edge_var,
            hops=hops,
            where=cursor.span(first, cursor.last),
        )

    def _arrow(self) -> None:
        """Reports ``$a -[knows]-> $b`` and steps over it."""
        cursor = self.cursor
        left = cursor.take()
        arrow = read_arrow(cursor, left)
        message = f"expected the name of an edge, found {cursor.peek().describe()}"
        self.report.parse_error(10, message, arrow.place, remedy=arrow.remedy)
        for _ in range(arrow.length):
            cursor.take()

    def _right_end(self) -> VariableUse:
        """``VAR``, which is not the beginning of the next clause."""
        cursor = self.cursor
        wanted = "a variable at the other end of the edge"
        if cursor.at_mark(":", 1) and cursor.at_kind(_VARIABLE) and cursor.at_kind(_UPPER, 2):
            cursor.surprise(wanted, remedy="A traversal is `$a knows $b`.")
        return self.variable(wanted)

    def edge(self) -> EdgeName:
        """``EDGE``: a name in lower case, never ``not`` or ``not_…``."""
        token = self.name(_LOWER, "the name of an edge")
        if token.text == "not" or token.text.startswith("not_"):
            self.report.parse_error(
                33,
                f"an edge in a query is never called {token.describe()}",
                token,
                remedy="`not` begins a negation; give the edge type another name.",
            )
        return EdgeName(name=token.text, where=self.cursor.span(token))

    def alternatives(self) -> tuple[EdgeName, ...]:
        """``'(' EDGE ('|' EDGE)* ')'``."""
        cursor = self.cursor
        opener = cursor.take()
        found = [self.edge()]
        while cursor.accept_mark("|") is not None:
            found.append(self.edge())
        close = cursor.expect_mark(")", remedy="Write `$a (knows | worksWith) $b`.")
        self.added("edge-alternation", opener, close)
        return tuple(found)

    def hops(self) -> Hops:
        """``'{' INT ',' INT? '}'``."""
        cursor = self.cursor
        opener = cursor.take()
        token = cursor.peek()
        if token.kind is not TokenKind.INTEGER:
            message = f"expected a number of hops, found {token.describe()}"
            cursor.fail(18, message, remedy=_HOPS_REMEDY)
        minimum = cursor.integer(cursor.take(), maximum=HOPS_MAX)
        if cursor.at_mark("}"):
            cursor.fail(
                18,
                "hops are a minimum and a maximum",
                (opener.start, cursor.peek().end),
                remedy=f"Write `{{{minimum},{minimum}}}` for exactly {minimum}.",
            )
        cursor.expect_mark(",", remedy=_HOPS_REMEDY)
        maximum = None
        if cursor.at_kind(TokenKind.INTEGER):
            maximum = cursor.integer(cursor.take(), maximum=HOPS_MAX)
        close = cursor.expect_mark("}", remedy=_HOPS_REMEDY)
        return Hops(minimum=minimum, maximum=maximum, where=cursor.span(opener, close))
