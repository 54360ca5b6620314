"""What differs between two commits of a graph, by type: the one function under diff, feed and merge.

Its cost follows the change and not the graph (`fragments`); types whose dataset is the same are not
opened. Runs in a worker thread. Source: graph-engine 4, 5.
"""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from agentctl.graph.branching.conflicts import element_of
from agentctl.graph.branching.differences import (
    TypeDiff,
    differences,
    holding,
    no_difference,
    read_as,
)
from agentctl.graph.branching.fragments import Version, parts_that_differ, rows_of
from agentctl.graph.branching.sides import sides_of, spelled
from agentctl.graph.branching.told import ChangeKind, DiffReport, EntityChange, TypeSummary
from agentctl.graph.branching.twins import paired_types
from agentctl.graph.columns import physical_schema
from agentctl.graph.layout import commit_id
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.schema.ir import IrType

SAMPLE_COUNT: Final = 20
"""How many changes a summary shows of each type, where nothing else is said."""


def changed(before: Snapshot, after: Snapshot) -> Iterator[tuple[str, TypeDiff]]:
    """Gives, by type id, the types whose rows differ, in the order of the later schema.

    Rows of *before* are read as the schema of *after* would have them: what only a migration did to
    every row is no difference. A type that was added anew under its name is compared by its rows;
    those that *after* has no more come last, with all their rows deleted.
    """
    old = {t.id: t for t in before.ir.types}
    pairs = {mine.id: was for was, mine in paired_types(after.ir, before.ir).items()}
    for ir_type in after.ir.types:
        was = old.pop(pairs[ir_type.id]) if ir_type.id in pairs else None
        diff = type_diff(before, was, after, ir_type)
        if not diff.is_empty:
            yield ir_type.id, diff
    for was in old.values():
        if before.rows(was):
            rows = _whole(before, was, was)
            yield was.id, differences(was, rows, physical_schema(was).empty_table())


def type_diff(before: Snapshot, was: IrType | None, after: Snapshot, ir_type: IrType) -> TypeDiff:
    """Returns what became of one type, which is *was* before, or None where it was not there."""
    if was is None:
        nothing = physical_schema(ir_type).empty_table()
        return differences(ir_type, nothing, _whole(after, ir_type, ir_type))
    read = holding(ir_type, was)
    if was.id != ir_type.id:
        return differences(read, _whole(before, was, read), _whole(after, ir_type, read))
    if before.version(was) == after.version(ir_type):
        return no_difference(ir_type)
    one, other = before.dataset(was), after.dataset(ir_type)
    mine, theirs = parts_that_differ(
        Version(one, before.version(was)), Version(other, after.version(ir_type)), read=read
    )
    return differences(read, rows_of(one, mine, read), rows_of(other, theirs, read))


def compared(before: Snapshot, after: Snapshot, *, sample: int = SAMPLE_COUNT) -> DiffReport:
    """Returns counts of what differs, and of each type the first *sample* changes."""
    return DiffReport(
        before=commit_id(before.commit.n, before.commit.branch),
        after=commit_id(after.commit.n, after.commit.branch),
        schema_changed=before.commit.schema != after.commit.schema,
        types=tuple(summary(diff, sample=sample) for _, diff in changed(before, after)),
    )


def summary(diff: TypeDiff, *, sample: int = SAMPLE_COUNT) -> TypeSummary:
    """Returns a type's differences in counts, with the first *sample* of them by id."""
    names = spelled(diff.type, diff.differs)
    counts = {spelled(diff.type, [n])[0]: int(mask.sum()) for n, mask in diff.differs.items()}
    return TypeSummary(
        element=element_of(diff.type),
        type=diff.type.name,
        inserted=diff.inserted.num_rows,
        updated=diff.after.num_rows,
        deleted=diff.deleted.num_rows,
        properties={name: counts[name] for name in names},
        sample=tuple(entity_changes(diff, limit=sample)),
    )


def entity_changes(diff: TypeDiff, *, above: str = "", limit: int) -> list[EntityChange]:
    """Returns the first *limit* changes of a type by id, of those whose id is after *above*."""
    found = [
        *_told(diff, "inserted", None, diff.inserted, above=above, limit=limit),
        *_told(diff, "updated", diff.before, diff.after, above=above, limit=limit),
        *_told(diff, "deleted", diff.deleted, None, above=above, limit=limit),
    ]
    return sorted(found, key=lambda change: change.id)[:limit]


def _told(
    diff: TypeDiff,
    change: ChangeKind,
    before: pa.Table | None,
    after: pa.Table | None,
    *,
    above: str,
    limit: int,
) -> Iterator[EntityChange]:
    rows = after if after is not None else before
    assert rows is not None
    start = _first_after(rows["id"], above) if above else 0
    ids = rows["id"].slice(start, limit).to_pylist()
    sides = [
        [None] * len(ids) if table is None else sides_of(diff.type, table.slice(start, len(ids)))
        for table in (before, after)
    ]
    for at, row_id in enumerate(ids):
        yield EntityChange(
            element=element_of(diff.type),
            type=diff.type.name,
            id=row_id,
            change=change,
            properties=_differing(diff, start + at) if change == "updated" else (),
            before=sides[0][at],
            after=sides[1][at],
        )


def _differing(diff: TypeDiff, row: int) -> tuple[str, ...]:
    """Returns the properties in which an updated row differs."""
    return spelled(diff.type, [name for name, mask in diff.differs.items() if mask[row]])


def _first_after(ids: pa.ChunkedArray, above: str) -> int:
    """Returns the place of the first of some sorted ids that is after *above*."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if ids[middle].as_py() <= above:
            low = middle + 1
        else:
            high = middle
    return low


def _whole(snapshot: Snapshot, ir_type: IrType, read: IrType) -> pa.Table:
    """Returns all rows of a type, as *read* has them."""
    dataset = snapshot.dataset(ir_type)
    wanted = [name for name in physical_schema(ir_type).names if name in {*dataset.schema.names}]
    return read_as(read, dataset.scanner(columns=wanted).to_table())
