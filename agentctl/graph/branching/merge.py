"""The three-way merge of two commits over their snapshots: what to write, or why it cannot be.

Everything is decided here, in a worker thread, before anything is written: first by entity and
property (`threeway`), then, where that left no conflict, what the merged graph breaks of its schema
(`writes.checking`). Where both branches have one schema, or only ours moved on, their changes are
laid over our rows; where only theirs moved on, ours are laid over theirs, which are migrated
already. Either way no more is read and written than what changed. Source: graph-engine 5, ADR 26.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from agentctl.graph.branching.broken import broken
from agentctl.graph.branching.conflicts import CONFLICT_COUNT_MAX, Conflict, Found
from agentctl.graph.branching.crossing import undecided
from agentctl.graph.branching.diff import changed
from agentctl.graph.branching.differences import TypeDiff, no_difference
from agentctl.graph.branching.migrated import in_columns_of, lost_rows, lost_values, migrated
from agentctl.graph.branching.threeway import MergedType, merge_type
from agentctl.graph.branching.twins import paired_types
from agentctl.graph.commit import TypeState
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.graph.violations import Violations
from agentctl.graph.writes.applying import apply_changes
from agentctl.graph.writes.changes import Changes, RowsInMemory, TypeChange
from agentctl.graph.writes.checking import check
from agentctl.languages.schema.ir import IrType


class MergedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge does to the rows of one type of our branch."""

    inserted: int
    updated: int
    deleted: int


class Three(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots that are merged."""

    base: Snapshot
    ours: Snapshot
    theirs: Snapshot

    takes_theirs: bool
    """Whether the merged schema is theirs, and not that of our branch."""
    crossed: tuple[Snapshot, ...] = ()
    """Other bases, where merges crossed."""

    @property
    def target(self) -> Snapshot:
        """The one whose schema the merged graph has, and over whose rows the changes are laid."""
        return self.theirs if self.takes_theirs else self.ours

    @property
    def source(self) -> Snapshot:
        """The one whose changes are laid over it."""
        return self.ours if self.takes_theirs else self.theirs


class MergePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A merge, decided and not written."""

    three: Three
    changes: Changes
    """To `Three.target`."""
    matched: Mapping[str, int]
    """By type id, how many staged rows replace one, as `check` says."""
    found: Found
    """With any conflict nothing is written."""
    rows: Mapping[str, MergedRows]
    """By type id, what becomes of our branch's rows; types that theirs did not change are left out."""


def planned(three: Three) -> MergePlan:
    """Returns what the merge of three snapshots writes, or the conflicts that bar it."""
    target = three.target
    mine = dict(_in_ids_of(target, three.base, three.ours))
    other = dict(_in_ids_of(target, three.base, three.theirs))
    merged: dict[str, MergedType] = {}
    sides: dict[str, tuple[TypeDiff, TypeDiff]] = {}
    found: list[Found] = []
    rows: dict[str, MergedRows] = {}
    for ir_type in target.ir.types:
        ours, theirs = mine.pop(ir_type.id, None), other.pop(ir_type.id, None)
        found += [lost_values(ir_type, ours, "theirs"), lost_values(ir_type, theirs, "ours")]
        ours, theirs = _migrated(ir_type, ours), _migrated(ir_type, theirs)
        sides[ir_type.id] = ours, theirs
        result = merge_type(ours, theirs)
        found.append(result.found)
        if not theirs.is_empty:
            rows[ir_type.id] = _rows(result)
        # The other way round the same entities clash, so that what is laid over is the mirror image.
        merged[ir_type.id] = result if target is three.ours else merge_type(theirs, ours)
    found += [lost_rows(diff, "theirs") for diff in mine.values()]
    found += [lost_rows(diff, "ours") for diff in other.values()]
    changes = _changes(target, merged)
    conflicts, matched = _together(found), {}
    if not conflicts.count:
        conflicts = _together(list(_undecided(three, sides)))
    if not conflicts.count:
        violations = Violations(of_load=False)
        matched = dict(check(target, changes, violations))
        conflicts = broken(three.base, three.ours, three.theirs, target.ir, changes, violations)
    return MergePlan(three=three, changes=changes, matched=matched, found=conflicts, rows=rows)


def _undecided(three: Three, sides: Mapping[str, tuple[TypeDiff, TypeDiff]]) -> Iterator[Found]:
    """Gives what the choice among several bases would decide."""
    for other in three.crossed:
        for type_id, diff in _in_ids_of(three.target, three.base, other):
            if type_id in sides:
                ours, theirs = sides[type_id]
                yield undecided(_migrated(ours.type, diff), ours, theirs)


def written(tables: Tables, plan: MergePlan, tag: str) -> dict[str, TypeState]:
    """Writes a merge without conflicts; returns the types that its commit names, each pinned.

    A type that the target's branch left as it was where the branches parted has the rows of the
    other branch, by the same datasets: nothing of it is written.
    """
    assert not plan.found.count
    three, target = plan.three, plan.three.target
    adopted = {i for i in plan.changes.types if _is_adopted(three, i)}
    rest = {i: change for i, change in plan.changes.types.items() if i not in adopted}
    pin_new(tables, three.ours, target, rest, tag)
    for ir_type in target.ir.types:
        if ir_type.id in adopted:
            tables.pin(ir_type, three.source.commit.types[ir_type.id], tag)
    types = apply_changes(tables, target, Changes(types=rest), tag, matched=plan.matched)
    return types | {i: three.source.commit.types[i] for i in adopted}


def pin_new(
    tables: Tables, ours: Snapshot, target: Snapshot, written_later: Collection[str], tag: str
) -> None:
    """Pins, by the tag of the commit to be, what *target* names and our branch did not name before."""
    for ir_type in target.ir.types:
        state = target.commit.types[ir_type.id]
        if ir_type.id not in written_later and ours.commit.types.get(ir_type.id) != state:
            tables.pin(ir_type, state, tag)


def _is_adopted(three: Three, type_id: str) -> bool:
    base, target, source = three.base, three.target, three.source
    state = base.commit.types.get(type_id)
    same = _type_of(target, type_id) == _type_of(source, type_id)
    return same and state is not None and state == target.commit.types[type_id]


def _type_of(snapshot: Snapshot, type_id: str) -> IrType | None:
    return next((t for t in snapshot.ir.types if t.id == type_id), None)


def _in_ids_of(target: Snapshot, base: Snapshot, side: Snapshot) -> Iterator[tuple[str, TypeDiff]]:
    """Gives what one side did, by the ids and in the columns of the target where it has the type."""
    pairs = paired_types(target.ir, side.ir)
    for type_id, diff in changed(base, side):
        mine = pairs.get(type_id)
        if mine is None or mine == diff.type:
            yield type_id, diff
        else:
            yield mine.id, in_columns_of(mine, diff)


def _migrated(ir_type: IrType, diff: TypeDiff | None) -> TypeDiff:
    return no_difference(ir_type) if diff is None else migrated(ir_type, diff)


def _rows(result: MergedType) -> MergedRows:
    return MergedRows(
        inserted=result.inserted_count,
        updated=result.rows.num_rows - result.inserted_count,
        deleted=len(result.deleted),
    )


def _changes(target: Snapshot, merged: Mapping[str, MergedType]) -> Changes:
    return Changes(types=dict(_type_changes(target, merged)))


def _type_changes(
    target: Snapshot, merged: Mapping[str, MergedType]
) -> Iterator[tuple[str, TypeChange]]:
    for ir_type in target.ir.types:
        result = merged[ir_type.id]
        if result.rows.num_rows or len(result.deleted):
            yield (
                ir_type.id,
                TypeChange(
                    type=ir_type,
                    rows=RowsInMemory(result.rows) if result.rows.num_rows else None,
                    deleted=result.deleted if len(result.deleted) else None,
                ),
            )


def _together(found: list[Found]) -> Found:
    listed: list[Conflict] = [conflict for one in found for conflict in one.listed]
    return Found(listed=tuple(listed[:CONFLICT_COUNT_MAX]), count=sum(one.count for one in found))
