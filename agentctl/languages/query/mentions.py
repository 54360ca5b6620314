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
