"""Reads texts out of a dataset: all of them, those of some ids, or those that Lance's index proposes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import lance
import numpy as np
import pyarrow as pa
from lance.query import FullTextQuery, MatchQuery, PhraseQuery

from agentctl.graph.search.segment import TextRows
from agentctl.graph.search.text_query import TextQuery
from agentctl.graph.search.words import words_of

AT_ONCE: Final = 1_000
"""Ids that one filter names."""
_VERSION: Final = "_row_last_updated_at_version"
_ROW: Final = "_rowid"


def all_rows(
    dataset: lance.LanceDataset, column: str, note: Callable[[int], None]
) -> Iterator[TextRows]:
    """Yields all rows; *note* is told after each batch how many bytes were read, and may stop it."""
    size = 0
    for batch in dataset.scanner(columns=["id", column, _ROW, _VERSION]).to_batches():
        size += batch.nbytes
        note(size)
        yield _rows(batch, column)


def rows_numbered(
    dataset: lance.LanceDataset, column: str, row_ids: np.ndarray
) -> Iterator[TextRows]:
    """Yields the rows of some row ids."""
    for start in range(0, len(row_ids), AT_ONCE):
        named = ", ".join(map(str, row_ids[start : start + AT_ONCE].tolist()))
        scanner = dataset.scanner(
            columns=["id", column, _ROW, _VERSION], filter=f"{_ROW} IN ({named})"
        )
        for batch in scanner.to_batches():
            yield _rows(batch, column)


def rows_of(dataset: lance.LanceDataset, column: str, ids: Sequence[str]) -> Iterator[TextRows]:
    """Yields the rows of some ids."""
    for start in range(0, len(ids), AT_ONCE):
        quoted = ("'" + i.replace("'", "''") + "'" for i in ids[start : start + AT_ONCE])
        scanner = dataset.scanner(columns=["id", column], filter=f"id IN ({', '.join(quoted)})")
        for batch in scanner.to_batches():
            yield _rows(batch, column)


def row_numbers(dataset: lance.LanceDataset) -> tuple[np.ndarray, np.ndarray]:
    """Returns the row ids in force and the version that wrote each last."""
    table = dataset.scanner(columns=[_ROW, _VERSION]).to_table()
    return table[_ROW].to_numpy(), table[_VERSION].to_numpy()


def ids_without(dataset: lance.LanceDataset, column: str) -> pa.Array:
    """Returns the ids of the rows whose text is null."""
    found = dataset.scanner(columns=["id"], filter=f"`{column}` IS NULL").to_table()
    return found["id"].combine_chunks()


def proposed(
    dataset: lance.LanceDataset, column: str, query: TextQuery, *, count_max: int
) -> TextRows | None:
    """Returns rows among which is every row that the query finds; None where that is not to be had.

    By the inverted index, and by a scan of Lance's own of the rows that it does not cover yet. Not
    where more than *count_max* rows come, nor where Lance would cut a word of the query once more: a
    dotted capital I in lower case ends in a mark that is no letter.
    """
    if any(words_of(word) != [word] for word in query.words):
        return None
    looked: FullTextQuery
    if query.function == "match_text":
        looked = PhraseQuery(" ".join(query.words), column)
    else:
        looked = MatchQuery(" ".join(query.different), column)
    table = dataset.scanner(
        columns=["id", column, "_score"], full_text_query=looked, limit=count_max + 1
    ).to_table()
    if table.num_rows > count_max:
        return None
    return TextRows(
        ids=table["id"].combine_chunks(),
        texts=table[column].combine_chunks(),
        row_ids=np.zeros(table.num_rows, dtype=np.uint64),
        row_versions=np.zeros(table.num_rows, dtype=np.uint64),
    )


def _rows(batch: pa.RecordBatch, column: str) -> TextRows:
    numbered = _ROW in batch.schema.names
    none = np.zeros(batch.num_rows, dtype=np.uint64)
    return TextRows(
        ids=batch.column("id"),
        texts=batch.column(column),
        row_ids=batch.column(_ROW).to_numpy() if numbered else none,
        row_versions=batch.column(_VERSION).to_numpy() if numbered else none,
    )
