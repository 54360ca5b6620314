"""Columns to lines of an export: each in the form of RFC 8785, read again as the same row.

A property that is null is left out, unless its default would then take its place. Integers beyond
2^53 are strings of their digits, as in every reply. Source: graph-engine 1, 4, access-and-faces 2.4.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pyarrow as pa
import rfc8785
from msgspec import UNSET, defstruct

from agentctl.graph.values import SAFE_INTEGER, json_value, shortest_f32
from agentctl.languages.schema.ir import IrProperty, IrType
from agentctl.languages.schema.types import FLOATS, INTEGERS, Scalar

_ENCODER: Final = msgspec.json.Encoder()
Shown = Callable[[pa.Array], list[Any]]


class LineWriter:
    """Writes rows of one type as lines."""

    def __init__(self, ir_type: IrType) -> None:
        self._is_edge = ir_type.kind == "edge"
        members: list[tuple[str, str, Shown, bool]] = [("id", "id", _as_they_are, False)]
        members += [
            (p.name, p.column, _shown_as(p), p.nullable and p.default is not None)
            for p in ir_type.properties
        ]
        members.sort(key=lambda member: member[0])
        self._columns = [(column, shown) for _, column, shown, _ in members]
        names = {f"m{n}": name for n, (name, _, _, _) in enumerate(members)}
        fields: list[Any] = [
            (f"m{n}", object, UNSET if explicit else None)
            for n, (_, _, _, explicit) in enumerate(members)
        ]
        self._data: Any = defstruct("Data", fields, rename=names, omit_defaults=True, gc=False)
        # RFC 8785 sorts members: data, edge, from, to; data, type.
        ends: list[Any] = [("edge", str), ("source", str), ("target", str)]
        self._line: Any = defstruct(
            "Line",
            [("data", self._data), *(ends if self._is_edge else [("type", str)])],
            rename={"source": "from", "target": "to"} if self._is_edge else None,
            gc=False,
        )
        self._name = ir_type.name

    def lines(self, rows: pa.RecordBatch) -> bytes:
        """Returns the lines of *rows*, which have the type's physical columns; each has its end."""
        data = map(self._data, *(shown(rows.column(column)) for column, shown in self._columns))
        line, name = self._line, self._name
        if self._is_edge:
            ends = (rows.column("src").to_pylist(), rows.column("dst").to_pylist())
            made = [line(d, name, src, dst) for d, src, dst in zip(data, *ends, strict=True)]
        else:
            made = [line(d, name) for d in data]
        return _ENCODER.encode_lines(made)


def _shown_as(prop: IrProperty) -> Shown:
    """Returns what makes a property's values JSON."""
    scalar = Scalar(prop.scalar)
    if prop.list or prop.vector_dim is not None:
        return lambda column: [_listed(scalar, values) for values in _members(column, scalar)]
    if scalar in FLOATS:
        return lambda column: [_number(scalar, value) for value in column.to_pylist()]
    if scalar in INTEGERS:
        return lambda column: _integers(column.to_pylist())
    if scalar in (Scalar.STRING, Scalar.BOOL):
        return _as_they_are
    return lambda column: [json_value(scalar, value) for value in _plain(column).to_pylist()]


def _as_they_are(column: pa.Array) -> list[Any]:
    found: list[Any] = column.to_pylist()
    return found


def _plain(column: pa.Array) -> pa.Array:
    """Returns dates as days and times as milliseconds."""
    if column.type == pa.date64():
        return column.view(pa.int64())
    return column.view(pa.int32()) if column.type == pa.date32() else column


def _members(column: pa.Array, scalar: Scalar) -> list[list[Any] | None]:
    """Returns lists with dates and times as numbers."""
    if scalar not in (Scalar.DATE, Scalar.DATETIME):
        found: list[list[Any] | None] = column.to_pylist()
        return found
    return [None if not item.is_valid else _plain(item.values).to_pylist() for item in column]


def _listed(scalar: Scalar, values: list[Any] | None) -> list[Any] | None:
    if values is None:
        return None
    if scalar in FLOATS:
        return [_number(scalar, value) for value in values]
    return [json_value(scalar, value) for value in values]


def _integers(values: list[Any]) -> list[Any]:
    if all(value is None or -SAFE_INTEGER <= value <= SAFE_INTEGER for value in values):
        return values
    return [json_value(Scalar.I64, value) for value in values]


def _number(scalar: Scalar, value: float | None) -> msgspec.Raw | None:
    """Returns a float as RFC 8785 writes it: Python's digits, but for exponents."""
    if value is None:
        return None
    text = repr(shortest_f32(value) if scalar is Scalar.F32 else value)
    if "e" in text:
        return msgspec.Raw(rfc8785.dumps(float(text)))
    return msgspec.Raw(text.removesuffix(".0").encode())
