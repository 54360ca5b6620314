"""Records of a file to columns of one type: what fits becomes a column at once, the rest row by row.

Whatever does not fit as a column is made the document that a line would be and read by `LineReader`,
so that every format refuses the same things in the same words.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from agentctl.graph.columns import arrow_type
from agentctl.graph.lines import Fault, LineReader, Row, may_be_null
from agentctl.graph.loads.columns import (
    NOT_FITTING,
    UnfitError,
    are_ulids,
    column_checks,
    ids_of_keys,
)
from agentctl.graph.loads.minting import Mint, mint_many
from agentctl.graph.loads.ndjson import part_of_rows
from agentctl.graph.loads.parts import BadRow, Chunk, Part, staged_schema
from agentctl.graph.loads.sources import ColumnMapping
from agentctl.graph.values import shown
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr, default_of

_ENDS: Final = ("from", "to")


class Records(NamedTuple):
    """Some records of a file."""

    lines: Sequence[int]
    """Their numbers."""
    column: Callable[[str, IrProperty | None], pa.Array]
    """Returns a member's values as physical ones, None for what is no property; raises one of
    `NOT_FITTING`."""
    document: Callable[[int], dict[str, object]]
    """Returns the members that the n-th record gives, as JSON values."""
    text: Callable[[int], bytes]
    """Returns the n-th record as it stands in the file, or in the form of a line."""


class Layout(NamedTuple):
    """A mapping, held against schema and file."""

    type: IrType
    columns: Mapping[str, str]
    """The column of each member that the file has."""


def layout_of(ir: SchemaIr, mapping: ColumnMapping, columns: Sequence[str]) -> Layout | list[Fault]:
    """Returns how a file with *columns* is read, or why it cannot be."""
    ir_type = _type_of(ir, mapping)
    if isinstance(ir_type, Fault):
        return [ir_type]
    members = [p.name for p in ir_type.properties] + ["id"]
    members += _ENDS if ir_type.kind == "edge" else ()
    found = {m: mapping.columns.get(m, m) for m in members}
    faults = [
        _fault(f"the file has no column {shown(column)}, which `{member}` shall be in")
        for member, column in mapping.columns.items()
        if column not in columns
    ]
    faults += [
        _fault(f"{ir_type.name} has no property {shown(member)}; it has {', '.join(members)}")
        for member in mapping.columns
        if member not in members
    ]
    taken = {*found.values(), *mapping.ignore}
    faults += [
        _fault(f"column {shown(name)} is no property of {ir_type.name}; map it or ignore it")
        for name in dict.fromkeys(columns)
        if name not in taken
    ]
    faults += [
        _fault(f"the file has column {shown(name)} more than once")
        for name in sorted({n for n in columns if columns.count(n) > 1})
    ]
    present = {m: column for m, column in found.items() if column in columns}
    return faults or Layout(ir_type, present)


class RecordReader:
    """Reads the records of one file."""

    def __init__(self, ir: SchemaIr, layout: Layout, mint: Mint) -> None:
        self._each = LineReader(ir, mint)
        self._layout = layout
        self._type = layout.type
        self._mint = mint
        self._schema = staged_schema(layout.type)
        self._checks = {p.name: column_checks(layout.type, p) for p in layout.type.properties}

    def read(self, records: Records) -> Chunk:
        """Returns what the records are."""
        chunk = Chunk([], [])
        try:
            chunk.parts.append(self._part(records))
        except NOT_FITTING:
            self._read_each(records, chunk)
        return chunk

    def _part(self, records: Records) -> Part:
        count = len(records.lines)
        columns = [self._column(records, p) for p in self._type.properties]
        ends = [self._identity(records, end) for end in _ENDS if self._type.kind == "edge"]
        ids, given = self._ids(records, columns)
        lines = pa.array(records.lines, type=pa.int64())
        arrays = [ids, *ends, *columns, lines]
        if any(len(array) != count for array in arrays):
            raise UnfitError
        return Part(self._type.id, pa.RecordBatch.from_arrays(arrays, schema=self._schema), given)

    def _column(self, records: Records, prop: IrProperty) -> pa.Array:
        if prop.name not in self._layout.columns:
            if prop.default is not None or not may_be_null(prop):
                return self._default(prop, len(records.lines))
            return pa.nulls(len(records.lines), arrow_type(prop))
        column = records.column(prop.name, prop)
        if column.null_count and not may_be_null(prop):
            raise UnfitError
        if not all(check(column) for check in self._checks[prop.name]):
            raise UnfitError
        return column

    def _default(self, prop: IrProperty, count: int) -> pa.Array:
        default = default_of(prop)
        if default is None or isinstance(default.value, tuple | str):
            raise UnfitError  # The row by row reading knows how these are stored.
        return pa.repeat(pa.scalar(default.value, type=arrow_type(prop)), count)

    def _identity(self, records: Records, member: str) -> pa.Array:
        if member not in self._layout.columns:
            raise UnfitError
        column = records.column(member, None)
        if column.null_count:
            raise UnfitError
        return column

    def _ids(self, records: Records, columns: Sequence[pa.Array]) -> tuple[pa.Array, bool]:
        given = records.column("id", None) if "id" in self._layout.columns else None
        if self._type.key:
            ids = ids_of_keys(self._type, columns)
            if given is not None and not _agree(given, ids):
                raise UnfitError
            return ids, True
        if given is None or given.null_count == len(given):
            return mint_many(self._mint, len(records.lines)), False
        if given.null_count or not are_ulids(given):
            raise UnfitError
        return given, True

    def _read_each(self, records: Records, chunk: Chunk) -> None:
        rows: list[tuple[Row, int]] = []
        for place, line in enumerate(records.lines):
            read = self._each.read_document(self._document(records.document(place)))
            if isinstance(read, Row):
                rows.append((read, line))
            else:
                chunk.bad.append(BadRow(line, read, records.text(place)))
        if rows:
            chunk.parts.append(part_of_rows(self._type, rows))

    def _document(self, members: dict[str, object]) -> dict[str, object]:
        ends: dict[str, object] = {end: members.pop(end) for end in _ENDS if end in members}
        kind = "edge" if self._type.kind == "edge" else "type"
        return {kind: self._type.name, **ends, "data": members}


def _agree(given: pa.Array, ids: pa.Array) -> bool:
    return all(
        mine is None or mine == wanted
        for mine, wanted in zip(given.to_pylist(), ids.to_pylist(), strict=True)
    )


def _type_of(ir: SchemaIr, mapping: ColumnMapping) -> IrType | Fault:
    if (mapping.type is None) == (mapping.edge is None):
        return _fault("a mapping names either a node type or an edge type")
    kind: Any = "node" if mapping.type is not None else "edge"
    name = mapping.type or mapping.edge or ""
    found = ir.type_named(kind, name)
    if found is None:
        return _fault(f"the schema has no {kind} type {shown(name)}")
    return found


def _fault(message: str) -> Fault:
    return Fault("load_line_invalid", message)
