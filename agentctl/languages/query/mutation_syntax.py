"""Parses the body of a query that changes a graph.

Rules: GQ010, GQ011 keyword that runs into a name, GQ019 empty braces, GQ032 what a `where` of a
mutation may compare. Source: languages 2.1, 3.1.
"""

from typing import Final

from agentctl.languages.query.read_syntax import ReadParser
from agentctl.languages.query.recovery import NAMES, OuterHaltError
from agentctl.languages.query.syntax import (
    Assignment,
    CallUse,
    CompareUse,
    Condition,
    DeleteSyntax,
    ExistsUse,
    Expression,
    InsertSyntax,
    InUse,
    JunctionUse,
    ListUse,
    LiteralUse,
    MutationBody,
    MutationSyntax,
    NameUse,
    NotUse,
    NowUse,
    NullUse,
    UpdateSyntax,
    VariableUse,
)
from agentctl.languages.text.cursor import HaltError
from agentctl.languages.text.suggest import nearest
from agentctl.languages.text.token import Token, TokenKind

MUTATIONS: Final = ("insert", "update", "delete")
_UPPER: Final = TokenKind.UPPER
_LOWER: Final = TokenKind.LOWER
_VALUES: Final = (LiteralUse, ListUse, NowUse, VariableUse)


def _mutation_begins(token: Token, after: Token) -> bool:
    return token.kind is _LOWER and token.text in MUTATIONS and after.kind is _UPPER


def _assignment_begins(token: Token, after: Token) -> bool:
    return token.kind is _LOWER and after.is_mark(":")


class MutationParser(ReadParser):
    """The part of the `.gq` parser for queries that change a graph."""

    def mutations(self) -> MutationBody:
        """``mutation+``, up to the brace that closes the body."""
        cursor = self.cursor
        found: list[MutationSyntax] = []
        while not cursor.at_mark("}") and not self.outer_begins(cursor.position):
            start = cursor.position
            try:
                found.append(self.mutation())
            except OuterHaltError:
                raise
            except HaltError:
                self.resume(start, _mutation_begins)
        return MutationBody(mutations=tuple(found))

    def mutation(self) -> MutationSyntax:
        """``mutation := insert | update | delete``."""
        cursor = self.cursor
        word = cursor.peek()
        self.refuse_glued(word, MUTATIONS)
        meant: str | None = word.text
        if word.kind is not _LOWER or meant not in MUTATIONS:
            meant = nearest(word.text, MUTATIONS) if word.kind in NAMES else None
            if meant is None:
                remedy = "A query changes with `insert`, `update` and `delete`."
                cursor.surprise("`insert`, `update` or `delete`", remedy=remedy)
            self.misspelt(word, meant)
        cursor.take()
        if meant == "insert":
            return self._insert(word)
        return self._update(word) if meant == "update" else self._delete(word)

    def _insert(self, word: Token) -> InsertSyntax:
        """``'insert' TYPE '{' (IDENT ':' val ','?)+ '}'``."""
        name = self.name(_UPPER, "the name of a type")
        return InsertSyntax(
            type_name=name.text,
            type_where=self.cursor.span(name),
            assignments=self._assignments(),
            where=self.cursor.span(word),
        )

    def _update(self, word: Token) -> UpdateSyntax:
        """``'update' TYPE 'set' '{' (IDENT ':' val ','?)+ '}' 'where' condition``."""
        name = self.name(_UPPER, "the name of a node type")
        self.keyword("set", remedy="Write `update Type set { … } where …`.")
        assignments = self._assignments()
        return UpdateSyntax(
            type_name=name.text,
            type_where=self.cursor.span(name),
            assignments=assignments,
            condition=self.where("update"),
            where=self.cursor.span(word),
        )

    def _delete(self, word: Token) -> DeleteSyntax:
        """``'delete' TYPE 'where' condition``."""
        name = self.name(_UPPER, "the name of a type")
        return DeleteSyntax(
            type_name=name.text,
            type_where=self.cursor.span(name),
            condition=self.where("delete"),
            where=self.cursor.span(word),
        )

    def _assignments(self) -> tuple[Assignment, ...]:
        """``'{' (IDENT ':' val ','?)+ '}'``."""
        cursor = self.cursor
        opener = self.opens()
        if cursor.at_mark("}"):
            self.empty(opener, "Say what is set, e.g. `name: $name`.")
        found: list[Assignment] = []
        while cursor.accept_mark("}") is None:
            if self.outer_begins(cursor.position):
                self.unclosed(opener)
            start = cursor.position
            try:
                found.append(self.assignment())
            except HaltError:
                self.resume(start, _assignment_begins, commas=True)
        return tuple(found)

    def assignment(self) -> Assignment:
        """``IDENT ':' val ','?``."""
        cursor = self.cursor
        name = self.name(_LOWER, "the name of a property")
        cursor.expect_mark(":", remedy=f"Write `{name.text[:50]}: value`.")
        value = self.value()
        cursor.accept_mark(",")
        return Assignment(property=name.text, value=value, where=cursor.span(name))

    def where(self, verb: str) -> Condition:
        """``'where' condition``, over the properties of the type by their bare names."""
        remedy = f"A{'n' * (verb == 'update')} `{verb}` says of which: `where name = $name`."
        self.keyword("where", remedy=remedy)
        first = self.cursor.peek()
        self.property_names = True
        try:
            condition = self.condition()
        finally:
            self.property_names = False
        if not self._is_plain(condition):
            self.added("compound-where", first, self.cursor.last)
        self._check_operands(condition)
        return condition

    def property_or_expression(self) -> Expression:
        """Reads the left side of a comparison; in a `where` any name left of an operator is one."""
        if self.property_names and self._compares(self.cursor.peek(1)):
            name = self.cursor.take()
            return NameUse(name=name.text, where=self.cursor.span(name))
        return self.expression()

    def _is_plain(self, condition: Condition) -> bool:
        """Whether OmniGraph 0.10 has it: ``IDENT comparison val``."""
        return (
            isinstance(condition, CompareUse)
            and isinstance(condition.left, NameUse)
            and isinstance(condition.right, _VALUES)
        )

    def _check_operands(self, condition: Condition) -> None:
        """Reports what only the `match` of a read can hold."""
        for found in _compared(condition):
            if not isinstance(found, (*_VALUES, NameUse)):
                self._no_operand(found)

    def _no_operand(self, found: Expression | CallUse | ExistsUse) -> None:
        self.mistake(
            32,
            "a mutation's `where` compares properties with values",
            found.where,
            remedy="Name a property bare: `where name = $name`.",
        )


def _compared(condition: Condition) -> tuple[Expression | CallUse | ExistsUse, ...]:
    """Returns what a condition is made of, without its comparisons and junctions."""
    match condition:
        case CompareUse():
            return (condition.left, condition.right)
        case InUse() | NullUse():
            return (condition.operand,)
        case NotUse():
            return _compared(condition.condition)
        case JunctionUse():
            return tuple(found for part in condition.conditions for found in _compared(part))
        case CallUse() | ExistsUse():
            return (condition,)
