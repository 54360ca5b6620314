"""Conditions of a query: which can be pushed into a scan, and what the others mean over columns.

Numbers compare by value, text by code points, and a comparison with null is never true. A constant
that meets an F32 property is rounded to F32 first, so that 0.1 finds what was loaded as 0.1.
Source: languages 2.2, 2.7.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.lookup import column_name, quoted
from agentctl.graph.values import INTEGER_RANGES, as_f32
from agentctl.languages.query.plan import Comparison, Filter, Operand, ParamRef, PropertyRef, Value
from agentctl.languages.schema.types import Scalar

Scalarlike = str | int | float | bool | None
ColumnOf = Callable[[PropertyRef], pa.ChunkedArray]

_FLIPPED: Final[dict[Comparison, Comparison]] = {
    "=": "=",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_KERNELS: Final = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_OPERATORS: Final[dict[str, Callable[[object, object], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]  # the checker admits operands that compare
    "<=": operator.le,  # type: ignore[dict-item]  # as above
    ">": operator.gt,  # type: ignore[dict-item]  # as above
    ">=": operator.ge,  # type: ignore[dict-item]  # as above
    "contains": lambda a, b: str(b) in str(a),
    "starts_with": lambda a, b: str(a).startswith(str(b)),
}
_DATE_TYPES: Final = {Scalar.DATE: ("Date32", 31), Scalar.DATETIME: ("Date64", 63)}


class Constant(msgspec.Struct, frozen=True, kw_only=True):
    """A literal, or a parameter's value."""

    value: Scalarlike


Side = PropertyRef | Constant


class Predicate(msgspec.Struct, frozen=True, kw_only=True):
    """A filter with its parameters filled in; a lone property stands on the left if it can."""

    left: Side
    comparison: Comparison
    right: Side

    @property
    def variables(self) -> frozenset[str]:
        """The variables it reads."""
        return frozenset(s.var for s in (self.left, self.right) if isinstance(s, PropertyRef))

    @property
    def is_never(self) -> bool:
        """Whether it compares with null, so that no row can meet it."""
        return any(isinstance(s, Constant) and s.value is None for s in (self.left, self.right))


def predicate(given: Filter, params: Mapping[str, object]) -> Predicate:
    """Returns *given* with parameters filled in."""
    left, right = _side(given.left, params), _side(given.right, params)
    comparison = given.comparison
    if isinstance(left, Constant) and isinstance(right, PropertyRef) and comparison in _FLIPPED:
        left, right, comparison = right, left, _FLIPPED[comparison]
    if isinstance(left, PropertyRef) and isinstance(right, Constant):
        right = _fitted(left, right)
    elif isinstance(right, PropertyRef) and isinstance(left, Constant):
        left = _fitted(right, left)
    return Predicate(left=left, comparison=comparison, right=right)


def holds(test: Predicate) -> bool:
    """Returns whether a predicate without variables is true."""
    assert isinstance(test.left, Constant)
    assert isinstance(test.right, Constant)
    return _compare(test.comparison, test.left.value, test.right.value)


def condition(test: Predicate, column: str) -> str | None:
    """Returns *test* in Lance's filter language, or None where it must be tested on columns."""
    if not isinstance(test.left, PropertyRef) or not isinstance(test.right, Constant):
        return None
    name = column_name(column)
    literal = _literal(test.left.type.scalar, test.right.value)
    if literal is None:
        return None
    if test.comparison == "contains":
        return f"contains({name}, {literal})"
    if test.comparison == "starts_with":
        return f"starts_with({name}, {literal})"
    return f"{name} {test.comparison} {literal}"


def mask(test: Predicate, column_of: ColumnOf) -> pa.ChunkedArray | pa.Array:
    """Returns, for each row, whether *test* is true there; never null."""
    sides = [s if isinstance(s, Constant) else column_of(s) for s in (test.left, test.right)]
    columns = [s for s in sides if not isinstance(s, Constant)]
    if len(columns) == 2 and columns[0].type == columns[1].type and test.comparison in _KERNELS:
        return pc.fill_null(_KERNELS[test.comparison](columns[0], columns[1]), fill_value=False)
    length = len(columns[0])
    left, right = ([s.value] * length if isinstance(s, Constant) else s.to_pylist() for s in sides)
    return pa.array(
        [_compare(test.comparison, a, b) for a, b in zip(left, right, strict=True)], pa.bool_()
    )


def _side(given: Operand, params: Mapping[str, object]) -> Side:
    if isinstance(given, PropertyRef):
        return given
    assert isinstance(given, Value | ParamRef), "a query is runnable before it runs"
    value = given.value if isinstance(given, Value) else params[given.name]
    assert value is None or isinstance(value, str | int | float | bool)
    return Constant(value=value)


def _fitted(prop: PropertyRef, given: Constant) -> Constant:
    number = given.value
    if prop.type.scalar is not Scalar.F32 or isinstance(number, bool | str | None):
        return given
    return Constant(value=as_f32(number))


def _compare(comparison: Comparison, left: object, right: object) -> bool:
    return left is not None and right is not None and _OPERATORS[comparison](left, right)


def _literal(scalar: Scalar, value: Scalarlike) -> str | None:
    """Returns *value* as a literal of *scalar*'s type, or None where it has none exactly."""
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    if scalar in _DATE_TYPES:
        name, bits = _DATE_TYPES[scalar]
        return f"arrow_cast({value}, '{name}')" if abs(value) < 1 << bits else None
    if scalar in INTEGER_RANGES:
        low, high = INTEGER_RANGES[scalar]
        if not isinstance(value, int) or not low <= value <= high:
            return None
        return f"arrow_cast('{value}', '{_ARROW_NAMES[scalar]}')"
    return _float_literal(scalar, value)


def _float_literal(scalar: Scalar, value: float) -> str | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    if number != value or number in (float("inf"), float("-inf")):
        return None
    return f"arrow_cast('{number!r}', '{_ARROW_NAMES[scalar]}')"


_ARROW_NAMES: Final = {
    Scalar.I32: "Int32",
    Scalar.I64: "Int64",
    Scalar.U32: "UInt32",
    Scalar.U64: "UInt64",
    Scalar.F32: "Float32",
    Scalar.F64: "Float64",
}
