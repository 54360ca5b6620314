"""One property of many lines as an Arrow array: JSON values in, physical values out, or refused.

What is refused here is refused as a whole, without saying which value: the lines are then read one
by one by `agentctl.graph.lines`, whose word counts. So each function here may refuse more than that
does, and must make of what it accepts exactly the same. Source: languages 1.2, 2.7.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import ARROW_TYPES
from agentctl.graph.judging import Bounds, matches, patterns_of, ranges_of
from agentctl.graph.lines import key_properties
from agentctl.graph.values import INTEGER_RANGES, blob_of, key_text, parser_for
from agentctl.languages.schema.ir import IrProperty, IrType
from agentctl.languages.schema.temporal import (
    DATE_DAYS_MAX,
    DATE_DAYS_MIN,
    DATETIME_MS_MAX,
    DATETIME_MS_MIN,
)
from agentctl.languages.schema.types import INTEGERS, Scalar

_INSTANT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"
"""The usual spelling, which Arrow reads alike; others are read one by one."""
_ULID: Final = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"

NOT_FITTING: Final = (pa.ArrowException, ValueError, TypeError, OverflowError)
"""What a column raises that holds a value of another kind."""


class UnfitError(ValueError):
    """Some value is not what its property wants."""


Convert = Callable[[list[Any]], pa.Array]
Check = Callable[[pa.Array], bool]


def converter_for(ir_type: IrType, prop: IrProperty) -> Convert:
    """Returns the function that makes the property's column; it raises one of `NOT_FITTING`.

    Its argument has None for null. Enum values, lengths of vectors, ranges and patterns are checked.
    """
    convert = _SCALARS[Scalar(prop.scalar)]
    if prop.vector_dim is not None:
        return _vector(prop.vector_dim)
    if prop.list:
        convert = _list(convert)
    checks = tuple(_checks(ir_type, prop))
    if not checks:
        return convert

    def checked(values: list[Any]) -> pa.Array:
        column = convert(values)
        if not all(check(column) for check in checks):
            raise UnfitError(prop.name)
        return column

    return checked


def column_checks(ir_type: IrType, prop: IrProperty) -> tuple[Check, ...]:
    """Returns what a column of physical values must satisfy: enum values, ranges and patterns."""
    among = () if prop.enum_values is None else (_among(prop.enum_values),)
    return (*among, *_checks(ir_type, prop))


def ids_of_keys(ir_type: IrType, columns: Sequence[pa.Array]) -> pa.Array:
    """Returns the ids of keyed nodes from the columns of their properties, which have no null."""
    parts = [
        _key_texts(Scalar(p.scalar), columns[ir_type.properties.index(p)])
        for p in key_properties(ir_type)
    ]
    if len(parts) == 1:
        return parts[0]
    encode = msgspec.json.Encoder().encode
    rows = zip(*(part.to_pylist() for part in parts), strict=True)
    return pa.array([encode(row).decode() for row in rows], type=pa.utf8())


def are_ulids(ids: pa.Array) -> bool:
    """Returns whether each is a ULID in its one spelling."""
    return bool(pc.all(pc.match_substring_regex(ids, _ULID)).as_py() is not False)


def _strings(values: list[Any]) -> pa.Array:
    return pa.array(values, type=pa.utf8())


def _blobs(values: list[Any]) -> pa.Array:
    stored = [None if value is None else blob_of(value) for value in values]
    return pa.array(stored, type=pa.large_binary())


def _booleans(values: list[Any]) -> pa.Array:
    return pa.array(values, type=pa.bool_())


def _integers(scalar: Scalar) -> Convert:
    parse = parser_for(scalar)
    arrow_type = ARROW_TYPES[scalar]

    def converted(values: list[Any]) -> pa.Array:
        if str in set(map(type, values)):
            values = [parse(v) if isinstance(v, str) else v for v in values]
        return pa.array(values, type=arrow_type)

    return converted


def _float64s(values: list[Any]) -> pa.Array:
    return finite(pa.array(values, type=pa.float64()))


def _float32s(values: list[Any]) -> pa.Array:
    return finite(pa.array(values, type=pa.float64()).cast(pa.float32(), safe=False))


def finite(numbers: pa.Array) -> pa.Array:
    """Returns finite floats with one zero, the positive one.

    Raises:
        UnfitError: there is a NaN or an infinity.
    """
    if pc.all(pc.is_finite(numbers)).as_py() is False:
        msg = "not finite"
        raise UnfitError(msg)
    return pc.add(numbers, pa.scalar(0.0, type=numbers.type))


def _dates(values: list[Any]) -> pa.Array:
    return days(_parsed(values, Scalar.DATE, _days_of_texts))


def _instants(values: list[Any]) -> pa.Array:
    return milliseconds(_parsed(values, Scalar.DATETIME, _milliseconds_of_texts))


def days(numbers: pa.Array) -> pa.Array:
    """Returns int64 days since 1970 as dates within the years that a Date has."""
    _within(numbers, DATE_DAYS_MIN, DATE_DAYS_MAX)
    return numbers.cast(pa.int32()).view(pa.date32())


def milliseconds(numbers: pa.Array) -> pa.Array:
    """Returns int64 milliseconds since 1970 as times within the years that a DateTime has."""
    _within(numbers, DATETIME_MS_MIN, DATETIME_MS_MAX)
    return numbers.view(pa.date64())


def _parsed(values: list[Any], scalar: Scalar, of_texts: Convert) -> pa.Array:
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {str}:
        try:
            return of_texts(values)
        except (pa.ArrowException, UnfitError):
            pass  # Another spelling than the usual one: read each.
    parse = parser_for(scalar)
    return pa.array([None if v is None else parse(v) for v in values], type=pa.int64())


def _days_of_texts(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, type=pa.utf8()).cast(pa.date32()).cast(pa.int32()).cast(pa.int64())


def _milliseconds_of_texts(texts: list[str | None]) -> pa.Array:
    column = pa.array(texts, type=pa.utf8())
    if pc.all(pc.match_substring_regex(column, _INSTANT)).as_py() is False:
        raise UnfitError
    return column.cast(pa.timestamp("ms", "UTC")).cast(pa.int64())


def _within(numbers: pa.Array, low: int, high: int) -> None:
    found = pc.min_max(numbers).as_py()
    if found["min"] is not None and not low <= found["min"] <= found["max"] <= high:
        raise UnfitError


def _list(convert: Convert) -> Convert:
    def converted(values: list[Any]) -> pa.Array:
        _are_lists(values)
        lengths = [0 if v is None else len(v) for v in values]
        items = convert(list(itertools.chain.from_iterable(v for v in values if v is not None)))
        ends = itertools.accumulate(lengths)
        offsets = pa.array([0, *ends], type=pa.int32())
        nulls = pa.array([v is None for v in values], type=pa.bool_())
        return pa.ListArray.from_arrays(offsets, items, mask=nulls)

    return converted


def _vector(dimension: int) -> Convert:
    def converted(values: list[Any]) -> pa.Array:
        _are_lists(values)
        given: Iterable[list[float]] = (v for v in values if v is not None)
        if any(len(v) != dimension for v in values if v is not None):
            raise UnfitError
        finite_items = _float32s(list(itertools.chain.from_iterable(given)))
        vectors = pa.FixedSizeListArray.from_arrays(finite_items, dimension)
        if len(vectors) == len(values):
            return vectors
        places = itertools.count()
        return vectors.take(
            pa.array([None if v is None else next(places) for v in values], type=pa.int64())
        )

    return converted


def _are_lists(values: list[Any]) -> None:
    """Refuses a text or an object: each has members too, its letters or its names."""
    if not {*map(type, values)} <= {list, type(None)}:
        raise UnfitError


def _checks(ir_type: IrType, prop: IrProperty) -> Iterable[Check]:
    yield from (_within_bounds(bounds) for bounds in ranges_of(ir_type, prop))
    yield from (_matching(pattern) for pattern in patterns_of(ir_type, prop))


def _within_bounds(bounds: Bounds) -> Check:
    return lambda column: all(
        value is None or bounds.hold(value) for value in pc.min_max(column).as_py().values()
    )


def _matching(pattern: str) -> Check:
    return lambda column: all(
        value is None or matches(pattern, value) for value in column.unique().to_pylist()
    )


def _among(values: tuple[str, ...]) -> Check:
    known = frozenset(values)
    return lambda column: {*column.unique().to_pylist()} <= {*known, None}


def _key_texts(scalar: Scalar, column: pa.Array) -> pa.Array:
    if scalar is Scalar.STRING:
        return column
    if scalar in INTEGER_RANGES or scalar is Scalar.BOOL:
        return column.cast(pa.utf8())
    if scalar is Scalar.DATE:
        return column.view(pa.int32()).cast(pa.utf8())
    if scalar is Scalar.DATETIME:
        return column.view(pa.int64()).cast(pa.utf8())
    return pa.array([key_text(scalar, value) for value in column.to_pylist()], type=pa.utf8())


_SCALARS: Final[dict[Scalar, Convert]] = {
    Scalar.STRING: _strings,
    Scalar.BLOB: _blobs,
    Scalar.BOOL: _booleans,
    **{scalar: _integers(scalar) for scalar in INTEGERS},
    Scalar.F32: _float32s,
    Scalar.F64: _float64s,
    Scalar.DATE: _dates,
    Scalar.DATETIME: _instants,
}
