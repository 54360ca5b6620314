"""Which variables a pattern makes, and which it needs of what surrounds it. Pure.

Source: languages 2.2, 3.1.
"""

from agentctl.languages.query.plan import (
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
)
from agentctl.languages.query.plan_walk import introduced, named_by_traversal

NOTHING: frozenset[str] = frozenset()


def made(pattern: Pattern) -> frozenset[str]:
    """Returns the variables that rows of *pattern* have beyond what surrounds it."""
    return introduced(pattern).union(*map(made, pattern.optionals))


def needed(pattern: Pattern) -> frozenset[str]:
    """Returns the variables of surrounding patterns that *pattern* uses, its inner ones included."""
    used = NOTHING.union(
        *map(named_by_traversal, pattern.traversals),
        *map(needed_by_condition, pattern.filters),
        *map(needed, pattern.negations),
        *map(needed, pattern.optionals),
    )
    return used - made(pattern)


def needed_by_condition(condition: Condition) -> frozenset[str]:
    """Returns the variables of the row that *condition* uses."""
    match condition:
        case Filter():
            return _in_operand(condition.left) | _in_operand(condition.right)
        case Membership() | NullTest():
            return _in_operand(condition.operand)
        case Found():
            query = condition.search.query
            also = {query.var} if isinstance(query, PropertyRef) else NOTHING
            return frozenset({condition.search.field.var}) | also
        case Exists():
            return needed(condition.pattern)
        case Not():
            return needed_by_condition(condition.condition)
        case Junction():
            return NOTHING.union(*map(needed_by_condition, condition.conditions))


def _in_operand(operand: Operand | EntityRef) -> frozenset[str]:
    match operand:
        case PropertyRef() | MetadataRef() | EntityRef():
            return frozenset({operand.var})
        case Matches():
            return needed(operand.pattern)
        case _:
            return NOTHING
