"""The ids of one node type at one version as numbers: an id's position is its row's in the dataset.

So `lance.LanceDataset.take` reads what a position stands for, and a row of ``n`` bits does for a set
of nodes. An id is found by its hash among sorted hashes and then compared, wherever hashes agree.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.adjacency.hashing import Hashes, hash_text, hash_texts

Positions = npt.NDArray[np.int64]

ABSENT: Final = -1
"""The position of an id that is not there."""
SINGLY_COUNT_MAX: Final = 8
"""So few ids are found faster one by one than as a column."""
_NARROW_BYTES_MAX: Final = (1 << 31) - 1
"""What an array of utf8 can hold; more needs offsets of 64 bits."""


class IdIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Ids by position and positions by id; shared by threads, since nothing changes it."""

    ids: pa.Array
    """Utf8 or large utf8; a row of the dataset each, in its order; no nulls, each id once."""
    hashes: Hashes
    """Sorted."""
    order: npt.NDArray[np.int32] | Positions
    """The position of each of ``hashes``."""
    hash_one: Callable[[str], int] = hash_text
    hash_many: Callable[[pa.Array], Hashes] = hash_texts
    """The same function as ``hash_one``. Another pair is given by tests alone."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        return int(self.ids.nbytes) + self.hashes.nbytes + self.order.nbytes

    def position(self, one: str) -> int:
        """Returns the position of *one*, or `ABSENT`; some microseconds at any size."""
        wanted = np.uint64(self.hash_one(one))
        at = int(self.hashes.searchsorted(wanted))
        while at < len(self.hashes) and self.hashes[at] == wanted:
            position = int(self.order[at])
            if self.ids[position].as_py() == one:
                return position
            at += 1
        return ABSENT

    def positions(self, wanted: pa.Array | pa.ChunkedArray) -> Positions:
        """Returns the position of each of *wanted*, `ABSENT` where it is null or not there."""
        texts = one_array(wanted)
        if len(texts) <= SINGLY_COUNT_MAX:
            each = (ABSENT if t is None else self.position(t) for t in texts.to_pylist())
            return np.fromiter(each, np.int64, count=len(texts))
        if texts.null_count:
            found = np.full(len(texts), ABSENT, np.int64)
            found[np.asarray(texts.is_valid())] = self.positions(texts.drop_null())
            return found
        return self._looked_up(texts)

    def take(self, positions: npt.NDArray[np.integer]) -> pa.Array:
        """Returns the id at each of *positions*, none of which is `ABSENT`."""
        return self.ids.take(pa.array(positions))

    def _looked_up(self, texts: pa.Array) -> Positions:
        """Compares a candidate for each text, then the next for those whose hash it shares."""
        found = np.full(len(texts), ABSENT, np.int64)
        if not len(self.ids):
            return found
        wanted = self.hash_many(texts)
        at = self.hashes.searchsorted(wanted)
        rows = np.arange(len(texts))
        while len(rows):
            inside = at < len(self.hashes)
            inside[inside] = self.hashes[at[inside]] == wanted[rows[inside]]
            rows, at = rows[inside], at[inside]
            candidates = self.order[at]
            same = np.asarray(
                pc.equal(
                    self.ids.take(pa.array(candidates)), _like(texts.take(pa.array(rows)), self.ids)
                )
            )
            found[rows[same]] = candidates[same]
            rows, at = rows[~same], at[~same] + 1
        return found


def id_index(
    ids: pa.Array | pa.ChunkedArray,
    *,
    hash_one: Callable[[str], int] = hash_text,
    hash_many: Callable[[pa.Array], Hashes] = hash_texts,
) -> IdIndex:
    """Returns the index of *ids*, which are distinct and in the order of their rows."""
    texts = one_array(ids)
    hashes = hash_many(texts)
    order = np.argsort(hashes, kind="stable")
    narrow = order.astype(np.int32) if len(order) <= np.iinfo(np.int32).max else order
    return IdIndex(
        ids=texts, hashes=hashes[order], order=narrow, hash_one=hash_one, hash_many=hash_many
    )


def one_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Returns *texts* as one array, of large utf8 where utf8 cannot hold as much."""
    if not isinstance(texts, pa.ChunkedArray):
        return texts
    if texts.num_chunks == 1:
        return texts.chunk(0)
    return joined(texts.chunks, texts.type)


def joined(chunks: Iterable[pa.Array], kind: pa.DataType) -> pa.Array:
    """Returns *chunks* of texts of one *kind*, one behind the other."""
    parts = list(chunks)
    if not parts:
        return pa.array([], kind)
    if sum(part.nbytes for part in parts) > _NARROW_BYTES_MAX:
        parts = [part.cast(pa.large_utf8()) for part in parts]
    return pa.concat_arrays(parts)


def _like(texts: pa.Array, others: pa.Array) -> pa.Array:
    return texts if texts.type == others.type else texts.cast(others.type)
