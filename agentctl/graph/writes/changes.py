"""What one commit does to the rows of a graph, as a value: the currency of every write.

A mutation, a load and a merge say what they want as `Changes`; `checking.check` holds it against the
schema and the graph, and `applying.apply_changes` writes it. Rows are whole: each has all columns of
`columns.physical_schema`, so a row that is there already is replaced. Source: graph-engine 2, 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
import pyarrow as pa

from agentctl.languages.schema.ir import IrType


class StagedRows(Protocol):
    """Rows that wait to be written, of one type, in columns; each id once in a good change.

    They may lie on a disk and be more than memory holds; both methods may be called again and give
    the same rows in the same order. Used by one thread.
    """

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Returns some columns of all rows: physical ones and, of `TypeChange.lined` rows, `LINE`."""
        ...

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Gives all rows in the columns of *schema*, null where the type has a column no more."""
        ...


class TypeChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the rows of one type."""

    type: IrType
    rows: StagedRows | None = None
    """Rows that are there afterwards: those whose id is there already are replaced."""
    deleted: pa.Array | None = None
    """Ids of rows that go (utf8, each once, all of them there, none of them among `rows`)."""
    deleted_sources: pa.Array | None = None
    """Where the maker knows it, the ``src`` of all deleted edges: their index finds the rows then."""
    replaces_all: bool = False
    """Whether every row that is not among `rows` goes; `deleted` is None then."""
    inserts_only: bool = False
    """Whether an id that is there already is a violation of the key, as when a load appends."""
    fresh_ids: bool = False
    """Whether every id of `rows` was just minted, so that none can be there or come twice."""
    replaced: pa.Array | None = None
    """The ids of all of `rows` that are there already, where the maker has read them; None to look."""
    lined: bool = False
    """Whether `rows` has the column `LINE`: the numbers of input lines, for the reports."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a graph's rows; types that it does not name stay as they are.

    Deleting a node does not delete its edges: who makes the changes names those too, and `check`
    tells of the edges that were forgotten.
    """

    types: Mapping[str, TypeChange]
    """By type id."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not any(
            change.replaces_all
            or (change.rows is not None and change.rows.rows)
            or (change.deleted is not None and len(change.deleted))
            for change in self.types.values()
        )


class RowsInMemory:
    """Staged rows that are an Arrow table: its columns are those of `physical_schema`, or fewer.

    What it lacks of a dataset's columns is null there.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self._table.num_rows)

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Returns some columns of all rows."""
        return self._table.select(list(columns))

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Gives all rows in the columns of *schema*, null in those that the table lacks."""
        for batch in self._table.to_batches():
            yield fitted(batch, schema)


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Returns *batch* in the columns of *schema*: others left out, missing ones null."""
    names = {*batch.schema.names}
    columns = [
        batch.column(field.name) if field.name in names else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
