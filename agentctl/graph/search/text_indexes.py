"""The text index of a property at a snapshot: kept, brought forward, or made.

Brought forward: rows of the index at hand that are unchanged live on, the others are read anew. A row
is unchanged where its stable row id and the version that wrote it last are the same on the same Lance
branch, whatever lies between; so restored and orphaned versions do no harm.
"""

from collections.abc import Callable
from typing import Final, cast

import lance
import numpy as np

from agentctl.graph.search.cache import SearchCache, place_of
from agentctl.graph.search.segment import segment_of
from agentctl.graph.search.text_index import LiveSegment, TextIndex
from agentctl.graph.search.text_rows import all_rows, row_numbers, rows_numbered
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrType

SEGMENT_COUNT_MAX: Final = 8
"""With more of them the whole is made anew."""
CHANGED_PART_MAX: Final = 0.25
"""Where more than this part of the rows is new, too."""


def text_index(
    snapshot: Snapshot,
    ir_type: IrType,
    column: str,
    cache: SearchCache | None,
    note: Callable[[int], None],
) -> TextIndex:
    """Returns the words of a property of all rows of a type.

    *note* is told how many bytes of texts were read, and may stop it.
    """
    dataset = snapshot.dataset(ir_type)
    if cache is None:
        return _made(dataset, column, note)
    place = place_of(snapshot, ir_type, column, "text")

    def make() -> TextIndex:
        before = cast("TextIndex | None", cache.before(place))
        after = None if before is None else _brought_forward(before, dataset, column)
        cache.made(place)
        return _made(dataset, column, note) if after is None else after

    return cache.values.get(place, make)


def warm_text_index(
    snapshot: Snapshot, ir_type: IrType, column: str, cache: SearchCache | None
) -> TextIndex | None:
    """Returns it only where it is kept already."""
    if cache is None:
        return None
    found = cache.values.found(place_of(snapshot, ir_type, column, "text"))
    return cast("TextIndex | None", found)


def _made(dataset: lance.LanceDataset, column: str, note: Callable[[int], None]) -> TextIndex:
    return TextIndex([LiveSegment(segment_of(all_rows(dataset, column, note)))])


def _brought_forward(
    before: TextIndex, dataset: lance.LanceDataset, column: str
) -> TextIndex | None:
    """Returns the index of *dataset* as far as possible out of *before*; None where that is dear."""
    row_ids, versions = row_numbers(dataset)
    order = np.argsort(row_ids, kind="stable")
    row_ids, versions = row_ids[order], versions[order]
    covered = np.zeros(len(row_ids), dtype=bool)
    parts: list[LiveSegment] = []
    for part in before.parts:
        segment = part.segment
        at = np.minimum(np.searchsorted(row_ids, segment.row_ids), max(len(row_ids) - 1, 0))
        if not len(row_ids):
            break
        lives = (row_ids[at] == segment.row_ids) & (versions[at] == segment.row_versions)
        if part.alive is not None:
            lives &= part.alive
        covered[at[lives]] = True
        if lives.any():
            parts.append(LiveSegment(segment, None if lives.all() else lives))
    changed = row_ids[~covered]
    held = sum(len(part.segment.ids) for part in parts)
    dear = len(changed) > CHANGED_PART_MAX * len(row_ids) or held > 2 * len(row_ids)
    if dear or len(parts) >= SEGMENT_COUNT_MAX:
        return None
    if len(changed):
        parts.append(LiveSegment(segment_of(rows_numbered(dataset, column, changed))))
    return TextIndex(parts)
