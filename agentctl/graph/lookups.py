"""Rows of a dataset by the values of one column, for checks: through its index where few are wanted.

Both ways give the same rows; the threshold only decides how fast. A full read goes in large batches,
so that what is wanted is hashed a few times and not once for each small one. Source: graph-engine 2.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.languages.schema.ir import IrType

if TYPE_CHECKING:
    import lance

LOOKUP_COUNT_MAX: Final = 1_000
"""More values than this are found faster by reading the column."""
READ_ROWS: Final = 1 << 18
"""Rows of one batch of a full read: bounds its memory."""


def rows_with(
    dataset: "lance.LanceDataset",
    column: str,
    wanted: pa.Array | pa.ChunkedArray,
    *,
    columns: Sequence[str],
    lookup_count_max: int = LOOKUP_COUNT_MAX,
) -> pa.Table:
    """Returns *columns* of the rows whose *column* is one of *wanted* (no nulls), in no order."""
    if not len(wanted):
        return dataset.scanner(columns=list(columns), limit=0).to_table()
    among = named_in(column, wanted) if len(wanted) <= lookup_count_max else None
    if among is not None:
        return dataset.scanner(columns=list(columns), filter=among).to_table()
    read = list(dict.fromkeys([*columns, column]))
    kept = [
        batch.filter(pc.is_in(batch.column(column), value_set=wanted))
        for batch in dataset.scanner(columns=read, batch_size=READ_ROWS).to_batches()
    ]
    schema = pa.schema([dataset.schema.field(name) for name in read])
    return pa.Table.from_batches(kept, schema=schema).select(list(columns))


def those_in(
    dataset: "lance.LanceDataset", column: str, wanted: pa.Array | pa.ChunkedArray
) -> pa.ChunkedArray:
    """Returns the values of *column* that are among *wanted*."""
    return rows_with(dataset, column, wanted, columns=[column])[column]


def without(
    values: pa.Array | pa.ChunkedArray, others: pa.Array | pa.ChunkedArray
) -> pa.Array | pa.ChunkedArray:
    """Returns those of *values* that are not among *others*."""
    if not len(values) or not len(others):
        return values
    return values.filter(pc.invert(pc.is_in(values, value_set=others)))


def rows_without(
    table: pa.Table, column: str, others: pa.Array | pa.ChunkedArray | None
) -> pa.Table:
    """Returns the rows of *table* whose *column* is not among *others*."""
    if others is None or not len(others) or not table.num_rows:
        return table
    return table.filter(pc.invert(pc.is_in(table[column], value_set=others)))


def distinct(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Returns each value once."""
    return pc.unique(values)


def quoted_name(name: str) -> str:
    """Returns a column's name as Lance's filter language spells it."""
    return f"`{name}`"


def quoted(text: str) -> str:
    """Returns *text* as a literal of Lance's filter language; nothing but the quote is special."""
    return "'" + text.replace("'", "''") + "'"


def named_in(column: str, wanted: pa.Array | pa.ChunkedArray) -> str | None:
    """Returns a filter for one of *wanted*, or None where one of them has no exact literal."""
    if not _has_literals(wanted.type):
        return None
    values = wanted.to_pylist()
    if any(isinstance(value, str) and "\0" in value for value in values):
        return None
    return f"{quoted_name(column)} IN ({', '.join(map(_literal, values))})"


def rows_named(ir_type: IrType, ids: pa.Array, sources: pa.Array | None) -> str | None:
    """Returns a filter that finds few rows through an index; None where the column is read.

    *sources* are the ``src`` of all of them, where they are edges and it is known.
    """
    if len(ids) > LOOKUP_COUNT_MAX or (ir_type.kind == "edge" and sources is None):
        return None
    parts = [named_in("id", ids)]
    if sources is not None:
        parts.insert(0, named_in("src", pc.unique(sources)))
    known = [part for part in parts if part is not None]
    return " AND ".join(known) if len(known) == len(parts) else None


def _has_literals(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or (pa.types.is_integer(kind) and not pa.types.is_uint64(kind))


def _literal(value: str | int) -> str:
    return quoted(value) if isinstance(value, str) else str(value)
