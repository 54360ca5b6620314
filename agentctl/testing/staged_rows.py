"""Rows that a write is given, from Python values."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from agentctl.graph.columns import LINE, physical_schema
from agentctl.graph.writes.changes import RowsInMemory
from agentctl.languages.schema.ir import IrType


def staged_from(ir_type: IrType, columns: Mapping[str, Sequence[object]]) -> RowsInMemory:
    """Returns rows of *ir_type* from Python values by column; columns that are not given are null.

    ``LINE`` may be among them. Meant for few rows.
    """
    schema = physical_schema(ir_type)
    if LINE in columns:
        schema = schema.append(pa.field(LINE, pa.int64()))
    count = len(columns["id"])
    arrays = [
        pa.array(columns[field.name], type=field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in schema
    ]
    return RowsInMemory(pa.Table.from_arrays(arrays, schema=schema))
