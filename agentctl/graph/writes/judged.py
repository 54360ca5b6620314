"""Counts the rows of a dataset that break what a narrower schema asks, in a worker thread."""

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.commit import Commit
from agentctl.graph.judging import Asked, Judgement, Leaving, Repeats
from agentctl.graph.lookups import READ_ROWS, distinct, without
from agentctl.graph.tables import Tables
from agentctl.graph.writes.check_keys import complete, distinct_count


def broken_rows(tables: Tables, commit: Commit, asked: Asked) -> int:
    """Returns how many rows, of the version that *commit* names, break what is asked.

    Of a `Repeats` those beyond the first of their like, of a `Leaving` the source nodes.
    """
    match asked:
        case Judgement():
            return _breaking(tables, commit, asked)
        case Repeats():
            return _repeating(tables, commit, asked)
        case Leaving():
            return _miscounted(tables, commit, asked)


def _breaking(tables: Tables, commit: Commit, judgement: Judgement) -> int:
    state = commit.types[judgement.type_id]
    if not state.rows:
        return 0
    dataset = tables.open(judgement.type_id, state)
    scanner = dataset.scanner(columns=[judgement.column])
    return sum(_broken(batch.column(0), judgement) for batch in scanner.to_batches())


def _broken(column: pa.Array, judgement: Judgement) -> int:
    if judgement.required:
        return int(column.null_count)
    counted = pc.value_counts(column)
    return sum(
        entry["counts"] for entry in counted.to_pylist() if judgement.broken_by(entry["values"])
    )


def _repeating(tables: Tables, commit: Commit, asked: Repeats) -> int:
    state = commit.types[asked.type_id]
    if not state.rows:
        return 0
    if not asked.columns:
        return state.rows - 1
    dataset = tables.open(asked.type_id, state)
    rows = complete(dataset.scanner(columns=list(asked.columns)).to_table(), asked.columns)
    return int(rows.num_rows) - distinct_count(rows, asked.columns)


def _miscounted(tables: Tables, commit: Commit, asked: Leaving) -> int:
    source = commit.types[asked.source_id]
    if not source.rows:
        return 0
    leaving = _column(tables, commit, asked.type_id, "src")
    counted = pc.value_counts(leaving)
    counts = pc.value_counts(counted.field("counts"))
    found = {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
    if asked.is_broken_by(0):
        nodes = _column(tables, commit, asked.source_id, "id")
        found[0] = len(without(distinct(nodes), counted.field("values")))
    return sum(number for count, number in found.items() if asked.is_broken_by(count))


def _column(tables: Tables, commit: Commit, type_id: str, column: str) -> pa.ChunkedArray:
    """Returns one column of a type; empty where the commit has no such type yet."""
    state = commit.types.get(type_id)
    if state is None or not state.rows:
        return pa.chunked_array([], type=pa.utf8())
    scanner = tables.open(type_id, state).scanner(columns=[column], batch_size=READ_ROWS)
    return scanner.to_table()[column]
