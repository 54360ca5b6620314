"""The rows of one type while a mutation is made: the graph's, and over them what it has done so far.

A later statement of a query sees what the earlier ones did. Rows are whole: also the columns of
dropped properties come along, so that an update of a row loses nothing. Used by one thread.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from agentctl.graph.columns import column_of, identity_columns
from agentctl.graph.lookups import rows_with, rows_without, without
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.writes.changes import RowsInMemory, TypeChange
from agentctl.graph.writes.choosing import Chooser
from agentctl.languages.schema.ir import IrType


class PendingRows:
    """What one query does to one type."""

    def __init__(self, snapshot: Snapshot, ir_type: IrType) -> None:
        self.type = ir_type
        self._snapshot = snapshot
        self._new: dict[str, Mapping[str, object]] = {}
        self._minted = True
        self._updated: list[pa.Array] = []
        self._staged: pa.Table | None = None
        self._deleted: list[pa.Array] = []
        self._sources: list[pa.Array] = []

    def insert(self, row_id: str, values: Mapping[str, object], *, minted: bool) -> None:
        """Puts a row in place of the one with its id; *values* by column, as `values.Stored`."""
        self._new.pop(row_id, None)
        self._new[row_id] = values
        self._minted = self._minted and minted

    def chosen(self, chooser: Chooser) -> pa.Table:
        """Returns the whole rows that *chooser* wants, of the graph and of this query."""
        self._flush()
        parts: list[pa.Table] = []
        if self._snapshot.rows(self.type):
            found = chooser.rows_of(self._snapshot.dataset(self.type))
            parts.append(self._as_left(found))
        if self._staged is not None:
            parts.append(chooser.among(self._staged))
        return _together(parts) if parts else _no_rows(self.type)

    def put(self, rows: pa.Table) -> None:
        """Puts whole rows in place of those with their ids; ids must not repeat."""
        self._flush()
        before = rows["id"] if self._staged is None else without(rows["id"], self._staged["id"])
        self._updated.append(_whole(before))  # what the query has not made, the graph has
        self._put(rows)

    def delete(self, rows: pa.Table) -> None:
        """Takes rows of the graph away; a query that deletes stages no rows."""
        assert self._staged is None, "deletes share no query with inserts and updates"
        if rows.num_rows:
            self._deleted.append(_whole(rows["id"]))
            if self.type.kind == "edge":
                self._sources.append(_whole(rows["src"]))

    def incident(self, column: str, ids: pa.ChunkedArray) -> pa.Table:
        """Returns the edges, not deleted so far, that name one of *ids* in *column*."""
        if not self._snapshot.rows(self.type):
            return _no_rows(self.type)
        dataset = self._snapshot.dataset(self.type)
        return self._as_left(rows_with(dataset, column, ids, columns=["id", "src"]))

    def change(self) -> TypeChange | None:
        """Returns what becomes of the type's rows; None where nothing does."""
        self._flush()
        if self._deleted:
            return TypeChange(
                type=self.type,
                deleted=pa.concat_arrays(self._deleted),
                deleted_sources=pa.concat_arrays(self._sources) if self._sources else None,
            )
        if self._staged is None:
            return None
        there = pa.concat_arrays(self._updated) if self._updated else None
        return TypeChange(
            type=self.type,
            rows=RowsInMemory(self._staged),
            fresh_ids=self._minted and there is None,
            replaced=there if self._minted else None,
        )

    def _as_left(self, found: pa.Table) -> pa.Table:
        """Returns rows of the graph as far as the query has left them as they were."""
        for gone in self._deleted:
            found = rows_without(found, "id", gone)
        staged = None if self._staged is None else self._staged["id"]
        return rows_without(found, "id", staged)

    def _flush(self) -> None:
        if self._new:
            rows = _table_of(self.type, self._new)
            self._new = {}
            self._put(rows)

    def _put(self, rows: pa.Table) -> None:
        if self._staged is not None:
            rows = _together([rows_without(self._staged, "id", rows["id"]), rows])
        self._staged = rows


def with_values(rows: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    """Returns *rows* with some columns replaced, or added where the dataset has none such yet."""
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        if place < 0:
            rows = rows.append_column(name, values)
        else:
            rows = rows.set_column(place, rows.schema.field(name), values)
    return rows


def _table_of(ir_type: IrType, rows: Mapping[str, Mapping[str, object]]) -> pa.Table:
    ids: Sequence[str] = list(rows)
    columns: dict[str, pa.Array] = {"id": pa.array(ids, pa.utf8())}
    for end in identity_columns(ir_type)[1:]:
        columns[end] = pa.array([rows[row_id][end] for row_id in ids], pa.utf8())
    for prop in ir_type.properties:
        columns[prop.column] = column_of(prop, [rows[row_id].get(prop.column) for row_id in ids])
    return pa.table(columns)


def _no_rows(ir_type: IrType) -> pa.Table:
    return _table_of(ir_type, {})


def _together(parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts, promote_options="default")


def _whole(values: pa.ChunkedArray) -> pa.Array:
    """Returns *values* in one piece."""
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
