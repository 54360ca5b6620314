"""Three-valued logic and the comparisons. Source: languages 2.2, 3.1."""

import operator
from collections.abc import Callable
from typing import Any, Final

from tests.graph.oracle.oracle_values import Raw, as_f32

Truth = bool | None
"""None is unknown."""

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "starts_with": str.startswith,
    "contains": operator.contains,
}


def compared(comparison: str, left: Raw, right: Raw) -> Truth:
    """Returns what a comparison of two values is; with a null it is unknown.

    A list contains a value where one of its members equals it.
    """
    if left is None or right is None:
        return None
    if isinstance(left, tuple):
        return any_of([compared("=", member, right) for member in left])
    return _OPERATORS[comparison](left, right)


def narrowed(value: Raw) -> Raw:
    """Returns a constant as an F32 has it."""
    return as_f32(value) if isinstance(value, int | float) else value


def negated(truth: Truth) -> Truth:
    """Returns `not`: unknown stays unknown."""
    return None if truth is None else not truth


def all_of(parts: list[Truth]) -> Truth:
    """Returns `and`: false wins, then unknown."""
    if False in parts:
        return False
    return None if None in parts else True


def any_of(parts: list[Truth]) -> Truth:
    """Returns `or`: true wins, then unknown."""
    if True in parts:
        return True
    return None if None in parts else False
