"""Ids with scores, best first: what every rank gives."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EXACT: Final = 1 << 52
"""Up to here a sum of integers is a float of the same value."""

Scored = tuple[pa.Array, np.ndarray]
"""Ids and their scores."""


def kept_ids(ids: pa.Array, scores: np.ndarray, among: pa.Array | None) -> Scored:
    """Returns those whose id is one of *among*; all of them where it is None."""
    if among is None or not len(ids):
        return ids, scores
    kept = pc.is_in(ids, value_set=among)
    return ids.filter(kept), scores[kept.to_numpy(zero_copy_only=False)]


def best_first(parts: Sequence[Scored], *, count: int | None, more_is_better: bool) -> pa.Table:
    """Returns ``id`` and ``score``, the best first, equal ones by id.

    Args:
        parts: what is ranked, each id once.
        count: how many are wanted; those that tie with the last one come too.
        more_is_better: whether a higher score is a better one.
    """
    ids = pa.concat_arrays([pa.array([], type=pa.utf8()), *(part for part, _ in parts)])
    scores = np.concatenate([np.zeros(0), *(part for _, part in parts)])
    if count is not None and count < len(scores):
        kept = foremost(-scores if more_is_better else scores, count)
        ids, scores = ids.take(pa.array(kept)), scores[kept]
    table = pa.table({"id": ids, "score": pa.array(scores, type=pa.float64())})
    way = "descending" if more_is_better else "ascending"
    return table.take(pc.sort_indices(table, sort_keys=[("score", way), ("id", "ascending")]))


def fused(first: pa.Table, second: pa.Table, k: int, *, count: int | None = None) -> pa.Table:
    """Returns ``id`` and ``score`` of two ranks fused: 1 / (k + place) of each that has the id.

    Args:
        first: best first, as `best_first` gives it, and whole.
        second: likewise.
        k: 1 or more.
        count: how many are wanted; those that tie with the last one come too.
    """
    ids = pa.concat_arrays([t["id"].combine_chunks() for t in (first, second)])
    shares = np.concatenate([shares_of(np.arange(1, len(t) + 1), k) for t in (first, second)])
    different = ids.dictionary_encode()
    scores = np.bincount(
        different.indices.to_numpy(), weights=shares, minlength=len(different.dictionary)
    )
    return best_first([(different.dictionary, scores)], count=count, more_is_better=True)


def shares_of(places: np.ndarray, k: int) -> np.ndarray:
    """Returns ``1 / (k + place)`` of each place, for a *k* of any size."""
    if k <= _EXACT - len(places):
        return np.asarray(1.0 / (k + places))
    return np.array([1 / (k + place) for place in places.tolist()], dtype=np.float64)


def foremost(costs: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of the *count* least costs, and of those that tie with the last of them."""
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    if count >= len(costs):
        return np.arange(len(costs))
    return np.flatnonzero(costs <= np.partition(costs, count - 1)[count - 1])
