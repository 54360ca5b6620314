"""Rows that were copied into other files as they are, so that a compaction is no change.

On one Lance branch each version is made once, so a row's stable id together with the version that
last changed it names one content for ever, whatever was restored or compacted since. A branch takes
these over from where it was cut and counts on by itself; so between two branches a pair means the
same only up to the version that both have. Reading the pairs costs some nanoseconds a row, their
values a hundred times that. Source: Lance's table format (row ids and versions), ADR 26.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import lance

PAIR_ROWS_MIN: Final = 10_000
"""Fewer rewritten rows are read and compared as they are."""

_OFFSET: Final = np.uint64(0xFFFFFFFF)
_ID_BITS: Final = 40
_VERSION_BITS: Final = 64 - _ID_BITS

Line = Mapping[str, int]
"""By Lance branch, the version up to which a dataset's history runs on it."""


class Rewritten(NamedTuple):
    """Fragments of one version that the other has not."""

    dataset: "lance.LanceDataset"
    line: tuple[str, int]
    """Lance branch and version."""
    fragments: "Sequence[lance.LanceFragment]"

    @property
    def rows(self) -> int:
        """The number of rows in the files, deleted ones among them."""
        return int(sum(fragment.physical_rows for fragment in self.fragments))


def kept_apart(one: Rewritten, other: Rewritten) -> "tuple[_Found, _Found] | None":
    """Returns the rows of each that were not merely copied, by fragment; None where that is unknown."""
    if min(one.rows, other.rows) < PAIR_ROWS_MIN or not (
        _is_versioned(one) and _is_versioned(other)
    ):
        return None
    bound = common_version(one, other)
    if bound == 0:
        return None
    first, second = _pairs(one), _pairs(other)
    if first is None or second is None:
        return None
    return (
        _unmatched(one, first, _up_to(second.keys, bound)),
        _unmatched(other, second, _up_to(first.keys, bound)),
    )


def common_version(one: Rewritten, other: Rewritten) -> int | None:
    """Returns up to which version pairs mean the same in both; None for any, 0 for none."""
    if one.line[0] == other.line[0]:
        return None
    branches = one.dataset.branches.list()
    mine, its = (_line(branches, *version.line) for version in (one, other))
    return max((min(mine[name], its[name]) for name in mine.keys() & its.keys()), default=0)


_Found = Mapping[int, np.ndarray]
"""By fragment id, offsets of rows."""


class _Pairs(NamedTuple):
    addresses: np.ndarray
    keys: np.ndarray
    """Row id and version in one number."""


def _line(branches: Mapping[str, Mapping[str, object]], name: str, version: int) -> Line:
    """Returns a branch with those that it was cut from; those that are gone end it."""
    found = {name: version}
    while name in branches:
        above, start = branches[name]["parent_branch"], branches[name]["parent_version"]
        name = "main" if above is None else str(above)
        assert isinstance(start, int)
        found[name] = start
    return found


def _is_versioned(side: Rewritten) -> bool:
    metadata = [fragment.metadata for fragment in side.fragments]
    return all(m.last_updated_at_version_meta and m.row_id_meta for m in metadata)


def _pairs(side: Rewritten) -> _Pairs | None:
    """Returns the pairs of all rows; None where they are beyond what one number holds."""
    columns = ["_rowaddr", "_rowid", "_row_last_updated_at_version"]
    scanner = side.dataset.scanner(columns=columns, fragments=list(side.fragments))
    addresses, ids, versions = (scanner.to_table()[name].to_numpy() for name in columns)
    if len(ids) and (int(ids.max()) >> _ID_BITS or int(versions.max()) >> _VERSION_BITS):
        return None
    return _Pairs(addresses, (ids << np.uint64(_VERSION_BITS)) | versions)


def _up_to(keys: np.ndarray, version: int | None) -> np.ndarray:
    if version is None:
        return keys
    mask = np.uint64((1 << _VERSION_BITS) - 1)
    kept: np.ndarray = keys[(keys & mask) <= np.uint64(version)]
    return kept


def _unmatched(side: Rewritten, pairs: _Pairs, others: np.ndarray) -> _Found:
    addresses = np.sort(pairs.addresses[~_among(pairs.keys, others)])
    owners = (addresses >> np.uint64(32)).astype(np.int64)
    offsets = (addresses & _OFFSET).astype(np.int64)
    return {f.fragment_id: offsets[owners == f.fragment_id] for f in side.fragments}


def _among(keys: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns which of *keys* are in *others*; both are nearly sorted, as row ids are given."""
    if not len(others):
        return np.zeros(len(keys), dtype=bool)
    others = np.sort(others, kind="stable")
    at = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    found: np.ndarray = others[at] == keys
    return found
