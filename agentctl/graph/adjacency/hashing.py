"""Hashes of 64 bits of texts: of a column at once, and of one text at a time.

Both give the same number for the same text. The hash is for looking up and nothing else: it is
keyed by a number of the process, so that nobody can prepare ids that collide, and it is never
stored. Equal hashes are not equal texts: whoever looks up compares.
"""

import secrets
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

SEED: Final = secrets.randbits(64)
"""Of this process; numpy and Python below compute modulo 2**64 alike."""

_WORD_BYTES: Final = 8
_BITS: Final = (1 << 64) - 1
_SHIFT: Final = 32
_FACTOR: Final = 0x9E3779B97F4A7C15
"""Odd, with its bits well mixed: 2**64 divided by the golden ratio (Knuth, TAOCP 6.4)."""
_LAST_FACTOR: Final = 0xD6E8FEB86659FD93
"""Odd as well, and another one: it spreads what the last word brought."""
_TAILS: Final[Hashes] = np.array(
    [_BITS if n == _WORD_BYTES else (1 << 8 * n) - 1 for n in range(_WORD_BYTES + 1)], np.uint64
)
"""Masks of a word of which only the first bytes are the text's."""


def hash_text(text: str, *, seed: int = SEED) -> int:
    """Returns the hash of one text; about a microsecond for eight bytes."""
    data = text.encode()
    found = seed ^ len(data)
    for at in range(0, len(data), _WORD_BYTES):
        word = int.from_bytes(data[at : at + _WORD_BYTES], "little")
        found = (found ^ word) * _FACTOR & _BITS
        found ^= found >> _SHIFT
    found = found * _LAST_FACTOR & _BITS
    return found ^ found >> _SHIFT


def hash_texts(texts: pa.Array, *, seed: int = SEED) -> Hashes:
    """Returns the hash of each of *texts*, which are utf8 or large utf8 without nulls.

    Its cost is a few passes over the texts' words of eight bytes: those that have ended take no
    part in the passes that longer ones need.
    """
    starts, lengths, words = _layout(texts)
    found: Hashes = np.uint64(seed) ^ lengths.astype(np.uint64)
    factor, shift = np.uint64(_FACTOR), np.uint64(_SHIFT)
    rows = np.flatnonzero(lengths)
    at = 0
    while len(rows):
        left = lengths[rows] - at
        taken = words[starts[rows] + at] & _TAILS[np.minimum(left, _WORD_BYTES)]
        mixed = (found[rows] ^ taken) * factor
        found[rows] = mixed ^ mixed >> shift
        at += _WORD_BYTES
        rows = rows[left > _WORD_BYTES]
    found *= np.uint64(_LAST_FACTOR)
    return found ^ found >> shift


def _layout(texts: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Hashes]:
    """Returns where each text starts, its length, and the word at every byte of the data."""
    assert not texts.null_count, "ids are never null"
    wide = pa.types.is_large_string(texts.type)
    _, offsets_buffer, data = texts.buffers()
    if not len(texts):
        empty = np.empty(0, np.int64)
        return empty, empty, np.empty(0, np.uint64)
    offsets = np.frombuffer(offsets_buffer, np.int64 if wide else np.int32)
    offsets = offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    used = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data else b""
    padded = np.zeros(len(used) + _WORD_BYTES, np.uint8)
    padded[: len(used)] = np.frombuffer(used, np.uint8)
    words = np.ndarray((len(used) + 1,), dtype="<u8", buffer=padded, strides=(1,))
    starts = offsets[:-1] - offsets[0]
    return starts, np.diff(offsets), words
