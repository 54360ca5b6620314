"""Hashes of 64 bits of texts: of a column at once, and of one text at a time.

Both give the same number for the same text. The hash is for looking up and nothing else: it is
keyed by numbers of the process, and is never stored or shown. Equal hashes are not equal texts:
whoever looks up compares.

Any two texts that were chosen without knowledge of the keys have the same hash with a chance of at
most 2**-33, whatever they are: a text is its length and its halves of words, each is multiplied by
a key of its own modulo 2**64, and for the first that differs, by less than 2**32, at most one key in
2**33 makes up for all others. So among a billion prepared ids a look-up compares, on average, at
most 1.12. Longer texts are hashed by BLAKE2b.

Source: multilinear hashing; Lemire and Kaser, Strongly universal string hashing is fast (2014).
"""

import hashlib
import secrets
import struct
from operator import mul
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

SHORT_BYTES_MAX: Final = 1_024
"""Of a text that is hashed with its column; a longer one is hashed alone, at a gigabyte a second."""

_WORD_BYTES: Final = 8
_HALF_BYTES: Final = 4
_KEY_COUNT: Final = 2 + SHORT_BYTES_MAX // _HALF_BYTES
"""One to begin with, one of the length, and one of each half of a word."""
_BITS: Final = (1 << 64) - 1
_SHIFT: Final = 32
_FACTOR: Final = 0x9E3779B97F4A7C15
"""Odd: it brings high bits into low ones, by which ids are parted, and makes no two hashes one."""
_TAILS: Final[Hashes] = np.array(
    [_BITS if n == _WORD_BYTES else (1 << 8 * n) - 1 for n in range(_WORD_BYTES + 1)], np.uint64
)
"""Masks of a word of which only the first bytes are the text's."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What hashes are keyed by."""

    secret: bytes
    start: int
    length: int
    halves: tuple[int, ...]
    """One for each half of a word of a short text."""


def keys_from(secret: bytes) -> Keys:
    """Returns the keys that follow from up to 64 bytes that nobody else knows."""
    drawn = hashlib.shake_256(secret).digest(_KEY_COUNT * _WORD_BYTES)
    start, length, *halves = struct.unpack(f"<{_KEY_COUNT}Q", drawn)
    return Keys(secret=secret, start=start, length=length, halves=tuple(halves))


KEYS: Final = keys_from(secrets.token_bytes(32))
"""Of this process."""


def hash_text(text: str, *, keys: Keys = KEYS) -> int:
    """Returns the hash of one text; about a microsecond for eight bytes."""
    data = text.encode()
    if len(data) > SHORT_BYTES_MAX:
        return _hash_long(data, keys)
    count = -(-len(data) // _HALF_BYTES)
    halves = struct.unpack(f"<{count}I", data.ljust(count * _HALF_BYTES, b"\0"))
    found: int = keys.start + len(data) * keys.length + sum(map(mul, keys.halves, halves))
    found = ((found ^ (found & _BITS) >> _SHIFT) * _FACTOR) & _BITS
    return found ^ found >> _SHIFT


def hash_texts(texts: pa.Array, *, keys: Keys = KEYS) -> Hashes:
    """Returns the hash of each of *texts*, which are utf8 or large utf8 without nulls.

    Its cost is a few passes over the texts' words of eight bytes: those that have ended take no
    part in the passes that longer ones need.
    """
    starts, lengths, words = _layout(texts)
    found: Hashes = np.uint64(keys.start) + lengths.astype(np.uint64) * np.uint64(keys.length)
    shift = np.uint64(_SHIFT)
    low = np.uint64((1 << _SHIFT) - 1)
    long = lengths > SHORT_BYTES_MAX
    rows = np.flatnonzero((lengths > 0) & ~long)
    for at in range(0, SHORT_BYTES_MAX, _WORD_BYTES):
        if not len(rows):
            break
        left = lengths[rows] - at
        taken = words[starts[rows] + at] & _TAILS[np.minimum(left, _WORD_BYTES)]
        first, second = keys.halves[at // _HALF_BYTES], keys.halves[at // _HALF_BYTES + 1]
        found[rows] += (taken & low) * np.uint64(first) + (taken >> shift) * np.uint64(second)
        rows = rows[left > _WORD_BYTES]
    found ^= found >> shift
    found *= np.uint64(_FACTOR)
    found ^= found >> shift
    for row in np.flatnonzero(long).tolist():
        found[row] = _hash_long(texts[row].as_buffer(), keys)
    return found


def _hash_long(data: bytes | pa.Buffer, keys: Keys) -> int:
    digest = hashlib.blake2b(data, digest_size=_WORD_BYTES, key=keys.secret).digest()
    return int.from_bytes(digest, "little")


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
