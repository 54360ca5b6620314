"""Groups and their aggregates, in columns. In a worker thread.

Sums are exact: integers as integers, refused beyond 2^53, and floats rounded once, so that neither
the order of the rows nor the executor ever shows in a result. Nulls are skipped. Source: languages
2.2, 3.1, 3.2.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import ARROW_TYPES
from agentctl.graph.reads.expressions import Column, Constant
from agentctl.graph.reads.frame import Frame, Positions
from agentctl.graph.reads.joining import row_codes
from agentctl.graph.reads.logical import Fold
from agentctl.graph.reads.places import Held
from agentctl.graph.reads.refusing import out_of_range
from agentctl.languages.schema.types import FLOATS, INTEGERS, PropertyType

SUM_MAX: Final = 1 << 53

_LIMB_BITS: Final = 24
_LIMB_COUNT_MAX: Final = 24
"""Numbers further apart than so many limbs are added one by one."""


def grouped(frame: Frame, keys: Sequence[str], folds: Sequence[Fold]) -> Frame:
    """Returns a row for each group: its keys, and its aggregates by the names of *folds*."""
    if keys:
        codes, first = row_codes(frame, keys)
        groups = len(first)
        found = frame.select(keys).take(first)
    else:
        codes, groups = np.zeros(frame.rows, np.int64), 1
        found = Frame(1, {})
    folded = {fold.name: _folded(fold, frame, codes, groups) for fold in folds}
    return found.having(folded)


def _folded(fold: Fold, frame: Frame, codes: Positions, groups: int) -> pa.Array:
    if isinstance(fold.of, Constant):
        return _of_constant(fold, fold.of, np.bincount(codes, minlength=groups))
    if fold.function == "count":
        return pa.array(_counts(frame.columns[fold.of.name], codes, groups))
    values = frame[fold.of.name]
    if values.null_count:
        there = np.asarray(values.is_valid())
        values, codes = values.filter(values.is_valid()), codes[there]
    if fold.function in ("min", "max"):
        return _extreme(fold.function, values, codes, groups)
    return _sums(fold, fold.of, values, codes, groups)


def _counts(values: Held, codes: Positions, groups: int) -> Positions:
    if values.null_count:
        codes = codes[np.asarray(values.is_valid())]
    return np.bincount(codes, minlength=groups)


def _extreme(function: str, values: pa.Array, codes: Positions, groups: int) -> pa.Array:
    table = pa.table({"group": pa.array(codes), "value": values})
    found = table.group_by("group").aggregate([("value", function)])
    at = pc.index_in(pa.array(np.arange(groups)), value_set=found["group"].combine_chunks())
    column = found[f"value_{function}"].combine_chunks()
    return column.take(at)


def _sums(fold: Fold, of: Column, values: pa.Array, codes: Positions, groups: int) -> pa.Array:
    counts = np.bincount(codes, minlength=groups)
    if of.type.scalar in FLOATS:
        numbers = np.asarray(values.cast(pa.float64()))
        totals: Sequence[float | int] = float_sums(numbers, codes, groups)
    else:
        totals = integer_sums(values, codes, groups)
    return _finished(fold, of.type, totals, counts)


def _finished(
    fold: Fold, of: PropertyType, totals: Sequence[float | int], counts: Positions
) -> pa.Array:
    """Returns sums or averages; null where there was nothing to add."""
    if fold.function == "avg":
        shares = zip(totals, counts.tolist(), strict=True)
        return pa.array([t / n if n else None for t, n in shares], pa.float64())
    if of.scalar in INTEGERS:
        for total in totals:
            if abs(total) > SUM_MAX:
                raise out_of_range(int(total))
    found = zip(totals, counts.tolist(), strict=True)
    return pa.array([float(t) if n else None for t, n in found], pa.float64())


def _of_constant(fold: Fold, of: Constant, counts: Positions) -> pa.Array:
    """Returns the aggregates of a value that each row of a group has."""
    value = of.value
    if fold.function == "count":
        return pa.array(counts if value is not None else np.zeros_like(counts))
    if fold.function in ("min", "max"):
        return pa.array(
            [value if n else None for n in counts.tolist()], ARROW_TYPES[of.type.scalar]
        )
    if value is None:
        return pa.nulls(len(counts), pa.float64())
    assert isinstance(value, int | float)
    if isinstance(value, int) and of.type.scalar in INTEGERS:
        return _finished(fold, of.type, [value * n for n in counts.tolist()], counts)
    totals = [_repeated(float(value), n) for n in counts.tolist()]
    return _finished(fold, of.type, totals, counts)


def _repeated(value: float, times: int) -> float:
    """Returns the sum of a float so many times, rounded once."""
    top, bottom = value.as_integer_ratio()
    try:
        return top * times / bottom
    except OverflowError:
        return math.copysign(math.inf, value)


def integer_sums(values: pa.Array, codes: Positions, groups: int) -> list[int]:
    """Returns the exact sum of each group's integers, however large."""
    unsigned = pa.types.is_uint64(values.type)
    wide = values if unsigned else values.cast(pa.int64())
    numbers = np.asarray(wide)
    low = (numbers & np.uint64(0xFFFFFFFF) if unsigned else numbers & 0xFFFFFFFF).astype(np.float64)
    high = (numbers >> (np.uint64(32) if unsigned else 32)).astype(np.float64)
    if len(numbers) >= 1 << 21:
        return _long_sums(numbers, codes, groups)
    lows = np.bincount(codes, weights=low, minlength=groups)
    highs = np.bincount(codes, weights=high, minlength=groups)
    pairs = zip(highs.tolist(), lows.tolist(), strict=True)
    return [(int(h) << 32) + int(n) for h, n in pairs]


def _long_sums(numbers: npt.NDArray[np.int64], codes: Positions, groups: int) -> list[int]:
    """Returns the same in pieces of which each is exact in floats."""
    totals = [0] * groups
    step = 1 << 20
    for begin in range(0, len(numbers), step):
        part = pa.array(numbers[begin : begin + step])
        for at, total in enumerate(integer_sums(part, codes[begin : begin + step], groups)):
            totals[at] += total
    return totals


def float_sums(numbers: npt.NDArray[np.float64], codes: Positions, groups: int) -> list[float]:
    """Returns the sum of each group's floats as if it were rounded once, at the end.

    Each number is cut into limbs of 24 bits over one common exponent; sums of limbs are exact.
    """
    if not len(numbers):
        return [0.0] * groups
    mantissas, exponents = np.frexp(numbers)
    low, high = int(exponents.min()) - 53, int(exponents.max())
    limbs = (high - low) // _LIMB_BITS + 1
    if limbs > _LIMB_COUNT_MAX or high > 1000 or low < -1000 or len(numbers) >= 1 << 28:
        return _one_by_one(numbers, codes, groups)
    totals = [0] * groups
    rest = np.ldexp(mantissas, exponents - high)
    for _ in range(limbs):
        rest = rest * (1 << _LIMB_BITS)
        whole = np.trunc(rest)
        rest -= whole
        sums = np.bincount(codes, weights=whole, minlength=groups).tolist()
        totals = [(t << _LIMB_BITS) + int(s) for t, s in zip(totals, sums, strict=True)]
        if not rest.any():
            break
        high -= _LIMB_BITS
    return [_scaled(total, high - _LIMB_BITS) for total in totals]


def _scaled(total: int, exponent: int) -> float:
    """Returns ``total * 2 ** exponent``, rounded once."""
    try:
        return total / (1 << -exponent) if exponent < 0 else float(total << exponent)
    except OverflowError:
        return math.copysign(math.inf, total)


def _one_by_one(numbers: npt.NDArray[np.float64], codes: Positions, groups: int) -> list[float]:
    order = np.argsort(codes, kind="stable")
    bounds = np.concatenate(([0], np.cumsum(np.bincount(codes, minlength=groups))))
    values = numbers[order].tolist()
    return [
        _fsum(values[a:b]) for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


def _fsum(values: Sequence[float]) -> float:
    """Returns the sum, rounded once; an infinity only where the whole is beyond all floats."""
    try:
        return math.fsum(values)
    except OverflowError:  # on the way, which tells nothing of the end, and hangs on the order
        total = sum(map(Fraction, values))
        try:
            return float(total)
        except OverflowError:
            return math.inf if total > 0 else -math.inf
