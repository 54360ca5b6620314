"""Rows of a load between reading and writing: parsed, staged in a temporary folder, by type.

A load reads its lines once, in bounded memory, and writes nothing to the graph before all of them
are known to be good. Staged rows carry their line numbers, so that what the graph itself refuses
later is reported with its place too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from agentctl.graph.columns import LINE
from agentctl.graph.loads.parts import Chunk, Part, staged_schema
from agentctl.graph.loads.rejects import FAULT_COUNT_MAX, Aside, Rejected
from agentctl.graph.violations import Violations
from agentctl.graph.writes.changes import fitted
from agentctl.languages.schema.ir import IrType, SchemaIr

BATCH_ROWS: Final = 16_384


class StagedType:
    """The rows of one type, as batches of a file; columns as a new dataset would have, and `LINE`.

    Some may be set aside by their lines; then they are not among the rows any more.
    """

    def __init__(self, ir_type: IrType, folder: Path) -> None:
        self.type = ir_type
        self.rows = 0
        self.given_ids = False
        """Whether any id came from the input, so that it may be there already."""
        self.given: Callable[[int], None] = _untold
        """Is told how many rows `batches` gave since it last was."""
        self._schema = staged_schema(ir_type)
        self._path = folder / f"{ir_type.id}.arrow"
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._writer: pa.RecordBatchFileWriter | None = None
        self._all_rows = 0
        self._aside = np.zeros(0, dtype=np.int64)

    def add(self, part: Part) -> None:
        """Stages some rows."""
        self._pending.append(part.rows)
        self._pending_rows += part.rows.num_rows
        self.rows += part.rows.num_rows
        self._all_rows = self.rows
        self.given_ids = self.given_ids or part.given
        if self._pending_rows >= BATCH_ROWS:
            self._flush()

    def finish(self) -> None:
        """Ends the staging; rows can be read from now on."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def set_aside(self, lines: np.ndarray) -> None:
        """Takes the rows of some lines out; lines that are none of its own do not matter."""
        self._aside = np.union1d(self._aside, lines)
        with self._opened() as reader:
            own = reader.read_all().column(LINE).to_numpy()
        self.rows = self._all_rows - int(np.isin(own, self._aside).sum())

    def restore(self) -> None:
        """Brings back what was set aside."""
        self._aside = self._aside[:0]
        self.rows = self._all_rows

    def rows_of(self, lines: np.ndarray) -> list[pa.RecordBatch]:
        """Returns the rows of some lines, also those set aside."""
        found: list[pa.RecordBatch] = []
        with self._opened() as reader:
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                mask = np.isin(batch.column(LINE).to_numpy(), lines)
                if mask.any():
                    found.append(batch.filter(pa.array(mask)))
        return found

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Returns some columns of all rows; they stay on the disk and are paged in."""
        with self._opened() as reader:
            rows = reader.read_all()
            if len(self._aside):
                rows = rows.filter(pa.array(self._stays(rows.column(LINE))))
            return rows.select(list(columns))

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Gives all rows in the columns of *schema*, null where a column is no longer in use."""
        with self._opened() as reader:
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                if len(self._aside):
                    batch = batch.filter(pa.array(self._stays(batch.column(LINE))))
                self.given(batch.num_rows)
                yield fitted(batch, schema)

    @contextmanager
    def _opened(self) -> Iterator[pa.RecordBatchFileReader]:
        with pa.memory_map(str(self._path)) as source, pa.ipc.open_file(source) as reader:
            yield reader

    def _stays(self, lines: pa.Array) -> np.ndarray:
        return np.isin(lines.to_numpy(), self._aside, invert=True)

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), self._schema)
        together = pa.Table.from_batches(self._pending)
        if not _ascending(self._pending):
            # Lines that were read alone come after their neighbours; what is there "already" is above.
            together = together.sort_by(LINE)
        for batch in together.combine_chunks().to_batches():
            self._writer.write_batch(batch)
        self._pending.clear()
        self._pending_rows = 0


def _ascending(batches: Sequence[pa.RecordBatch]) -> bool:
    """Returns whether the lines of the rows ascend."""
    lines = np.concatenate([batch.column(LINE).to_numpy() for batch in batches])
    return bool((lines[1:] > lines[:-1]).all())


def _untold(count: int) -> None:
    """Stands for who is told of rows and does not want to know."""


class Spool:
    """All types of one load, and what could not be read."""

    def __init__(self, ir: SchemaIr, folder: Path, *, rejected_max: int = 0) -> None:
        self._types = {t.id: t for t in ir.types}
        self._folder = folder
        self._rejected_max = rejected_max
        self.aside = Aside(folder)
        """The texts of lines that are set aside, or may be."""
        self.lines = 0
        """How many were read, of all sources."""
        self.staged: dict[str, StagedType] = {}
        self.violations = Violations()
        """What could not be read."""
        self.bad: list[Rejected] = []
        """The lines of `violations`, as long as they may be set aside."""
        self.bad_count = 0
        """How many lines could not be read."""
        self.broken = False
        """Whether a source could not be read to its end."""

    def take(self, chunk: Chunk, lines: int) -> None:
        """Stages what was read of the next *lines* lines."""
        self.lines += lines
        self.broken = self.broken or chunk.fatal
        self.bad_count += len(chunk.bad)
        for bad in chunk.bad:
            self.violations.add(bad.line, bad.faults)
            if self.bad_count <= self._rejected_max:
                errors = [(f.code, f.message) for f in bad.faults[:FAULT_COUNT_MAX]]
                self.bad.append(Rejected(bad.line, errors, self.aside.keep(bad.text)))
        for part in chunk.parts:
            self._stage(part)

    def finish(self) -> None:
        """Ends the staging."""
        for staged in self.staged.values():
            staged.finish()

    @property
    def rows(self) -> int:
        """How many rows are staged."""
        return sum(staged.rows for staged in self.staged.values())

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
