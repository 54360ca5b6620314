"""The order of ids, as numbers: the rank of each position among all ids of a node type.

Rows that few edges led to are ordered by them without reading a single text. Where ids ascend with
their positions, as minted ones and those of sorted loads do, the positions are the ranks already.
"""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.adjacency.id_index import IdIndex, Positions

IDS_OF_A_WALK: Final = 50
"""So many ids are sorted in the time that ranks spare one walk."""


class Ranks(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version of one node type; shared by threads, since nothing changes it."""

    by_position: npt.NDArray[np.int32] | Positions | None
    """None where positions are ranks."""

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        return 0 if self.by_position is None else self.by_position.nbytes

    def at(self, positions: Positions) -> Positions:
        """Returns numbers that order as the ids at *positions* do."""
        if self.by_position is None:
            return positions
        return self.by_position[positions].astype(np.int64)


def ascending(index: IdIndex) -> Ranks | None:
    """Returns the ranks where ids ascend with their positions, or None; quick at any size."""
    ids = index.ids
    if len(ids) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        return Ranks(by_position=None)
    return None


def sorted_ranks(index: IdIndex) -> Ranks:
    """Returns the ranks of any ids: by their bytes, which is by code points."""
    order = np.asarray(pc.sort_indices(pa.chunked_array([index.ids])).cast(pa.int64()))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    narrow = len(order) <= np.iinfo(np.int32).max
    return Ranks(by_position=ranks.astype(np.int32) if narrow else ranks)
