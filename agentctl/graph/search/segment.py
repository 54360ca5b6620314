"""The words of some rows as arrays: words, postings, and the order of words in each row.

Immutable. Rows are numbered from 0 within the segment, words by their place in ascending order.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.search.edits import WordsByLength
from agentctl.graph.search.words import word_stream

ROWS_AT_ONCE: Final = 16_384
"""Texts are cut in pieces of so many rows, which bounds what lies between."""


class TextRows(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a dataset with the text that is searched."""

    ids: pa.Array
    texts: pa.Array
    row_ids: np.ndarray
    """Lance's stable row ids, uint64."""
    row_versions: np.ndarray
    """The dataset version that wrote each row last, uint64: with the row id what makes two rows of
    one Lance branch the same."""


class Segment(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Postings of a word are the rows that have it, ascending, with how often they do."""

    ids: pa.Array
    """Of the rows, utf8."""
    row_ids: np.ndarray
    row_versions: np.ndarray
    """Both as in `TextRows`."""
    unknown: np.ndarray
    """Whether the text is null, bool."""
    words: pa.Array
    """The different words, ascending by their bytes."""
    stream: np.ndarray
    """The numbers of all words in order, int32."""
    offsets: np.ndarray
    """Where each row's words begin in the stream, int64, one more than rows."""
    starts: np.ndarray
    """Where each word's postings begin, int64, one more than words."""
    rows: np.ndarray
    """Of the postings, int32."""
    counts: np.ndarray
    """Of the postings, int32."""

    @property
    def lengths(self) -> np.ndarray:
        """How many words each row has."""
        return np.diff(self.offsets)

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        of_rows = (self.row_ids, self.row_versions, self.unknown, self.offsets)
        of_words = (self.stream, self.starts, self.rows, self.counts)
        own = sum(array.nbytes for array in (*of_rows, *of_words))
        return int(own + self.ids.nbytes + self.words.nbytes)

    @cached_property
    def by_length(self) -> WordsByLength:
        """Its words, for `fuzzy`."""
        return WordsByLength(self.words)

    def number_of(self, word: str) -> int | None:
        """Returns the number of a word, None where no row has it; by bisection."""
        low, high = 0, len(self.words)
        wanted = word.encode("utf-8", "surrogatepass")
        while low < high:
            middle = (low + high) // 2
            if self.words[middle].as_buffer().to_pybytes() < wanted:
                low = middle + 1
            else:
                high = middle
        if low < len(self.words) and self.words[low].as_buffer().to_pybytes() == wanted:
            return low
        return None

    def postings(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows that have a word, ascending, and how often."""
        part = slice(self.starts[number], self.starts[number + 1])
        return self.rows[part], self.counts[part]

    def rows_with_any(self, numbers: Sequence[int]) -> np.ndarray:
        """Returns the rows that have one of some words, ascending."""
        if not numbers:
            return np.zeros(0, dtype=np.int32)
        if len(numbers) == 1:
            return self.postings(numbers[0])[0]
        return np.unique(np.concatenate([self.postings(n)[0] for n in numbers]))

    def rows_with_phrase(self, numbers: Sequence[int]) -> np.ndarray:
        """Returns the rows in which words stand one after the other, ascending."""
        among = common([self.postings(n)[0] for n in numbers])
        starts, ends = self.offsets[among], self.offsets[among + 1]
        places = spans(starts, ends - len(numbers) + 1)
        for distance, number in enumerate(numbers):
            places = places[self.stream[places + distance] == number]
        found = np.searchsorted(self.offsets, places, side="right") - 1
        return np.unique(found)


def segment_of(pieces: Iterable[TextRows]) -> Segment:
    """Returns the segment of rows that come in pieces."""
    ids: list[pa.Array] = [pa.array([], type=pa.utf8())]
    row_ids: list[np.ndarray] = [np.zeros(0, dtype=np.uint64)]
    versions: list[np.ndarray] = [np.zeros(0, dtype=np.uint64)]
    unknown: list[np.ndarray] = [np.zeros(0, dtype=bool)]
    chunks: list[pa.Array] = []
    counts: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    for piece in pieces:
        ids.append(piece.ids)
        row_ids.append(piece.row_ids)
        versions.append(piece.row_versions)
        unknown.append(piece.texts.is_null().to_numpy(zero_copy_only=False))
        for start in range(0, len(piece.texts), ROWS_AT_ONCE):
            cut = word_stream(piece.texts.slice(start, ROWS_AT_ONCE))
            chunks += cut.words.chunks
            counts.append(cut.counts)
    words, stream = _numbered(pa.chunked_array(chunks, type=pa.utf8()))
    lengths = np.concatenate(counts)
    starts, rows, often = _postings(stream, lengths, len(words))
    return Segment(
        ids=pa.concat_arrays(ids),
        row_ids=np.concatenate(row_ids),
        row_versions=np.concatenate(versions),
        unknown=np.concatenate(unknown),
        words=words,
        stream=stream,
        offsets=_offsets(lengths),
        starts=starts,
        rows=rows,
        counts=often,
    )


def common(ascending: Sequence[np.ndarray]) -> np.ndarray:
    """Returns what is in all of some ascending arrays without repeats; at least one array."""
    shortest, *others = sorted(ascending, key=len)
    found = shortest
    for other in others:
        if not len(found) or not len(other):
            return found[:0]
        places = np.searchsorted(other, found)
        places[places == len(other)] = 0
        found = found[other[places] == found]
    return found


def spans(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns all whole numbers from each start up to, not with, its end, in order."""
    sizes = np.maximum(ends - starts, 0)
    whole = int(sizes.sum())
    shifts = np.repeat(starts - _offsets(sizes)[:-1], sizes)
    return np.asarray(shifts + np.arange(whole, dtype=np.int64))


def _offsets(sizes: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def _numbered(words: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    """Returns the different words in ascending order, and the number of each word given."""
    if not len(words):
        return pa.array([], type=pa.utf8()), np.zeros(0, dtype=np.int32)
    encoded = words.dictionary_encode()
    different = encoded.chunk(encoded.num_chunks - 1).dictionary
    order = pc.sort_indices(different).to_numpy()
    number = np.empty(len(order), dtype=np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    given = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    return different.take(pa.array(order)), number[given]


def _postings(
    stream: np.ndarray, lengths: np.ndarray, word_count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where each word's postings begin, the rows, and how often each has the word."""
    row_count = max(len(lengths), 1)
    pairs = stream.astype(np.int64) * row_count
    pairs += np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    pairs.sort()
    first = np.ones(len(pairs), dtype=bool)
    np.not_equal(pairs[1:], pairs[:-1], out=first[1:])
    places = np.flatnonzero(first)
    pairs = pairs[places]
    often = np.diff(np.append(places, len(stream))).astype(np.int32)
    words, rows = np.divmod(pairs, row_count)
    starts = np.searchsorted(words, np.arange(word_count + 1))
    return starts.astype(np.int64), rows.astype(np.int32), often
