"""Counts the rows of a dataset that break a judgement, batch by batch, in a worker thread."""

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.commit import Commit
from agentctl.graph.judging import Judgement
from agentctl.graph.tables import Tables


def broken_rows(tables: Tables, commit: Commit, judgement: Judgement) -> int:
    """Returns how many rows, of the version that *commit* names, break *judgement*."""
    state = commit.types[judgement.type_id]
    if not state.rows:
        return 0
    dataset = tables.open(judgement.type_id, state)
    scanner = dataset.scanner(columns=[judgement.column])
    return sum(_broken(batch.column(0), judgement) for batch in scanner.to_batches())


def _broken(column: pa.Array, judgement: Judgement) -> int:
    if judgement.required:
        return int(column.null_count)
    distinct = pc.value_counts(column)
    return sum(
        entry["counts"] for entry in distinct.to_pylist() if judgement.broken_by(entry["values"])
    )
