"""What one branch did, in the schema that another one moved on to, and what of it that cannot hold.

Rows are read in the merged schema as a migration would leave them. What a branch did to a property
or a type that the other one dropped would be lost: that is a conflict, `DeleteVsUpdate`.
Source: graph-engine 2, 5, ADR 26.
"""

from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa

from agentctl.graph.branching.conflicts import Found
from agentctl.graph.branching.differences import TypeDiff, any_of, read_as
from agentctl.graph.branching.threeway import Clash, found_in
from agentctl.graph.columns import physical_schema
from agentctl.languages.schema.ir import IrType

DroppedBy = Literal["ours", "theirs"]


def migrated(ir_type: IrType, diff: TypeDiff) -> TypeDiff:
    """Returns *diff* in the columns of *ir_type*, the same type in the merged schema.

    Rows that differ in dropped properties alone do not differ any more.
    """
    if diff.type == ir_type:
        return diff
    names = {*physical_schema(ir_type).names}
    differs = {name: mask for name, mask in diff.differs.items() if name in names}
    some = any_of(differs.values(), diff.after.num_rows)
    kept = pa.array(some)
    return TypeDiff(
        type=ir_type,
        inserted=read_as(ir_type, diff.inserted),
        deleted=read_as(ir_type, diff.deleted),
        before=read_as(ir_type, diff.before).filter(kept),
        after=read_as(ir_type, diff.after).filter(kept),
        differs={name: mask[some] for name, mask in differs.items()},
    )


def in_columns_of(ir_type: IrType, diff: TypeDiff) -> TypeDiff:
    """Returns *diff* with its columns called as *ir_type* calls them, the same type by other ids."""
    by_id = {p.id: p.column for p in ir_type.properties}
    by_name = {p.name: p.column for p in ir_type.properties}
    properties = tuple(
        msgspec.structs.replace(p, column=by_id.get(p.id) or by_name.get(p.name, p.column))
        for p in diff.type.properties
    )
    names = {
        old.column: new.column for old, new in zip(diff.type.properties, properties, strict=True)
    }

    def renamed(table: pa.Table) -> pa.Table:
        return table.rename_columns([names.get(name, name) for name in table.column_names])

    return TypeDiff(
        type=msgspec.structs.replace(diff.type, properties=properties),
        inserted=renamed(diff.inserted),
        deleted=renamed(diff.deleted),
        before=renamed(diff.before),
        after=renamed(diff.after),
        differs={names.get(name, name): mask for name, mask in diff.differs.items()},
    )


def lost_values(ir_type: IrType, diff: TypeDiff | None, dropped_by: DroppedBy) -> Found:
    """Returns the conflicts of updates to properties that *ir_type* has no more."""
    if diff is None or diff.type == ir_type:
        return Found()
    names = {*physical_schema(ir_type).names}
    dropped = {name: mask for name, mask in diff.differs.items() if name not in names}
    wrong = any_of(dropped.values(), diff.after.num_rows)
    kept = pa.array(wrong)
    return found_in(
        diff,
        [
            _clash(
                diff.before.filter(kept),
                diff.after.filter(kept),
                {name: mask[wrong] for name, mask in dropped.items()},
                dropped_by,
            )
        ],
    )


def lost_rows(diff: TypeDiff, dropped_by: DroppedBy) -> Found:
    """Returns the conflicts of rows that were inserted or updated of a type that is no more."""
    return found_in(
        diff,
        [
            _clash(diff.before, diff.after, dict(diff.differs), dropped_by),
            _clash(None, diff.inserted, {}, dropped_by),
        ],
    )


def _clash(
    base: pa.Table | None, changed: pa.Table, differs: dict[str, np.ndarray], dropped_by: DroppedBy
) -> Clash:
    return Clash(
        kind="DeleteVsUpdate",
        ids=changed["id"],
        base=base,
        ours=None if dropped_by == "ours" else changed,
        theirs=None if dropped_by == "theirs" else changed,
        differs=differs,
    )
