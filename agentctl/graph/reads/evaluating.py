"""What tests say of rows, in columns: true, false or null for each. In a worker thread.

Kernels of Arrow where they mean the same, plain Python where they would not: numbers of different
types that no common type holds exactly. Source: languages 2.2, 2.7, 3.1.
"""

import functools
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.comparing import among, compared
from agentctl.graph.reads.expressions import (
    Among,
    Column,
    Compare,
    Constant,
    IsNull,
    Joined,
    Known,
    Marked,
    Negated,
    Operand,
    Test,
)
from agentctl.graph.reads.frame import Frame, Marks
from agentctl.languages.schema.types import FLOATS, NUMERIC, PlainValue, Scalar

_KERNELS: Final = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_FLOAT_EXACT: Final = 1 << 53
_SMALL: Final = frozenset({Scalar.I32, Scalar.U32})
_SIGNED: Final = frozenset({Scalar.I32, Scalar.I64, Scalar.U32})


def kept(tests: tuple[Test, ...], frame: Frame) -> Frame:
    """Returns the rows for which all *tests* are true."""
    for test in tests:
        frame = frame.filter(pc.fill_null(evaluated(test, frame), fill_value=False))
    return frame


def met(tests: tuple[Test, ...], frame: Frame) -> Marks:
    """Returns for each row whether all *tests* are true."""
    marks = np.ones(frame.rows, np.bool_)
    for test in tests:
        marks &= np.asarray(pc.fill_null(evaluated(test, frame), fill_value=False))
    return marks


def evaluated(test: Test, frame: Frame) -> pa.Array:  # noqa: PLR0911  # one case for each form
    """Returns the answer of *test* for each row."""
    match test:
        case Compare():
            return _compare(test, frame)
        case Among():
            return _among(test, frame)
        case IsNull():
            column = frame[test.column]
            return column.is_valid() if test.negated else column.is_null()
        case Marked():
            return frame[test.name]
        case Known():
            return pa.repeat(pa.scalar(test.value, pa.bool_()), frame.rows)
        case Negated():
            return pc.invert(evaluated(test.test, frame))
        case Joined():
            kernel = pc.and_kleene if test.word == "and" else pc.or_kleene
            return functools.reduce(kernel, (evaluated(t, frame) for t in test.tests))


def _compare(test: Compare, frame: Frame) -> pa.Array:
    left, right = _side(test.left, frame), _side(test.right, frame)
    if isinstance(left, pa.Array) and pa.types.is_list(left.type):
        return _member(left, right)
    if test.comparison in ("contains", "starts_with"):
        return _text(test.comparison, left, right, frame.rows)
    form = _common_form(test.left, test.right)
    if form is None:
        return _row_by_row(test, left, right, frame.rows)
    return _KERNELS[test.comparison](_as(left, form), _as(right, form))


def _side(operand: Operand, frame: Frame) -> pa.Array | PlainValue | None:
    if isinstance(operand, Column):
        return frame[operand.name]
    assert not isinstance(operand.value, tuple)
    return operand.value


def _as(side: pa.Array | PlainValue | None, form: pa.DataType) -> pa.Array | pa.Scalar:
    if isinstance(side, pa.Array):
        return side if side.type == form else side.cast(form)
    return pa.scalar(int(side) if isinstance(side, bool) else side, form)


def _common_form(left: Operand, right: Operand) -> pa.DataType | None:
    """Returns an Arrow type that holds both sides exactly, or None."""
    scalars = {left.type.scalar, right.type.scalar}
    if not scalars <= NUMERIC:
        only = left.type.scalar
        return {
            Scalar.STRING: pa.utf8(),
            Scalar.BOOL: pa.int8(),
            Scalar.DATE: pa.int64(),
            Scalar.DATETIME: pa.int64(),
        }.get(only)
    constants = _constants(left, right)
    columns = {s.type.scalar for s in (left, right) if isinstance(s, Column)}
    whole = not any(isinstance(c, float) for c in constants)
    if columns <= _SIGNED and whole:
        return pa.int64() if all(-(1 << 63) <= int(c) < 1 << 63 for c in _ints(constants)) else None
    if columns == {Scalar.U64} and whole:
        return pa.uint64() if all(0 <= c < 1 << 64 for c in _ints(constants)) else None
    exact = all(abs(c) <= _FLOAT_EXACT for c in _ints(constants))
    if columns <= FLOATS | _SMALL and exact:
        return pa.float64()
    return None


def _constants(*sides: Operand) -> list[PlainValue | None]:
    found: list[PlainValue | None] = []
    for side in sides:
        if isinstance(side, Constant):
            found += side.value if isinstance(side.value, tuple) else [side.value]
    return found


def _ints(values: list[PlainValue | None]) -> list[int]:
    return [v for v in values if isinstance(v, int)]


def _row_by_row(
    test: Compare,
    left: pa.Array | PlainValue | None,
    right: pa.Array | PlainValue | None,
    rows: int,
) -> pa.Array:
    pairs = zip(_values(left, rows), _values(right, rows), strict=True)
    return pa.array([compared(test.comparison, a, b) for a, b in pairs], pa.bool_())


def _values(side: pa.Array | PlainValue | None, rows: int) -> list[object]:
    if isinstance(side, pa.Array):
        found: list[object] = side.to_pylist()
        return found
    return [side] * rows


def _text(
    comparison: str,
    left: pa.Array | PlainValue | None,
    right: pa.Array | PlainValue | None,
    rows: int,
) -> pa.Array:
    if isinstance(left, pa.Array) and isinstance(right, str):
        if comparison == "contains":
            return pc.match_substring(left, right)
        return pc.starts_with(left, right)
    pairs = zip(_values(left, rows), _values(right, rows), strict=True)
    answers = [
        compared("contains" if comparison == "contains" else "starts_with", a, b) for a, b in pairs
    ]
    return pa.array(answers, pa.bool_())


def _member(left: pa.Array, right: pa.Array | PlainValue | None) -> pa.Array:
    wanted = _values(right, len(left))
    answers = [compared("contains", m, w) for w, m in zip(wanted, left.to_pylist(), strict=True)]
    return pa.array(answers, pa.bool_())


def _among(test: Among, frame: Frame) -> pa.Array:
    side = _side(test.operand, frame)
    assert isinstance(side, pa.Array)
    members = test.values.value
    assert isinstance(members, tuple)
    form = _common_form(test.operand, test.values)
    whole = [m for m in members if isinstance(m, int)]
    floats = [m for m in members if isinstance(m, float)]
    plain = form is not None and not (whole and floats) and _all_fit(members, form)
    if not plain or form is None:
        return pa.array([among(v, members) for v in side.to_pylist()], pa.bool_())
    column = _as(side, form)
    assert isinstance(column, pa.Array)
    found = pc.is_in(column, value_set=pa.array(list(members), form))
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.bool_()))


def _all_fit(members: tuple[PlainValue, ...], form: pa.DataType) -> bool:
    """Whether every member is exactly what *form* makes of it."""
    try:
        return bool(pa.array(list(members), form).to_pylist() == list(members))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return False
