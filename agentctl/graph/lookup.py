"""Rows by the values of one column: through its index where few are wanted, by a scan else.

Both ways give the same rows; the threshold only decides how fast. Source: graph-engine 3.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import lance
import pyarrow as pa
import pyarrow.compute as pc

LOOKUP_COUNT_MAX: Final = 1_000
"""More values than this are found faster by reading the column."""


def quoted(text: str) -> str:
    """Returns *text* as a literal of Lance's filter language; nothing but the quote is special."""
    return "'" + text.replace("'", "''") + "'"


def column_name(name: str) -> str:
    """Returns a column's name as Lance's filter language spells it."""
    return f"`{name}`"


def rows_where(
    dataset: lance.LanceDataset,
    column: str,
    wanted: pa.Array,
    *,
    columns: Sequence[str],
    condition: str | None = None,
    lookup_count_max: int = LOOKUP_COUNT_MAX,
) -> pa.Table:
    """Returns *columns* of the rows whose text *column* is one of *wanted*, in no order."""
    if len(wanted) <= lookup_count_max:
        if not len(wanted):
            return dataset.scanner(columns=list(columns), limit=0).to_table()
        among = f"{column_name(column)} IN ({', '.join(quoted(v) for v in wanted.to_pylist())})"
        return scan(dataset, columns, f"{among} AND ({condition})" if condition else among)
    read = list(dict.fromkeys([*columns, column]))
    kept = [
        batch.filter(pc.is_in(batch.column(column), value_set=wanted))
        for batch in dataset.scanner(columns=read, filter=condition).to_batches()
    ]
    schema = pa.schema([dataset.schema.field(name) for name in read])
    return pa.Table.from_batches(kept, schema=schema).select(list(columns))


def scan(
    dataset: lance.LanceDataset, columns: Iterable[str], condition: str | None = None
) -> pa.Table:
    """Returns *columns* of the rows that meet *condition*, in no order."""
    return dataset.scanner(columns=list(columns), filter=condition).to_table()
