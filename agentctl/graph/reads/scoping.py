"""Which variables a pattern makes, and which it needs of what surrounds it. Pure.

Source: languages 2.2, 3.1.
"""

from agentctl.languages.query.plan import Condition, Pattern
from agentctl.languages.query.plan_walk import introduced, named_by_condition, named_by_traversal

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
    return named_by_condition(condition, inner=needed)
