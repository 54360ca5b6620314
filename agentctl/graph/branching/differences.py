"""What differs between two states of one type, as values: the pure half of diff, feed and merge.

A difference is told in the physical columns of the later type (`columns.physical_schema`), rows by
id; a row of the earlier state is read as if it had been migrated, so that a new property alone
changes no row. Source: graph-engine 4, 5.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import filling, identity_columns, physical_schema
from agentctl.languages.schema.ir import IrType
from agentctl.languages.schema.types import Scalar

_WIDENED: Final = frozenset({(pa.int32(), pa.int64()), (pa.float32(), pa.float64())})


class TypeDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of one type; every table is sorted by id and holds each id once."""

    type: IrType
    """Its columns are those of the tables: of the later schema, where that has the type."""
    inserted: pa.Table
    deleted: pa.Table
    """As they were."""
    before: pa.Table
    """Rows that are there in both states and differ, as they were."""
    after: pa.Table
    """The same rows, in the same order, as they are."""
    differs: Mapping[str, np.ndarray]
    """By column, in which rows of `after` its value is another one; columns without any are left out."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.inserted.num_rows or self.deleted.num_rows or self.after.num_rows)


def no_difference(ir_type: IrType) -> TypeDiff:
    """Returns the difference of equal states."""
    nothing = physical_schema(ir_type).empty_table()
    return TypeDiff(
        type=ir_type, inserted=nothing, deleted=nothing, before=nothing, after=nothing, differs={}
    )


def differences(ir_type: IrType, before: pa.Table, after: pa.Table) -> TypeDiff:
    """Returns what differs between two tables of rows in the columns of `physical_schema`.

    Rows that are equal in both are left out, so both tables may leave them out as well.
    """
    before, after = _by_id(before), _by_id(after)
    place = pc.index_in(after["id"], value_set=before["id"])
    kept_after = after.filter(pc.is_valid(place))
    kept_before = before.take(pc.drop_null(place))
    differs = differing_columns(kept_before, kept_after)
    some = pa.array(any_of(differs.values(), kept_after.num_rows))
    return TypeDiff(
        type=ir_type,
        inserted=after.filter(pc.is_null(place)),
        deleted=before.filter(pc.invert(pc.is_in(before["id"], value_set=after["id"]))),
        before=kept_before.filter(some),
        after=kept_after.filter(some),
        differs={
            name: mask[some.to_numpy(zero_copy_only=False)]
            for name, mask in differs.items()
            if mask.any()
        },
    )


def differing_columns(one: pa.Table, other: pa.Table) -> dict[str, np.ndarray]:
    """Returns, by column, in which rows two tables of the same rows have different values."""
    assert one.column_names == other.column_names
    return {name: differing(one[name], other[name]) for name in one.column_names if name != "id"}


def differing(one: pa.ChunkedArray, other: pa.ChunkedArray) -> np.ndarray:
    """Returns in which places two columns of one type differ; null equals null, and NaN NaN."""
    assert one.type == other.type, (one.type, other.type)
    if not len(one):
        return np.zeros(0, dtype=bool)
    first, second = one.combine_chunks(), other.combine_chunks()
    nulls = _mask(pc.xor(first.is_null(), second.is_null()))
    unlike: np.ndarray = np.logical_or(nulls, _values_differ(first, second))
    return unlike


def any_of(masks: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Returns where any of *masks*, each of *size* places, is true."""
    found = np.zeros(size, dtype=bool)
    for mask in masks:
        found |= mask
    return found


def read_as(ir_type: IrType, table: pa.Table) -> pa.Table:
    """Returns rows, in the columns that their dataset has, in those of *ir_type*.

    A column that is not there has what a migration fills it with, one of a narrower type is
    widened, others are left out.
    """
    names = {*table.column_names}
    columns: list[pa.ChunkedArray | pa.Array] = [table[n] for n in identity_columns(ir_type)]
    schema = physical_schema(ir_type)
    for prop in ir_type.properties:
        wanted = schema.field(prop.column).type
        if prop.column in names and _holds(table[prop.column].type, wanted):
            column = table[prop.column]
            columns.append(column if column.type == wanted else column.cast(wanted))
        else:
            columns.append(pa.repeat(pa.scalar(filling(prop), type=wanted), table.num_rows))
    return pa.Table.from_arrays(columns, schema=schema)


def _holds(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Returns whether a column is of the type that is wanted, or of one that was widened to it.

    Of another branch it may be another property, which was given the same name there.
    """
    return kind == wanted or (kind, wanted) in _WIDENED


def holding(ir_type: IrType, other: IrType) -> IrType:
    """Returns *ir_type* with columns that hold the values of *other* as well, another state of it.

    A later schema widens columns, so only who looks back from it to an earlier one needs this.
    """
    wider = {p.id: p for p in other.properties if Scalar(p.scalar) in (Scalar.I64, Scalar.F64)}
    properties = [
        p if p.id not in wider else msgspec.structs.replace(p, scalar=wider[p.id].scalar)
        for p in ir_type.properties
    ]
    if [p.scalar for p in properties] == [p.scalar for p in ir_type.properties]:
        return ir_type
    return msgspec.structs.replace(ir_type, properties=tuple(properties))


def _by_id(table: pa.Table) -> pa.Table:
    return table.sort_by("id") if table.num_rows > 1 else table


def _values_differ(first: pa.Array, second: pa.Array) -> np.ndarray:
    """Returns where both are valid and differ."""
    kind = first.type
    if pa.types.is_fixed_size_list(kind):
        return _vectors_differ(first, second)
    if pa.types.is_list(kind):
        pairs = zip(_members(first), _members(second), strict=True)
        valid = _mask(pc.and_(first.is_valid(), second.is_valid()))
        unlike: np.ndarray = np.fromiter((a != b for a, b in pairs), dtype=bool, count=len(first))
        unlike &= valid
        return unlike
    unequal = pc.not_equal(first, second)
    if pa.types.is_floating(kind):
        unequal = pc.and_not(unequal, pc.and_(pc.is_nan(first), pc.is_nan(second)))
    return _mask(pc.fill_null(unequal, fill_value=False))


def _vectors_differ(first: pa.FixedSizeListArray, second: pa.FixedSizeListArray) -> np.ndarray:
    valid = pc.and_(first.is_valid(), second.is_valid())
    found = np.zeros(len(first), dtype=bool)
    one, other = (_matrix(array.filter(valid)) for array in (first, second))
    found[_mask(valid)] = ~((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    return found


def _matrix(vectors: pa.FixedSizeListArray) -> np.ndarray:
    flat = pc.fill_null(vectors.flatten(), float("nan"))
    values: np.ndarray = flat.to_numpy(zero_copy_only=False)
    return values.reshape(len(vectors), vectors.type.list_size)


def _members(lists: pa.ListArray) -> list[object]:
    """Returns each list's members, as values of which a NaN equals itself."""
    floats = pa.types.is_floating(lists.type.value_type)
    return [
        [repr(m) for m in members] if floats and members is not None else members
        for members in lists.to_pylist()
    ]


def _mask(array: pa.Array) -> np.ndarray:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)
