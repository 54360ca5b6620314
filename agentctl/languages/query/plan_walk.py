"""Walks over checked queries: their patterns, and the variables that their parts name."""

from collections.abc import Callable, Iterator

from agentctl.languages.query.plan import (
    CheckedQuery,
    Condition,
    EntityRef,
    Exists,
    Filter,
    Found,
    Junction,
    Matches,
    Membership,
    MetadataRef,
    Not,
    NullTest,
    Operand,
    Pattern,
    PropertyRef,
    TextSearch,
    Traversal,
)


def patterns_of(query: CheckedQuery) -> Iterator[Pattern]:
    """Yields each pattern of a query, the outermost first."""
    yield from _below(query.pattern)


def inner_patterns(pattern: Pattern) -> Iterator[Pattern]:
    """Yields the patterns directly inside *pattern*, those in its conditions too."""
    yield from pattern.optionals
    yield from pattern.negations
    for condition in pattern.filters:
        yield from _patterns_in(condition)


def named_by_traversal(step: Traversal) -> frozenset[str]:
    """Returns the variables of a traversal."""
    return frozenset(v for v in (step.source, step.target, step.edge_var) if v is not None)


def named_by_pattern(pattern: Pattern) -> frozenset[str]:
    """Returns every variable that a pattern names, its own and those around it."""
    found = {b.var for b in pattern.bindings}
    for step in pattern.traversals:
        found |= named_by_traversal(step)
    for condition in pattern.filters:
        found |= named_by_condition(condition)
    for inner in (*pattern.optionals, *pattern.negations):
        found |= named_by_pattern(inner)
    return frozenset(found)


def named_by_condition(
    condition: Condition, inner: Callable[[Pattern], frozenset[str]] = named_by_pattern
) -> frozenset[str]:
    """Returns every variable that a condition names; of a pattern in it those that *inner* gives."""
    match condition:
        case Filter():
            return _in_operand(condition.left, inner) | _in_operand(condition.right, inner)
        case Membership() | NullTest():
            return _in_operand(condition.operand, inner)
        case Found():
            return _in_search(condition.search)
        case Exists():
            return inner(condition.pattern)
        case Not():
            return named_by_condition(condition.condition, inner)
        case Junction():
            parts = (named_by_condition(part, inner) for part in condition.conditions)
            return frozenset[str]().union(*parts)


def introduced(pattern: Pattern) -> frozenset[str]:
    """Returns the variables that a pattern binds itself, nodes and edges."""
    edges = (t.edge_var for t in pattern.traversals if t.edge_var is not None)
    return frozenset((*(b.var for b in pattern.bindings), *edges))


def _below(pattern: Pattern) -> Iterator[Pattern]:
    yield pattern
    for inner in inner_patterns(pattern):
        yield from _below(inner)


def _patterns_in(condition: Condition) -> Iterator[Pattern]:
    match condition:
        case Exists():
            yield condition.pattern
        case Not():
            yield from _patterns_in(condition.condition)
        case Junction():
            for part in condition.conditions:
                yield from _patterns_in(part)
        case Filter():
            yield from _counted(condition.left, condition.right)
        case Membership() | NullTest():
            yield from _counted(condition.operand)
        case Found():
            return


def _counted(*operands: Operand | EntityRef) -> Iterator[Pattern]:
    return (operand.pattern for operand in operands if isinstance(operand, Matches))


def _in_operand(
    operand: Operand | EntityRef, inner: Callable[[Pattern], frozenset[str]]
) -> frozenset[str]:
    match operand:
        case PropertyRef() | MetadataRef() | EntityRef():
            return frozenset({operand.var})
        case Matches():
            return inner(operand.pattern)
        case _:
            return frozenset()


def _in_search(search: TextSearch) -> frozenset[str]:
    found = {search.field.var}
    if isinstance(search.query, PropertyRef):
        found.add(search.query.var)
    return frozenset(found)
