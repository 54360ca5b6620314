"""Strict NDJSON to columns: one typed decode of each line, many lines at once.

The usual line is decoded into its type's form together with its neighbours, and its values become
columns without being looked at one by one. Whatever does not pass here so (a value of another
spelling, a member that may be given twice, anything wrong) is read again by `LineReader`, one line
at a time: it says what is a row and what is wrong, in the same words for both.

Source: access-and-faces 2.4, graph-engine 4.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET

from agentctl.graph.columns import column_of
from agentctl.graph.lines import LINE_BYTES_MAX, LineReader, Row
from agentctl.graph.loads.columns import (
    NOT_FITTING,
    Convert,
    UnfitError,
    are_ulids,
    converter_for,
    ids_of_keys,
)
from agentctl.graph.loads.minting import Mint, mint_many
from agentctl.graph.loads.parts import BadRow, Chunk, Part, staged_schema
from agentctl.graph.loads.shapes import Form, Forms
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr, default_of

_UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_HEAD: Final = len(b'{"edge"')
_EDGE_HEAD: Final = b'{"edge"'
_NODE_HEAD: Final = b'{"type"'
_HEADS: Final = (_NODE_HEAD, _EDGE_HEAD)
_BREAK: Final = b"}\n{"
_SPACE: Final = b" \t\r\n"
_SPACED_COLONS: Final = (b" :", b"\t:", b"\r:", b"\n:")

Decoder = msgspec.json.Decoder[Any]
Getter = Callable[[object], object]


class _Lines(NamedTuple):
    """Some lines of a chunk, with their numbers."""

    texts: Sequence[bytes]
    numbers: Sequence[int]


class _Decoded(NamedTuple):
    """Lines of one type, decoded."""

    rows: list[Any]
    lines: _Lines


class _Gathered(NamedTuple):
    """Lines of one type, and their values by property."""

    rows: list[Any]
    lines: _Lines
    values: list[list[Any]]
    """`UNSET` where a line leaves a property out."""
    ids: list[Any]
    """`UNSET` where a line gives none."""
    members: int
    """How many members the lines have if none is given twice."""


class NdjsonReader:
    """Reads the lines of one load against one schema, a chunk after the other."""

    def __init__(self, ir: SchemaIr, mint: Mint) -> None:
        self._forms = Forms(ir)
        self._each = LineReader(ir, mint)
        self._types = {t.id: t for t in ir.types}
        self._builders = {c: _Builder(form, mint) for c, form in self._forms.of_line.items()}

    def read(self, texts: Sequence[bytes], first: int) -> Chunk:
        """Returns what *texts* are, the first of which has the number *first*."""
        chunk = Chunk([], [])
        if self._alike(texts, first, chunk):
            return chunk
        nodes, edges = _by_kind(texts, first)
        rest: list[tuple[int, bytes]] = []
        for decoder, lines in ((self._forms.nodes, nodes), (self._forms.edges, edges)):
            if lines.texts:
                for group in self._groups(decoder, lines, rest):
                    self._build(group, chunk, rest)
        if rest:
            rest.sort()
            self._read_each(rest, chunk)
        return chunk

    def _alike(self, texts: Sequence[bytes], first: int, chunk: Chunk) -> bool:
        """Reads lines that are all of the first one's kind and right; returns whether they were."""
        head = texts[0][:_HEAD] if texts else b""
        joined = _joined(texts) if head in _HEADS else None
        if joined is None:
            return False
        decoder = self._forms.edges if head == _EDGE_HEAD else self._forms.nodes
        rows = _decoded(decoder, joined, len(texts)) or []
        every = _Lines(texts, range(first, first + len(texts)))
        groups = _by_class(rows, every)
        if not groups or any(type(g.rows[0]) not in self._builders for g in groups):
            return False
        gathered = [self._builders[type(g.rows[0])].gathered(g) for g in groups]
        if not _once(joined, gathered):
            return False
        try:
            parts = [self._builders[type(g.rows[0])].part(g) for g in gathered]
        except NOT_FITTING:
            return False
        chunk.parts.extend(parts)
        return True

    def _groups(
        self,
        decoder: Decoder,
        lines: _Lines,
        rest: list[tuple[int, bytes]],
    ) -> "list[_Gathered]":
        """Returns the decoded lines by type; the others are added to *rest*."""
        joined = _joined(lines.texts)
        rows = None if joined is None else _decoded(decoder, joined, len(lines.texts))
        if rows is None or joined is None:
            rows, lines = _decoded_each(decoder, lines, rest)
            joined = b"\n".join(lines.texts)
        groups = []
        for group in _by_class(rows, lines):
            if type(group.rows[0]) in self._builders:
                groups.append(group)
            else:
                rest.extend(zip(group.lines.numbers, group.lines.texts, strict=True))
        gathered = [self._builders[type(g.rows[0])].gathered(g) for g in groups]
        if not _once(joined, gathered):
            gathered = [self._without_repeats(group, rest) for group in groups]
        return gathered

    def _without_repeats(self, group: _Decoded, rest: list[tuple[int, bytes]]) -> "_Gathered":
        builder = self._builders[type(group.rows[0])]
        good: list[int] = []
        for place, (row, text) in enumerate(zip(group.rows, group.lines.texts, strict=True)):
            count = builder.gathered(_Decoded([row], _picked(group.lines, [place]))).members
            if count in (text.count(b":"), _colons_of_members(text)):
                good.append(place)
            else:
                rest.append((group.lines.numbers[place], text))
        rows = [group.rows[n] for n in good]
        return builder.gathered(_Decoded(rows, _picked(group.lines, good)))

    def _build(self, group: "_Gathered", chunk: Chunk, rest: list[tuple[int, bytes]]) -> None:
        if not group.rows:
            return
        try:
            chunk.parts.append(self._builders[type(group.rows[0])].part(group))
        except NOT_FITTING:
            rest.extend(zip(group.lines.numbers, group.lines.texts, strict=True))

    def _read_each(self, rest: list[tuple[int, bytes]], chunk: Chunk) -> None:
        rows: dict[str, list[tuple[Row, int]]] = {}
        for number, text in rest:
            read = self._each.read(text)
            if isinstance(read, Row):
                rows.setdefault(read.type_id, []).append((read, number))
            elif read is not None:
                chunk.bad.append(BadRow(number, read, text))
        for type_id, found in rows.items():
            chunk.parts.append(part_of_rows(self._types[type_id], found))


class _Builder:
    """Makes columns of the decoded lines of one type."""

    def __init__(self, form: Form, mint: Mint) -> None:
        self._form = form
        self._type = form.type
        self._mint = mint
        self._schema = staged_schema(form.type)
        self._properties: list[tuple[Convert, object]] = [
            (converter_for(form.type, p), _default(p)) for p in form.type.properties
        ]
        self._fixed = 3 if form.type.kind == "edge" else 1

    def gathered(self, group: _Decoded) -> _Gathered:
        """Returns the lines' values by property."""
        rows = group.rows
        data, members = self._form.data(rows)
        members += len(rows) * self._fixed
        values: list[list[Any]] = []
        for get in (*self._form.values, _ID):
            found = list(map(get, data))
            values.append(found)
            members += len(rows) - found.count(UNSET)
        ids = values.pop()
        return _Gathered(rows, group.lines, values, ids, members)

    def part(self, group: _Gathered) -> Part:
        """Returns the columns of decoded lines; raises one of `NOT_FITTING` where some are none."""
        rows = group.rows
        columns = [
            convert(_filled(values, default))
            for values, (convert, default) in zip(group.values, self._properties, strict=True)
        ]
        ids, given = self._ids(columns, group.ids)
        ends = [pa.array(list(map(end, rows)), type=pa.utf8()) for end in self._form.ends]
        lines = pa.array(np.fromiter(group.lines.numbers, np.int64, len(rows)))
        arrays = [ids, *ends, *columns, lines]
        return Part(self._type.id, pa.RecordBatch.from_arrays(arrays, schema=self._schema), given)

    def _ids(self, columns: list[pa.Array], ids: list[Any]) -> tuple[pa.Array, bool]:
        is_keyed = bool(self._type.key)
        if ids.count(UNSET) == len(ids):
            made = ids_of_keys(self._type, columns) if is_keyed else mint_many(self._mint, len(ids))
            return made, is_keyed
        given: list[str | None] = [None if i is UNSET else i for i in ids]
        if is_keyed:
            wanted = ids_of_keys(self._type, columns)
            pairs = zip(given, wanted.to_pylist(), strict=True)
            if any(mine is not None and mine != its_key for mine, its_key in pairs):
                raise UnfitError
            return wanted, True
        if not are_ulids(pa.array(given, type=pa.utf8())):
            raise UnfitError
        missing = given.count(None)
        minted = iter(mint_many(self._mint, missing).to_pylist())
        made = pa.array([next(minted) if i is None else i for i in given], type=pa.utf8())
        return made, missing < len(given)


_ID: Final[Getter] = attrgetter("id")


def part_of_rows(ir_type: IrType, rows: Sequence[tuple[Row, int]]) -> Part:
    """Returns the columns of rows that were read one by one."""
    columns: list[pa.Array] = [pa.array([row.id for row, _ in rows], type=pa.utf8())]
    if ir_type.kind == "edge":
        columns.append(pa.array([row.src for row, _ in rows], type=pa.utf8()))
        columns.append(pa.array([row.dst for row, _ in rows], type=pa.utf8()))
    columns += [
        column_of(p, [row.values[n] for row, _ in rows]) for n, p in enumerate(ir_type.properties)
    ]
    columns.append(pa.array([line for _, line in rows], type=pa.int64()))
    batch = pa.RecordBatch.from_arrays(columns, schema=staged_schema(ir_type))
    return Part(ir_type.id, batch, any(row.given for row, _ in rows))


def _by_kind(texts: Sequence[bytes], first: int) -> tuple[_Lines, _Lines]:
    """Returns what are lines of nodes and of edges by the look of them; blank ones are neither."""
    heads = {text[:_HEAD] for text in texts}
    every = _Lines(texts, range(first, first + len(texts)))
    none = _Lines((), ())
    if heads == {_NODE_HEAD}:
        return every, none
    if heads == {_EDGE_HEAD}:
        return none, every
    nodes: list[int] = []
    edges: list[int] = []
    for place, text in enumerate(texts):
        head = text[:_HEAD]
        if head == _EDGE_HEAD or (head != _NODE_HEAD and b'"edge"' in text):
            edges.append(place)
        elif head == _NODE_HEAD or text.strip():
            nodes.append(place)
    return _picked(every, nodes), _picked(every, edges)


def _picked(lines: _Lines, places: Iterable[int]) -> _Lines:
    kept = list(places)
    return _Lines([lines.texts[n] for n in kept], [lines.numbers[n] for n in kept])


def _joined(texts: Sequence[bytes]) -> bytes | None:
    """Returns lines as one text in which no value reaches over a line's end; None where it might.

    Between two objects that are not inside another one there is nothing but space. So where every
    line's end has a ``}`` before and a ``{`` behind it, a value that went on beyond it would be no
    JSON: inside a string no line ends, and inside an object or list a comma would be missing.
    """
    joined = (b"" if texts[0].endswith(b"\n") else b"\n").join(texts).rstrip(_SPACE)
    if b"\r" in joined:
        joined = joined.replace(b"\r\n", b"\n")
    breaks = len(texts) - 1
    if joined[:1] != b"{" or joined.count(b"\n") != breaks or joined.count(_BREAK) != breaks:
        return None
    return joined if len(joined) <= LINE_BYTES_MAX else None


def _decoded(decoder: Decoder, joined: bytes, count: int) -> list[Any] | None:
    """Returns one decoded line for each of *count*, or None where some is none."""
    try:
        rows: list[Any] = decoder.decode_lines(joined)
    except _UNDECODED:
        return None
    return rows if len(rows) == count else None


def _decoded_each(
    decoder: Decoder,
    lines: _Lines,
    rest: list[tuple[int, bytes]],
) -> tuple[list[Any], _Lines]:
    decode: Callable[[bytes], Any] = decoder.decode
    rows: list[Any] = []
    good: list[int] = []
    for place, text in enumerate(lines.texts):
        try:
            if len(text) > LINE_BYTES_MAX:
                raise msgspec.DecodeError
            rows.append(decode(text))
            good.append(place)
        except _UNDECODED:
            rest.append((lines.numbers[place], text))
    return rows, lines if len(good) == len(lines.texts) else _picked(lines, good)


def _by_class(rows: list[Any], lines: _Lines) -> list[_Decoded]:
    if len(set(map(type, rows))) <= 1:
        return [_Decoded(rows, lines)] if rows else []
    places: dict[type, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(type(row), []).append(place)
    return [_Decoded([rows[n] for n in at], _picked(lines, at)) for at in places.values()]


def _once(joined: bytes, groups: list[_Gathered]) -> bool:
    """Returns whether surely no member is given twice: each has a colon behind a quote."""
    members = sum(group.members for group in groups)
    return joined.count(b":") == members or _colons_of_members(joined) == members


def _colons_of_members(text: bytes) -> int:
    """Returns how many colons may be a member's: those behind a quote or space."""
    return text.count(b'":') + sum(text.count(colon) for colon in _SPACED_COLONS)


def _default(prop: IrProperty) -> object:
    default = default_of(prop)
    return None if default is None else default.value


def _filled(values: list[Any], default: object) -> list[Any]:
    if UNSET in values:
        return [default if value is UNSET else value for value in values]
    return values
