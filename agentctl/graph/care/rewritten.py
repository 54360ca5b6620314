"""All rows of a graph as one change that writes them again, so that one check judges both."""

from collections.abc import Iterator, Sequence

import lance
import pyarrow as pa

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import Violations
from agentctl.graph.writes.changes import Changes, TypeChange, fitted
from agentctl.graph.writes.checking import check


class StoredRows:
    """Rows that a dataset holds, as `StagedRows`: the columns are read when they are asked for."""

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self._dataset.count_rows())

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Returns some columns of all rows."""
        return self._dataset.scanner(columns=list(columns)).to_table()

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Gives all rows in the columns of *schema*."""
        names = [name for name in schema.names if name in self._dataset.schema.names]
        for batch in self._dataset.scanner(columns=names).to_batches():
            yield fitted(batch, schema)


def everything(snapshot: Snapshot) -> Changes:
    """Returns the change that replaces all rows of a graph by themselves."""
    return Changes(
        types={
            t.id: TypeChange(type=t, rows=StoredRows(snapshot.dataset(t)), replaces_all=True)
            for t in snapshot.ir.types
        }
    )


def broken_rules(snapshot: Snapshot, path: str) -> tuple[Diagnostic, ...]:
    """Returns what of the rows of a graph its schema does not permit, bounded."""
    violations = Violations(of_load=False)
    check(snapshot, everything(snapshot), violations)
    return violations.diagnostics(path)
