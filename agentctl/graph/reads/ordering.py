"""Rows in the query's total order. In a worker thread.

Nulls come first ascending and last descending; text by code points, false before true, lists member
by member with a null before every value and a shorter one before what continues it. Source:
languages 2.2, 3.2.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.frame import Frame
from agentctl.graph.reads.logical import Sorted


def ordered(frame: Frame, by: Sequence[Sorted], first: int | None) -> Frame:
    """Returns the rows in order; at most the *first* so many."""
    if frame.rows < 2 or not by:
        return frame if first is None else frame.slice(0, first)
    keys: dict[str, pa.Array] = {}
    directions: list[tuple[str, str]] = []
    for place, one in enumerate(by):
        values = sortable(frame[one.column])
        direction = "descending" if one.descending else "ascending"
        if values.null_count:
            # Whether there is a value goes first, because Arrow puts nulls at one end for all.
            keys[f"valid {place}"] = pc.cast(values.is_valid(), pa.int8())
            directions.append((f"valid {place}", direction))
            values = values.fill_null("" if pa.types.is_string(values.type) else 0)
        keys[f"value {place}"] = values
        directions.append((f"value {place}", direction))
    table = pa.table(keys)
    if first is not None and first < frame.rows // 2:
        at = pc.select_k_unstable(table, k=first, sort_keys=directions)
    else:
        at = pc.sort_indices(table, sort_keys=directions)
    return frame.take(at if first is None else at.slice(0, first))


def sortable(values: pa.Array) -> pa.Array:
    """Returns a column that Arrow sorts as the language orders *values*."""
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return _ranks(values)
    return values


def _ranks(values: pa.Array) -> pa.Array:
    lists = values.to_pylist()
    keyed = {repr(v): [(m is not None, m) for m in v] for v in lists if v is not None}
    ranks = {text: rank for rank, text in enumerate(sorted(keyed, key=lambda t: _key(keyed[t])))}
    return pa.array([None if v is None else ranks[repr(v)] for v in lists], pa.int64())


def _key(members: list[tuple[bool, object]]) -> list[tuple[bool, object]]:
    return [(there, value if there else 0) for there, value in members]
