"""Rows of a load between reading and writing: parsed, staged in a temporary folder, by type.

A load reads its lines once, in bounded memory, and writes nothing to the graph before all of them
are known to be good. Staged rows carry their line numbers, so that what the graph itself refuses
later is reported with its place too.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from agentctl.graph.loads.ndjson import NdjsonReader
from agentctl.graph.loads.parts import Part, staged_schema
from agentctl.graph.violations import Violations
from agentctl.graph.writes.changes import fitted
from agentctl.languages.schema.ir import IrType, SchemaIr

BATCH_ROWS: Final = 16_384


class StagedType:
    """The rows of one type, as batches of a file; columns as a new dataset would have, and `LINE`."""

    def __init__(self, ir_type: IrType, folder: Path) -> None:
        self.type = ir_type
        self.rows = 0
        self.given_ids = False
        """Whether any id came from the input, so that it may be there already."""
        self._schema = staged_schema(ir_type)
        self._path = folder / f"{ir_type.id}.arrow"
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, part: Part) -> None:
        """Stages some rows."""
        self._pending.append(part.rows)
        self._pending_rows += part.rows.num_rows
        self.rows += part.rows.num_rows
        self.given_ids = self.given_ids or part.given
        if self._pending_rows >= BATCH_ROWS:
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
                yield fitted(reader.get_batch(index), schema)

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), self._schema)
        together = pa.Table.from_batches(self._pending).combine_chunks()
        for batch in together.to_batches():
            self._writer.write_batch(batch)
        self._pending.clear()
        self._pending_rows = 0


class Spool:
    """All types of one load."""

    def __init__(self, ir: SchemaIr, reader: NdjsonReader, folder: Path) -> None:
        self._types = {t.id: t for t in ir.types}
        self._reader = reader
        self._folder = folder
        self.lines = 0
        """How many were read."""
        self.staged: dict[str, StagedType] = {}
        self.violations = Violations()

    def feed(self, lines: Sequence[bytes]) -> None:
        """Reads some lines."""
        chunk = self._reader.read(lines, self.lines + 1)
        self.lines += len(lines)
        for bad in chunk.bad:
            self.violations.add(bad.line, bad.faults)
        for part in chunk.parts:
            self._stage(part)

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

    def _stage(self, part: Part) -> None:
        staged = self.staged.get(part.type_id)
        if staged is None:
            staged = StagedType(self._types[part.type_id], self._folder)
            self.staged[part.type_id] = staged
        staged.add(part)
