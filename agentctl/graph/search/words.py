"""Words: how a text is cut into what the search functions compare. Source: ADR 25.

A word is a longest run of letters and numbers, each character lower-cased by itself. Lance's inverted
index cuts alike (`agentctl.graph.search_indexes`), so that it may be asked for candidates.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.search.alphabetic import character_class

_WORD: Final = re.compile(f"(?:[^\\W_]|[{character_class()}])+")
_FINAL_SIGMA: Final = "\u03a3"
"""`str.lower` looks at what stands around it."""


def words_of(text: str) -> list[str]:
    """Returns the words of *text*, in order."""
    return [_lowered(word) for word in _WORD.findall(text)]


class WordStream(msgspec.Struct, frozen=True, kw_only=True):
    """The words of many texts, one after the other."""

    words: pa.ChunkedArray
    """Utf8."""
    counts: np.ndarray
    """How many belong to each text, int64; 0 where it is null."""


def word_stream(texts: pa.Array) -> WordStream:
    """Returns the words of an array of utf8 texts.

    Texts of ASCII alone are cut in columns, any other one by itself.
    """
    plain = pc.fill_null(pc.string_is_ascii(texts), fill_value=True)
    if pc.all(plain).as_py() in (True, None):
        words, counts = _plain_words(texts)
        return WordStream(words=pa.chunked_array([words]), counts=counts)
    counts = np.zeros(len(texts), dtype=np.int64)
    is_plain = plain.to_numpy(zero_copy_only=False)
    words, counts[is_plain] = _plain_words(texts.filter(plain))
    other, counts[~is_plain] = _other_words(texts.filter(pc.invert(plain)).to_pylist())
    both = pa.concat_arrays([words, other])
    owners = np.concatenate(
        [
            np.repeat(np.flatnonzero(is_plain), counts[is_plain]),
            np.repeat(np.flatnonzero(~is_plain), counts[~is_plain]),
        ]
    )
    in_order = both.take(pa.array(np.argsort(owners, kind="stable")))
    return WordStream(words=pa.chunked_array([in_order]), counts=counts)


def _lowered(word: str) -> str:
    if _FINAL_SIGMA in word:
        return "".join(character.lower() for character in word)
    return word.lower()


def _plain_words(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    spaced = pc.replace_substring_regex(
        pc.ascii_lower(texts), pattern="[^a-z0-9]+", replacement=" "
    )
    lists = pc.ascii_split_whitespace(pc.ascii_trim(spaced, characters=" "))
    words = lists.flatten()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    kept = pc.not_equal(words, "")
    if pc.all(kept).as_py() in (True, None):
        return words, counts
    owners = np.repeat(np.arange(len(texts)), counts)
    counts = np.bincount(owners[kept.to_numpy(zero_copy_only=False)], minlength=len(texts))
    return words.filter(kept), counts.astype(np.int64)


def _other_words(texts: Iterable[str]) -> tuple[pa.Array, np.ndarray]:
    cut = [words_of(text) for text in texts]
    words = pa.array([word for one in cut for word in one], type=pa.utf8())
    return words, np.array([len(one) for one in cut], dtype=np.int64)
