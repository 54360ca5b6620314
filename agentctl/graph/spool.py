"""Rows of a load between reading and writing: parsed, staged in a temporary folder, by type.

A load reads its lines once, in bounded memory, and writes nothing to the graph before all of them
are known to be good. Staged rows carry their line numbers, so that what the graph itself refuses
later is reported with its place too.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from agentctl.graph.columns import LINE, physical_schema
from agentctl.graph.lines import LineReader, Row
from agentctl.graph.violations import Violations
from agentctl.languages.schema.ir import IrType, SchemaIr

BATCH_ROWS: Final = 8_192


class StagedType:
    """The rows of one type, as batches of a file; columns as a new dataset would have, and `LINE`."""

    def __init__(self, ir_type: IrType, folder: Path) -> None:
        self.type = ir_type
        self.rows = 0
        self.given_ids = False
        """Whether any id came from the input, so that it may be there already."""
        self._schema = physical_schema(ir_type).append(pa.field(LINE, pa.int64()))
        self._path = folder / f"{ir_type.id}.arrow"
        self._pending: list[tuple[Row, int]] = []
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, row: Row, line: int) -> None:
        """Stages one row."""
        self._pending.append((row, line))
        self.rows += 1
        self.given_ids = self.given_ids or row.given
        if len(self._pending) >= BATCH_ROWS:
            self._flush()

    def finish(self) -> None:
        """Ends the staging; rows can be read from now on."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Returns some columns of all rows; they stay on the disk and are paged in."""
        with pa.memory_map(str(self._path)) as source, pa.ipc.open_file(source) as reader:
            return reader.read_all().select(list(columns))

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Gives all rows in the columns of *schema*, null where a column is no longer in use."""
        with pa.memory_map(str(self._path)) as source, pa.ipc.open_file(source) as reader:
            for index in range(reader.num_record_batches):
                yield _fitted(reader.get_batch(index), schema)

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), self._schema)
        self._writer.write_batch(self._batch())
        self._pending.clear()

    def _batch(self) -> pa.RecordBatch:
        rows = [row for row, _ in self._pending]
        columns: list[list[object]] = [[row.id for row in rows]]
        if self.type.kind == "edge":
            columns += [[row.src for row in rows], [row.dst for row in rows]]
        columns += [list(column) for column in zip(*(row.values for row in rows), strict=True)]
        columns.append([line for _, line in self._pending])
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


class Spool:
    """All types of one load."""

    def __init__(self, ir: SchemaIr, reader: LineReader, folder: Path) -> None:
        self._types = {t.id: t for t in ir.types}
        self._reader = reader
        self._folder = folder
        self._line = 0
        self.staged: dict[str, StagedType] = {}
        self.violations = Violations()

    def feed(self, lines: Sequence[bytes]) -> None:
        """Reads some lines."""
        for line in lines:
            self._line += 1
            read = self._reader.read(line)
            if isinstance(read, Row):
                self._stage(read)
            elif read is not None:
                self.violations.add(self._line, read)

    def finish(self) -> None:
        """Ends the staging."""
        for staged in self.staged.values():
            staged.finish()

    def rows_by_name(self) -> dict[str, int]:
        """Returns the rows staged, by type name."""
        rows: dict[str, int] = {}
        for staged in self.staged.values():
            rows[staged.type.name] = rows.get(staged.type.name, 0) + staged.rows
        return rows

    def _stage(self, row: Row) -> None:
        staged = self.staged.get(row.type_id)
        if staged is None:
            staged = StagedType(self._types[row.type_id], self._folder)
            self.staged[row.type_id] = staged
        staged.add(row, self._line)


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name) if field.name in names else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
