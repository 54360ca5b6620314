"""The three-way merge of one type, as values: two differences from one base in, rows or conflicts out.

By entity and property: what only one branch changed is taken, what both changed to the same is
that, and anything else is a conflict. Knows nothing of other types; what the merged graph as a whole
must satisfy is judged where the rows meet it. Source: graph-engine 5.
"""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.branching.conflicts import (
    CONFLICT_COUNT_MAX,
    Conflict,
    ConflictKind,
    Found,
    element_of,
)
from agentctl.graph.branching.differences import TypeDiff, any_of, differing_columns
from agentctl.graph.branching.sides import sides_of, spelled


class MergedType(msgspec.Struct, frozen=True, kw_only=True):
    """What the merge does to our rows of one type, where there is no conflict."""

    rows: pa.Table
    """Rows to insert or to replace, in the columns of the type: first those to insert."""
    inserted_count: int
    deleted: pa.Array
    """Ids of rows to delete, all of them there on our branch."""
    found: Found
    """Conflicts; entities in one are in neither of the others."""


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Entities, in conflict for one reason, as tables of the same rows in the same order."""

    kind: ConflictKind
    ids: pa.ChunkedArray
    base: pa.Table | None
    ours: pa.Table | None
    theirs: pa.Table | None
    differs: dict[str, np.ndarray]
    """By column, the rows in which it is what they differ in."""


def merge_type(ours: TypeDiff, theirs: TypeDiff) -> MergedType:
    """Returns what *theirs* adds to a branch that did *ours*; both from one base, of one type."""
    assert ours.type == theirs.type
    met = _Met(ours, theirs)
    rows = [
        _without(theirs.inserted, ours.inserted["id"]),
        _without(theirs.after, met.ours_touched),
        met.merged_updates(),
    ]
    deleted = _without(theirs.deleted, met.ours_touched)["id"]
    return MergedType(
        rows=pa.concat_tables(rows).combine_chunks(),
        inserted_count=rows[0].num_rows,
        deleted=pa.concat_arrays(deleted.chunks) if deleted.num_chunks else pa.array([], pa.utf8()),
        found=found_in(ours, list(met.clashes())),
    )


def found_in(diff: TypeDiff, clashes: Iterable[Clash]) -> Found:
    """Returns the conflicts of one type, the first ones by id with their values."""
    listed = [c for clash in clashes for c in _conflicts(diff, clash)]
    listed.sort(key=lambda conflict: conflict.id or "")
    return Found(
        listed=tuple(listed[:CONFLICT_COUNT_MAX]), count=sum(len(clash.ids) for clash in clashes)
    )


class _Met:
    """Two differences, held against each other; the entities that both touched, aligned."""

    def __init__(self, ours: TypeDiff, theirs: TypeDiff) -> None:
        self._ours = ours
        self._theirs = theirs
        self.ours_touched = pa.chunked_array(
            [*ours.after["id"].chunks, *ours.deleted["id"].chunks], type=pa.utf8()
        )
        self._base, self._mine, mine_differs = _shared_updates(ours, theirs)
        _, self._other, other_differs = _shared_updates(theirs, ours)
        size = self._mine.num_rows
        self._mine_differs = _complete(mine_differs, self._mine, size)
        self._other_differs = _complete(other_differs, self._mine, size)
        self._between = differing_columns(self._mine, self._other)
        self._clashing = {
            name: self._mine_differs[name] & self._other_differs[name] & unequal
            for name, unequal in self._between.items()
        }

    def merged_updates(self) -> pa.Table:
        """Returns what both updated and agree in, as far as it is not what ours is already."""
        size = self._mine.num_rows
        merged = self._mine
        taken = np.zeros(size, dtype=bool)
        places = np.arange(size)
        for name, differs in self._other_differs.items():
            mask = differs & self._between[name]
            taken |= mask
            if mask.any():
                both = pa.chunked_array(
                    [*self._mine[name].chunks, *self._other[name].chunks],
                    type=self._mine[name].type,
                )
                column = both.take(pa.array(np.where(mask, places + size, places)))
                at = merged.column_names.index(name)
                merged = merged.set_column(at, merged.schema.field(at), column)
        good = taken & ~any_of(self._clashing.values(), size)
        return merged.filter(pa.array(good))

    def clashes(self) -> Iterator[Clash]:
        """Gives what cannot be merged."""
        yield self._divergent_inserts()
        yield self._divergent_updates()
        yield self._delete_and_update(self._ours, self._theirs, ours_deleted=True)
        yield self._delete_and_update(self._theirs, self._ours, ours_deleted=False)

    def _divergent_inserts(self) -> Clash:
        mine, other = _aligned(self._ours.inserted, self._theirs.inserted)
        differs = differing_columns(mine, other)
        wrong = any_of(differs.values(), mine.num_rows)
        mask = pa.array(wrong)
        return Clash(
            kind="DivergentInsert",
            ids=mine["id"].filter(mask),
            base=None,
            ours=mine.filter(mask),
            theirs=other.filter(mask),
            differs={name: where[wrong] for name, where in differs.items()},
        )

    def _divergent_updates(self) -> Clash:
        wrong = any_of(self._clashing.values(), self._mine.num_rows)
        mask = pa.array(wrong)
        return Clash(
            kind="DivergentUpdate",
            ids=self._mine["id"].filter(mask),
            base=self._base.filter(mask),
            ours=self._mine.filter(mask),
            theirs=self._other.filter(mask),
            differs={name: where[wrong] for name, where in self._clashing.items()},
        )

    def _delete_and_update(
        self, deleting: TypeDiff, updating: TypeDiff, *, ours_deleted: bool
    ) -> Clash:
        wrong = pc.is_in(updating.after["id"], value_set=deleting.deleted["id"])
        where = np.asarray(wrong.to_numpy(), dtype=bool)
        after = updating.after.filter(wrong)
        return Clash(
            kind="DeleteVsUpdate",
            ids=after["id"],
            base=updating.before.filter(wrong),
            ours=None if ours_deleted else after,
            theirs=after if ours_deleted else None,
            differs={name: mask[where] for name, mask in updating.differs.items()},
        )


def _shared_updates(
    one: TypeDiff, other: TypeDiff
) -> tuple[pa.Table, pa.Table, dict[str, np.ndarray]]:
    """Returns before and after of those rows that the other updated as well, and what differs in each."""
    shared = pc.is_in(one.after["id"], value_set=other.after["id"])
    where = np.asarray(shared.to_numpy(), dtype=bool)
    differs = {name: mask[where] for name, mask in one.differs.items()}
    return one.before.filter(shared), one.after.filter(shared), differs


def _complete(differs: dict[str, np.ndarray], table: pa.Table, size: int) -> dict[str, np.ndarray]:
    nowhere = np.zeros(size, dtype=bool)
    return {name: differs.get(name, nowhere) for name in table.column_names if name != "id"}


def _aligned(one: pa.Table, other: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Returns the rows of both tables, sorted by id, whose ids are in both."""
    return (
        one.filter(pc.is_in(one["id"], value_set=other["id"])),
        other.filter(pc.is_in(other["id"], value_set=one["id"])),
    )


def _without(table: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(table["id"], value_set=ids)))


def _conflicts(diff: TypeDiff, clash: Clash) -> Iterator[Conflict]:
    """Gives the first conflicts of a clash."""
    count = min(len(clash.ids), CONFLICT_COUNT_MAX)
    sides = [
        [None] * count if table is None else sides_of(diff.type, table.slice(0, count))
        for table in (clash.base, clash.ours, clash.theirs)
    ]
    for at, row_id in enumerate(clash.ids.slice(0, count).to_pylist()):
        yield Conflict(
            kind=clash.kind,
            element=element_of(diff.type),
            type=diff.type.name,
            id=row_id,
            properties=spelled(diff.type, [n for n, mask in clash.differs.items() if mask[at]]),
            base=sides[0][at],
            ours=sides[1][at],
            theirs=sides[2][at],
        )
