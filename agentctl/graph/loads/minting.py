"""Ids of new entities, many at once. Arrow and numpy are loaded by the first batch."""

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from agentctl.ids import ULID_ALPHABET, ulid

if TYPE_CHECKING:
    import pyarrow as pa

_ENTROPY_BYTES: Final = 10
_LENGTH: Final = 26


Mint = Callable[[], str]


def mint_many(mint: Mint, count: int) -> "pa.Array":
    """Returns *count* ids of *mint* as utf8; all at once where it is `mint_ulid`."""
    if mint is mint_ulid:
        return mint_ulids(count)
    import pyarrow as pa

    return pa.array([mint() for _ in range(count)], type=pa.utf8())


def mint_ulid() -> str:
    """Returns a new ULID of this moment."""
    return ulid(time.time_ns() // 1_000_000, secrets.token_bytes(_ENTROPY_BYTES))


def mint_ulids(count: int) -> "pa.Array":
    """Returns new ULIDs of this moment as utf8, ascending, each with 80 random bits of its own."""
    return ulids(time.time_ns() // 1_000_000, secrets.token_bytes(_ENTROPY_BYTES * count))


def ulids(milliseconds: int, entropy: bytes) -> "pa.Array":
    """Returns the ULIDs of one moment, one for each 10 bytes of *entropy*, ascending.

    Each is what `agentctl.ids.ulid` makes of it. Source: the ULID specification.
    """
    import numpy as np
    import pyarrow as pa

    alphabet = np.frombuffer(ULID_ALPHABET.encode(), dtype=np.uint8)
    count = len(entropy) // _ENTROPY_BYTES
    halves = np.zeros((2 * count, 8), dtype=np.uint8)
    halves[:, 3:] = np.frombuffer(entropy, dtype=np.uint8).reshape(-1, 5)
    high, low = halves.view(">u8").reshape(count, 2).astype(np.uint64).T
    order = np.argsort(high)
    if count and (np.diff(high[order]) == 0).any():
        order = np.lexsort((low, high))
    # The 48 bits of time are 10 digits of 5 with two zero bits before them, the others 16: 8 pairs.
    pairs = (
        np.stack([alphabet.repeat(32), np.tile(alphabet, 32)], axis=1).view(np.uint16).reshape(-1)
    )
    texts = np.empty((count, _LENGTH // 2), dtype=np.uint16)
    texts[:, :5] = np.frombuffer(ulid(milliseconds, bytes(_ENTROPY_BYTES))[:10].encode(), np.uint16)
    for column, numbers in ((5, high[order]), (9, low[order])):
        for place in range(4):
            pair = (numbers >> np.uint64(30 - 10 * place)) & np.uint64(1023)
            texts[:, column + place] = pairs[pair.astype(np.intp)]
    offsets = np.arange(0, _LENGTH * (count + 1), _LENGTH, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(texts))
