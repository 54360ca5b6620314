"""Which variables the parts of a query mention, and as what. Used by the checker and the lints."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.languages.query.syntax import (
    AggregateUse,
    BindingClause,
    CallUse,
    Clause,
    CompareUse,
    Condition,
    CountUse,
    DeleteSyntax,
    ExistsUse,
    Expression,
    FilterClause,
    InsertSyntax,
    InUse,
    JunctionUse,
    MetadataUse,
    MutationBody,
    MutationSyntax,
    NotClause,
    NotUse,
    NullUse,
    OptionalClause,
    PropertyUse,
    QueryDecl,
    ReadBody,
    SearchUse,
    TraversalClause,
    VariableUse,
)

Role = Literal["bound", "end", "edge", "bare", "part"]
"""Bound to a type, an end of a traversal, an edge variable, used alone, or used by a part of it."""


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """One place that names a variable or a parameter."""

    name: str
    role: Role
    where: Span


def in_query(decl: QueryDecl) -> Iterator[Mention]:
    """Yields every mention of a declaration, those of inner blocks too, in order of the text."""
    match decl.body:
        case ReadBody() as body:
            for clause in body.clauses:
                yield from in_clause(clause, deep=True)
            values = [item.value for item in body.items]
            values += [item.value for item in body.order]
            for value in values:
                yield from in_expression(value, deep=True)
            for bound in (body.limit, body.offset):
                if isinstance(bound, VariableUse):
                    yield _bare(bound)
        case MutationBody() as body:
            for mutation in body.mutations:
                yield from _in_mutation(mutation)


def clauses_of(decl: QueryDecl) -> Iterator[tuple[Clause, bool]]:
    """Yields every clause of a read, and whether it stands in a block that is only tested.

    Those are `not`, `exists` and `count`; what `optional` has inside gives rows.
    """
    if isinstance(decl.body, ReadBody):
        yield from _clauses(decl.body.clauses, tested=False)


def conditions_of(decl: QueryDecl) -> Iterator[Condition]:
    """Yields every condition, those inside others too, in order of the text."""
    match decl.body:
        case ReadBody():
            for clause, _ in clauses_of(decl):
                if isinstance(clause, FilterClause):
                    yield from _flat(clause.condition)
        case MutationBody() as body:
            for mutation in body.mutations:
                yield from conditions_in(mutation)


def conditions_in(mutation: MutationSyntax) -> Iterator[Condition]:
    """Yields every condition of a mutation, those inside others too."""
    if not isinstance(mutation, InsertSyntax):
        yield from _flat(mutation.condition)


def clause_variables(clause: Clause) -> set[str]:
    """Returns the names that a clause mentions itself, without those of blocks inside it."""
    return {m.name for m in in_clause(clause, deep=False)}


def in_clause(clause: Clause, *, deep: bool) -> Iterator[Mention]:
    """Yields the mentions of one clause; *deep* also those of the blocks inside it."""
    match clause:
        case BindingClause():
            yield Mention(name=clause.var.name, role="bound", where=clause.var.where)
            for match in clause.matches:
                yield from in_expression(match.value, deep=deep)
        case TraversalClause():
            yield from _in_traversal(clause)
        case FilterClause():
            yield from in_condition(clause.condition, deep=deep)
        case NotClause() | OptionalClause():
            if deep:
                yield from _in_block(clause.clauses)


def in_condition(condition: Condition, *, deep: bool) -> Iterator[Mention]:
    """Yields the mentions of a condition; *deep* also those of the blocks inside it."""
    match condition:
        case CompareUse():
            yield from in_expression(condition.left, deep=deep)
            yield from in_expression(condition.right, deep=deep)
        case InUse():
            yield from in_expression(condition.operand, deep=deep)
            yield from in_expression(condition.values, deep=deep)
        case NullUse():
            yield from in_expression(condition.operand, deep=deep)
        case CallUse():
            yield from in_expression(condition.call, deep=deep)
        case ExistsUse():
            if deep:
                yield from _in_block(condition.clauses)
        case NotUse():
            yield from in_condition(condition.condition, deep=deep)
        case JunctionUse():
            for part in condition.conditions:
                yield from in_condition(part, deep=deep)


def in_expression(use: Expression, *, deep: bool) -> Iterator[Mention]:
    """Yields the mentions of an expression; *deep* also those of a block in it."""
    match use:
        case VariableUse():
            yield _bare(use)
        case PropertyUse() | MetadataUse():
            yield Mention(name=use.var, role="part", where=use.where)
        case AggregateUse():
            yield from in_expression(use.argument, deep=deep)
        case SearchUse():
            for argument in use.arguments:
                yield from in_expression(argument, deep=deep)
        case CountUse():
            if deep:
                yield from _in_block(use.clauses)
        case _:
            return


def _in_mutation(mutation: MutationSyntax) -> Iterator[Mention]:
    if not isinstance(mutation, DeleteSyntax):
        for assignment in mutation.assignments:
            yield from in_expression(assignment.value, deep=True)
    if not isinstance(mutation, InsertSyntax):
        yield from in_condition(mutation.condition, deep=True)


def _in_block(clauses: tuple[Clause, ...]) -> Iterator[Mention]:
    for clause in clauses:
        yield from in_clause(clause, deep=True)


def _in_traversal(clause: TraversalClause) -> Iterator[Mention]:
    yield Mention(name=clause.left.name, role="end", where=clause.left.where)
    if clause.edge_var is not None:
        yield Mention(name=clause.edge_var.name, role="edge", where=clause.edge_var.where)
    yield Mention(name=clause.right.name, role="end", where=clause.right.where)


def _bare(use: VariableUse) -> Mention:
    return Mention(name=use.name, role="bare", where=use.where)


def _clauses(clauses: tuple[Clause, ...], *, tested: bool) -> Iterator[tuple[Clause, bool]]:
    for clause in clauses:
        yield clause, tested
        match clause:
            case OptionalClause():
                yield from _clauses(clause.clauses, tested=tested)
            case NotClause():
                yield from _clauses(clause.clauses, tested=True)
            case FilterClause():
                for part in _flat(clause.condition):
                    for block in _blocks(part):
                        yield from _clauses(block, tested=True)
            case _:
                continue


def _flat(condition: Condition) -> Iterator[Condition]:
    """Yields a condition and those it is made of, without those of blocks."""
    yield condition
    match condition:
        case NotUse():
            yield from _flat(condition.condition)
        case JunctionUse():
            for part in condition.conditions:
                yield from _flat(part)
        case _:
            return


def _blocks(condition: Condition) -> Iterator[tuple[Clause, ...]]:
    """Yields the clauses of the blocks that a condition has itself."""
    match condition:
        case ExistsUse():
            yield condition.clauses
        case CompareUse():
            for side in (condition.left, condition.right):
                if isinstance(side, CountUse):
                    yield side.clauses
        case InUse() | NullUse():
            if isinstance(condition.operand, CountUse):
                yield condition.operand.clauses
        case _:
            return
