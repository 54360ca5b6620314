"""Rows of a type as people and programs read them: values by property, as JSON shows them."""

from collections.abc import Iterable, Mapping
from typing import Final, cast

import pyarrow as pa

from agentctl.graph.values import Stored, json_value
from agentctl.languages.schema.ir import IrProperty, IrType
from agentctl.languages.schema.types import Scalar

ENDS: Final[Mapping[str, str]] = {"src": "from", "dst": "to"}
"""How an edge's ends are spelled outside of the datasets."""


def sides_of(ir_type: IrType, rows: pa.Table) -> list[Mapping[str, object]]:
    """Returns each row: of an edge ``from`` and ``to``, then the properties in order."""
    columns: dict[str, list[object]] = {}
    if ir_type.kind == "edge":
        columns |= {said: rows[end].to_pylist() for end, said in ENDS.items()}
    columns |= {prop.name: values_of(prop, rows[prop.column]) for prop in ir_type.properties}
    if not columns:
        return [{} for _ in range(rows.num_rows)]
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def values_of(prop: IrProperty, column: pa.ChunkedArray) -> list[object]:
    """Returns the values of a property as JSON shows them."""
    return [
        json_value(Scalar(prop.scalar), cast("Stored | None", value))
        for value in _as_numbers(column).to_pylist()
    ]


def spelled(ir_type: IrType, columns: Iterable[str]) -> tuple[str, ...]:
    """Returns how the schema names some columns: ends first, then in the order of the properties."""
    wanted = {*columns}
    ends = [said for end, said in ENDS.items() if end in wanted]
    return (*ends, *(p.name for p in ir_type.properties if p.column in wanted))


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns dates as days and instants as milliseconds: as values, Arrow would cut an instant."""
    kind = column.type
    if pa.types.is_date32(kind):
        return column.cast(pa.int32())
    if pa.types.is_date64(kind):
        return column.cast(pa.int64())
    if pa.types.is_list(kind) and pa.types.is_date32(kind.value_type):
        return column.cast(pa.list_(pa.int32()))
    if pa.types.is_list(kind) and pa.types.is_date64(kind.value_type):
        return column.cast(pa.list_(pa.int64()))
    return column
