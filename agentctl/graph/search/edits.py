"""Which of many words lie within some edits of one. Source: ADR 25 (`fuzzy`).

An edit inserts, deletes or replaces one character. All words of one length are compared at once, in
the band of the table that the bound leaves.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SHORT: Final = 2
"""A word of so many characters allows no edit where none is asked for."""
MIDDLING: Final = 5
"""And one of so many allows one."""


def edits_of(word: str) -> int:
    """Returns how many edits a word allows where the query does not say."""
    if len(word) <= SHORT:
        return 0
    return 1 if len(word) <= MIDDLING else 2


class WordsByLength:
    """Words, ready to be compared with one of a length that is close."""

    def __init__(self, words: pa.Array) -> None:
        self._words = words
        self._lengths = pc.utf8_length(words).to_numpy()
        self._tables: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def near(self, word: str, edits: int) -> list[int]:
        """Returns the places of the words within *edits* of *word*, ascending."""
        wanted = np.array([ord(character) for character in word], dtype=np.uint32)
        found: list[int] = []
        for length in np.unique(self._lengths):
            if abs(int(length) - len(word)) > edits:
                continue
            places, table = self._of_length(int(length))
            if edits >= max(int(length), len(word)):
                found += places.tolist()  # Replacing every character is enough.
            else:
                found += places[_within(wanted, table, edits)].tolist()
        return sorted(found)

    def _of_length(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the places of the words of a length, and their characters.

        These have a row for each place in a word, and a column for each word.
        """
        made = self._tables.get(length)
        if made is None:
            places = np.flatnonzero(self._lengths == length)
            texts = "".join(self._words.take(pa.array(places)).to_pylist())
            characters = np.frombuffer(texts.encode("utf-32-le"), dtype=np.uint32)
            made = (places, np.ascontiguousarray(characters.reshape(len(places), length).T))
            self._tables[length] = made
        return made


def _within(wanted: np.ndarray, table: np.ndarray, edits: int) -> np.ndarray:
    """Returns for each column of *table* whether it lies within *edits* of *wanted*.

    Wagner and Fischer's table row by row, only where the two places differ by at most *edits*.
    """
    length, count = table.shape
    beyond = edits + 1
    row = np.minimum(np.arange(length + 1), beyond).astype(np.int32)[:, None].repeat(count, axis=1)
    for place, character in enumerate(wanted, start=1):
        before, row = row, np.full((length + 1, count), beyond, dtype=np.int32)
        row[0] = min(place, beyond)
        for other in range(max(1, place - edits), min(length, place + edits) + 1):
            best = before[other - 1] + (table[other - 1] != character)
            np.minimum(best, before[other] + 1, out=best)
            np.minimum(best, row[other - 1] + 1, out=best)
            row[other] = best
    return np.asarray(row[length] <= edits)
