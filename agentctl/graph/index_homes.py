"""Where the files of an index lie, and which one is named where it is not. Source: graph-engine 1, 2.

A Lance branch has the indexes of the one that it was cut from, and reads their files over there. When
Lance compacts what such an index covers, it writes a new one among the branch's own files and goes on
naming the older place: whatever uses it then finds nothing. So what is compacted has its indexes made
anew before, and an index that *strayed* that way, in a graph of an earlier release, is not used by who
reads and is made anew by who writes.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import lance  # imported by `Tables`, behind its log level
    from lance.indices import IndexSegmentDescription

WITHOUT_INDEXES: Final = {"use_scalar_index": False}
"""How a version is scanned that has an index that strayed."""


def inherited_indexes(dataset: "lance.LanceDataset") -> tuple[str, ...]:
    """Returns the indexes that have files of another Lance branch."""
    return tuple(
        index.name
        for index in dataset.describe_indices()
        if any(segment.base_id is not None for segment in index.segments)
    )


def strayed_indexes(dataset: "lance.LanceDataset") -> tuple[str, ...]:
    """Returns the indexes whose files are not where they are looked for."""
    return tuple(
        index.name
        for index in dataset.describe_indices()
        if any(_strayed(dataset, segment) for segment in index.segments)
    )


def _strayed(dataset: "lance.LanceDataset", segment: "IndexSegmentDescription") -> bool:
    """Returns whether an index of another Lance branch covers rows that were written after the cut.

    Fragments count upwards, so the last one that is there of those up to what it covers decides.
    """
    home = segment.base_id
    if home is None or not segment.fragment_ids:
        return False
    last = max(segment.fragment_ids)
    fragment = dataset.get_fragment(
        max((n for n in dataset.fragment_ids() if n <= last), default=-1)
    )
    if fragment is None:
        return False
    bases = (file.base_id for file in fragment.data_files())
    return all(base is None or base > home for base in bases)
