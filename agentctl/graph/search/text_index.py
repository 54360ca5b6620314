"""The words of one property at one version: which rows have them, and what they are worth.

Segments are made once and shared; what has changed since leaves rows of an older segment dead and
adds a segment. Everything here counts living rows only, so it does not matter how the rows are
spread over segments. Source: ADR 25.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.search.best import Scored, best_first, foremost, kept_ids
from agentctl.graph.search.edits import edits_of
from agentctl.graph.search.segment import Segment
from agentctl.graph.search.text_query import TextQuery

K1: Final = 1.2
B: Final = 0.75
DENSE_PART: Final = 50
"""From one row of so many on that has a word, the scores of all rows are added up side by side."""
_NO_ROWS: Final = np.zeros(0, dtype=np.int32)


class LiveSegment:
    """A segment, and which of its rows are still in the graph."""

    def __init__(self, segment: Segment, alive: np.ndarray | None = None) -> None:
        self.segment = segment
        self.alive = alive
        """One bool for each row; None where all are."""

    @cached_property
    def row_count(self) -> int:
        """How many rows live and have a word."""
        lengths = self.segment.lengths
        return int(np.count_nonzero(lengths if self.alive is None else lengths[self.alive]))

    @cached_property
    def word_count(self) -> int:
        """How many words they have."""
        lengths = self.segment.lengths
        return int((lengths if self.alive is None else lengths[self.alive]).sum())

    def living(self, rows: np.ndarray) -> np.ndarray:
        """Returns those of *rows* that live."""
        return rows if self.alive is None else rows[self.alive[rows]]

    def postings(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the living rows that have a word, ascending, and how often."""
        number = self.segment.number_of(word)
        if number is None:
            return _NO_ROWS, _NO_ROWS
        rows, counts = self.segment.postings(number)
        if self.alive is None:
            return rows, counts
        lives = self.alive[rows]
        return rows[lives], counts[lives]

    def found(self, query: TextQuery) -> np.ndarray:
        """Returns the living rows that a filter finds, ascending."""
        if not query.words:
            return _NO_ROWS
        if query.function == "match_text":
            numbers = [self.segment.number_of(word) for word in query.words]
            known = [n for n in numbers if n is not None]
            whole = len(known) == len(numbers)
            return self.living(self.segment.rows_with_phrase(known)) if whole else _NO_ROWS
        return self.living(self.segment.rows_with_any(self._numbers(query)))

    def _numbers(self, query: TextQuery) -> list[int]:
        """Returns the numbers of the words that a word of the query stands for."""
        if query.function != "fuzzy":
            numbers = [self.segment.number_of(word) for word in query.different]
            return [n for n in numbers if n is not None]
        near: set[int] = set()
        for word in query.different:
            edits = edits_of(word) if query.max_edits is None else query.max_edits
            near.update(self.segment.by_length.near(word, edits))
        return sorted(near)


class TextIndex:
    """The words of the rows of a type, or of those among them that were asked for."""

    def __init__(self, parts: Sequence[LiveSegment], *, is_whole: bool = True) -> None:
        self.parts = tuple(parts)
        self.is_whole = is_whole
        """Whether a row that was asked for and is not here does not exist."""

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        norms = 8 * sum(len(part.segment.ids) for part in self.parts)
        return norms + sum(part.segment.size_bytes for part in self.parts)

    def found(self, query: TextQuery) -> pa.Array:
        """Returns the ids of the rows that a filter finds, in no order."""
        ids = [_ids(part, part.found(query)) for part in self.parts]
        return pa.concat_arrays([pa.array([], type=pa.utf8()), *ids])

    def unknown(self) -> pa.Array:
        """Returns the ids of the rows that have no text."""
        ids = [_ids(p, p.living(np.flatnonzero(p.segment.unknown))) for p in self.parts]
        return pa.concat_arrays([pa.array([], type=pa.utf8()), *ids])

    def scores(
        self, query: TextQuery, *, among: pa.Array | None = None, count: int | None = None
    ) -> pa.Table:
        """Returns ``id`` and ``score`` by BM25 of the rows with a word of the query, best first.

        Args:
            query: the words.
            among: ids; others are left out. The statistics are of all rows all the same.
            count: how many are wanted; those that tie with the last one come too.
        """
        postings = [[part.postings(word) for part in self.parts] for word in query.different]
        weights = [
            _weight(self._row_count, having=sum(len(rows) for rows, _ in of_word))
            for of_word in postings
        ]
        tables: list[Scored] = []
        for place, part in enumerate(self.parts):
            of_part = [of_word[place] for of_word in postings]
            rows, scores = _scored(self._norms[place], of_part, weights)
            if among is None and count is not None:
                places = foremost(-scores, count)
                rows, scores = rows[places], scores[places]
            tables.append(kept_ids(_ids(part, rows), scores, among))
        return best_first(tables, count=count, more_is_better=True)

    @cached_property
    def _row_count(self) -> int:
        """How many rows have a word."""
        return sum(part.row_count for part in self.parts)

    @cached_property
    def _norms(self) -> list[np.ndarray]:
        """For each row of each part what BM25 adds to the number of times below the line."""
        mean = sum(part.word_count for part in self.parts) / max(self._row_count, 1)
        return [K1 * (1 - B + B * part.segment.lengths / (mean or 1.0)) for part in self.parts]


def _ids(part: LiveSegment, rows: np.ndarray) -> pa.Array:
    return part.segment.ids.take(pa.array(rows))


def _weight(row_count: int, *, having: int) -> float:
    return math.log(1 + (row_count - having + 0.5) / (having + 0.5))


def _scored(
    norms: np.ndarray,
    postings: Sequence[tuple[np.ndarray, np.ndarray]],
    weights: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows with a word and their scores, added up word by word."""
    parts = [
        weight * (counts * (K1 + 1) / (counts + norms[rows]))
        for (rows, counts), weight in zip(postings, weights, strict=True)
    ]
    if len(parts) == 1:
        return postings[0][0], parts[0]
    if DENSE_PART * sum(map(len, parts)) > len(norms):
        scores = np.zeros(len(norms))
        for (rows, _), part in zip(postings, parts, strict=True):
            scores[rows] += part
        touched = np.flatnonzero(scores)  # No word is worth nothing.
        return touched, scores[touched]
    touched = np.unique(np.concatenate([_NO_ROWS, *(rows for rows, _ in postings)]))
    scores = np.zeros(len(touched))
    for (rows, _), part in zip(postings, parts, strict=True):
        scores[np.searchsorted(touched, rows)] += part
    return touched, scores


def truths(ids: pa.Array, index: TextIndex, query: TextQuery) -> pa.Array:
    """Returns for each of *ids* whether the filter finds it; null where it has no text."""
    found = pc.is_in(ids, value_set=index.found(query))
    unknown = index.unknown()
    if not len(unknown):
        return found
    return pc.if_else(pc.is_in(ids, value_set=unknown), pa.scalar(None, type=pa.bool_()), found)
