"""Answers a peek from a dataset, batch by batch, in a worker thread."""

import pyarrow.compute as pc

from agentctl.domain.ledger.peeks import Peek
from agentctl.graph.commit import Commit
from agentctl.graph.judging import Leaving
from agentctl.graph.peeking import Counting, Question, leaving_answer
from agentctl.graph.tables import Tables
from agentctl.graph.writes.judged import broken_rows


def peeked(tables: Tables, commit: Commit, question: Question, *, rows_max: int) -> Peek:
    """Returns the answer, of the version that *commit* names, of at most *rows_max* rows."""
    if question.leaving is not None:
        return _leaving(tables, commit, question, question.leaving, rows_max=rows_max)
    state = commit.types[question.type_id]
    counting = Counting(question)
    if state.rows and rows_max:
        dataset = tables.open(question.type_id, state)
        scanner = dataset.scanner(columns=list(question.columns), limit=rows_max)
        for batch in scanner.to_batches():
            if len(question.columns) == 1:
                for entry in pc.value_counts(batch.column(0)).to_pylist():
                    counting.add((entry["values"],), entry["counts"])
            else:
                columns = [batch.column(n).to_pylist() for n in range(len(question.columns))]
                for row in zip(*columns, strict=True):
                    counting.add(row)
    return counting.answer(state.rows)


def _leaving(
    tables: Tables, commit: Commit, question: Question, asked: Leaving, *, rows_max: int
) -> Peek:
    """Counts the edges of every node, or of none where they are more than may be looked at."""
    nodes = commit.types[asked.source_id].rows
    edges = commit.types.get(asked.type_id)
    if max(nodes, 0 if edges is None else edges.rows) > rows_max:
        return leaving_answer(question, nodes=nodes, looked_at=0, broken=0)
    broken = broken_rows(tables, commit, asked)
    return leaving_answer(question, nodes=nodes, looked_at=nodes, broken=broken)
