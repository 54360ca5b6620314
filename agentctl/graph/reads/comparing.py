"""What a comparison of two plain values says, in three-valued logic. Pure.

Numbers compare by value whatever their types, text by code points, days and times as numbers; of a
list, ``=`` and ``contains`` with a scalar are membership. Source: languages 2.2, 2.7, 3.1.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final

from agentctl.languages.query.plan import Comparison

FLIPPED: Final[dict[Comparison, Comparison]] = {
    "=": "=",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
"""What a comparison becomes when its sides are exchanged."""

_PLAIN: Final[dict[Comparison, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": lambda text, part: part in text,
    "starts_with": lambda text, start: text.startswith(start),
}


def compared(comparison: Comparison, left: object, right: object) -> bool | None:
    """Returns the answer; None is unknown, which a null on either side makes it."""
    if left is None or right is None:
        return None
    if isinstance(left, tuple | list):
        return among(right, left)
    return _PLAIN[comparison](left, right)


def among(value: object, members: Iterable[object] | None) -> bool | None:
    """Returns whether *value* equals one of *members*; unknown where none does and a null is about.

    Nothing is among no members, not even null.
    """
    if members is None:
        return None
    nulls = False
    for member in members:
        if member is None or value is None:
            nulls = True
        elif member == value:
            return True
    return None if nulls else False
