"""Tests in the filter language of Lance, where it means exactly the same. Pure.

What has no exact literal (a number outside its column's type, text with a NUL) and what compares
columns of different types is asked of the rows instead. Null is unknown there too.
"""

from collections.abc import Callable
from typing import Final

from agentctl.graph.reads.expressions import (
    Among,
    Column,
    Compare,
    IsNull,
    Joined,
    Known,
    Marked,
    Negated,
    Operand,
    Test,
)
from agentctl.graph.values import INTEGER_RANGES
from agentctl.languages.schema.types import PlainValue, PropertyType, Scalar

ColumnName = Callable[[str], str | None]
"""Gives the stored column of a plan's column; None where it is not stored."""

AMONG_COUNT_MAX: Final = 1_000
"""Members of a list that a filter names one by one."""

_DATE_TYPES: Final = {Scalar.DATE: ("Date32", 31), Scalar.DATETIME: ("Date64", 63)}
_ARROW_NAMES: Final = {
    Scalar.I32: "Int32",
    Scalar.I64: "Int64",
    Scalar.U32: "UInt32",
    Scalar.U64: "UInt64",
    Scalar.F32: "Float32",
    Scalar.F64: "Float64",
}


def quoted(text: str) -> str:
    """Returns *text* as a literal of Lance's filter language; nothing but the quote is special."""
    return "'" + text.replace("'", "''") + "'"


def column_name(name: str) -> str:
    """Returns a column's name as Lance's filter language spells it."""
    return f"`{name}`"


def pushed(test: Test, column_of: ColumnName) -> str | None:  # noqa: PLR0911  # one case for each form
    """Returns *test* in Lance's filter language, or None where it must be asked of the rows."""
    match test:
        case Compare():
            return _compare(test, column_of)
        case Among():
            return _among(test, column_of)
        case IsNull():
            name = column_of(test.column)
            return None if name is None else f"{column_name(name)} IS {'NOT ' * test.negated}NULL"
        case Known():
            # Unknown has no literal there, and taken for false its negation would be true.
            return None if test.value is None else str(test.value).lower()
        case Negated():
            inner = pushed(test.test, column_of)
            return None if inner is None else f"NOT ({inner})"
        case Joined():
            inner_parts = [pushed(part, column_of) for part in test.tests]
            known = [f"({p})" for p in inner_parts if p is not None]
            return f" {test.word.upper()} ".join(known) if len(known) == len(inner_parts) else None
        case Marked():
            return None


def _compare(test: Compare, column_of: ColumnName) -> str | None:
    if not isinstance(test.left, Column) or _is_list(test.left):
        return None
    left = _column(test.left, column_of)
    if isinstance(test.right, Column):
        alike = test.left.type.scalar is test.right.type.scalar
        right = _column(test.right, column_of) if alike and not _is_list(test.right) else None
    else:
        right = _literal(test.left.type.scalar, test.right.value)
    if left is None or right is None:
        return None
    if test.comparison in ("contains", "starts_with"):
        return f"{test.comparison}({left}, {right})"
    return f"{left} {test.comparison} {right}"


def _among(test: Among, column_of: ColumnName) -> str | None:
    if not isinstance(test.operand, Column) or not isinstance(test.values.value, tuple):
        return None
    if len(test.values.value) > AMONG_COUNT_MAX:
        return None
    name = _column(test.operand, column_of)
    scalar = test.operand.type.scalar
    literals = [_literal(scalar, value) for value in test.values.value]
    known = [text for text in literals if text is not None]
    if name is None or len(known) < len(literals):
        return None
    return f"{name} IN ({', '.join(known)})"


def _column(operand: Operand, column_of: ColumnName) -> str | None:
    assert isinstance(operand, Column)
    name = column_of(operand.name)
    return None if name is None else column_name(name)


def _is_list(operand: Operand) -> bool:
    type_: PropertyType = operand.type
    return type_.list or type_.vector_dim is not None


def _literal(  # noqa: PLR0911  # one case for each form
    scalar: Scalar, value: PlainValue | tuple[PlainValue, ...] | None
) -> str | None:
    """Returns *value* as a literal of *scalar*'s type, or None where it has none exactly."""
    if isinstance(value, str):
        return None if "\0" in value else quoted(value)
    if value is None or isinstance(value, tuple):
        return None
    if isinstance(value, bool):
        return str(value).lower()
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
