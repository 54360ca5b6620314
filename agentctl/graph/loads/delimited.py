"""CSV files: records of texts, each text read as its property's JSON value would be spelled.

Source: RFC 4180, graph-engine 4.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa

from agentctl.graph.chunks import CHUNK_BYTES
from agentctl.graph.lines import LINE_BYTES_MAX, Fault
from agentctl.graph.loads.columns import converter_for
from agentctl.graph.loads.minting import Mint
from agentctl.graph.loads.parts import BadRow, Chunk
from agentctl.graph.loads.records import Layout, RecordReader, Records, layout_of
from agentctl.graph.loads.sources import CsvSource
from agentctl.languages.schema.ir import IrProperty, SchemaIr
from agentctl.languages.schema.types import FLOATS, Scalar

CHUNK_RECORDS: Final = 4_096
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_WORDS: Final = {"true": True, "false": False}
_LEFT_OUT: Final = object()


def read_csv(
    source: CsvSource, ir: SchemaIr, mint: Mint, first: int
) -> Iterator[tuple[Chunk, int]]:
    """Gives what the file's records are, some at a time, and how many lines were read since.

    *first* is the number of the file's first line in the load.
    """
    csv.field_size_limit(LINE_BYTES_MAX)
    with source.path.open("rb") as file:
        texts = _Texts(file)
        reader = csv.reader(texts, delimiter=source.delimiter, strict=True)
        told = 0
        try:
            header = next(reader, None)
            layout = layout_of(ir, source.mapping, header or [])
            if not isinstance(layout, Layout):
                yield _refused(first, layout), reader.line_num
                return
            records = _Csv(source, layout, RecordReader(ir, layout, mint), header or [])
            for lines, rows in _chunks(reader, texts, first):
                yield records.read(lines, rows), reader.line_num - told
                told = reader.line_num
        except (csv.Error, UnicodeDecodeError) as failure:
            # Where a quote is left open or the bytes are no text nothing behind it can be told apart.
            fault = Fault("load_line_invalid", f"no CSV from here on: {failure}")
            yield _refused(first + reader.line_num, [fault]), reader.line_num - told + 1


def _refused(line: int, faults: list[Fault]) -> Chunk:
    return Chunk([], [BadRow(line, faults, b"")], fatal=True)


class _Texts:
    """The lines of a file as texts, read so that neither a line nor a record can fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces: list[bytes] = []
        self._is_first = True
        self.size = 0
        """Bytes that were given since `begin`."""

    def begin(self) -> None:
        """Says that a record begins."""
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Returns the next line, its end included.

        Raises:
            csv.Error: the record is too long.
            UnicodeDecodeError: it is no UTF-8.
        """
        if not self._pieces:
            # A carriage return alone ends a line too, as in files of old Macs.
            read = self._file.readline(LINE_BYTES_MAX + 1)
            self._pieces = read.splitlines(keepends=True)[::-1]
            if self._is_first and self._pieces:
                self._pieces[-1] = self._pieces[-1].removeprefix(codecs.BOM_UTF8)
            self._is_first = False
        if not self._pieces:
            raise StopIteration
        piece = self._pieces.pop()
        self.size += len(piece)
        if self.size > LINE_BYTES_MAX:
            msg = f"a record is longer than {LINE_BYTES_MAX} bytes"
            raise csv.Error(msg)
        return piece.decode()


def _chunks(
    reader: Any,  # noqa: ANN401  # csv's own
    texts: _Texts,
    first: int,
) -> Iterator[tuple[list[int], list[list[str]]]]:
    lines: list[int] = []
    rows: list[list[str]] = []
    start = first + reader.line_num
    size = 0
    texts.begin()
    for row in reader:
        if row:
            lines.append(start)
            rows.append(row)
        start = first + reader.line_num
        size += texts.size
        texts.begin()
        if len(rows) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
            yield lines, rows
            lines, rows, size = [], [], 0
    yield lines, rows


class _Csv:
    """The records of one file, as texts."""

    def __init__(
        self, source: CsvSource, layout: Layout, reader: RecordReader, header: list[str]
    ) -> None:
        self._source = source
        self._reader = reader
        self._width = len(header)
        self._places = {m: header.index(column) for m, column in layout.columns.items()}
        self._props = {p.name: p for p in layout.type.properties}
        self._cells: dict[str, Callable[[str], object]] = {
            m: _cell(self._props.get(m), source.null) for m in self._places
        }
        self._converters = {name: converter_for(layout.type, p) for name, p in self._props.items()}

    def read(self, lines: list[int], rows: list[list[str]]) -> Chunk:
        """Returns what some records are."""
        bad = [n for n, row in enumerate(rows) if len(row) != self._width]
        if not bad:
            return self._read(lines, rows) if rows else Chunk([], [])
        wrong = set(bad)
        good = [n for n in range(len(rows)) if n not in wrong]
        chunk = Chunk([], [])
        if good:
            chunk = self._read([lines[n] for n in good], [rows[n] for n in good])
        for n in bad:
            said = f"the record has {len(rows[n])} cells, the header {self._width}"
            chunk.bad.append(
                BadRow(lines[n], [Fault("load_line_invalid", said)], self._text(rows[n]))
            )
        chunk.bad.sort(key=lambda row: row.line)
        return chunk

    def _read(self, lines: list[int], rows: list[list[str]]) -> Chunk:
        columns = list(zip(*rows, strict=True))

        def column(member: str, prop: IrProperty | None) -> pa.Array:
            cell = self._cells[member]
            values = [cell(text) for text in columns[self._places[member]]]
            values = _filled(values, prop)
            if prop is None:
                return pa.array(values, type=pa.utf8())
            return self._converters[member](values)

        def document(n: int) -> dict[str, object]:
            given = {m: cell(rows[n][self._places[m]]) for m, cell in self._cells.items()}
            return {m: value for m, value in given.items() if value is not _LEFT_OUT}

        return self._reader.read(Records(lines, column, document, lambda n: self._text(rows[n])))

    def _text(self, row: Sequence[str]) -> bytes:
        quoted = ('"' + cell.replace('"', '""') + '"' for cell in row)
        return self._source.delimiter.join(quoted).encode()


def _filled(values: list[Any], prop: IrProperty | None) -> list[Any]:
    if _LEFT_OUT not in values:
        return values
    if prop is not None and prop.default is not None:
        raise ValueError  # The row by row reading knows defaults.
    return [None if value is _LEFT_OUT else value for value in values]


def _cell(prop: IrProperty | None, null: str) -> Callable[[str], object]:
    """Returns what makes a cell of a member a JSON value."""
    spelled = _spelled(prop)
    keeps_null = prop is not None and not prop.nullable and prop.default is None
    if keeps_null and prop is not None and _is_text(prop):
        return spelled
    return lambda text: _LEFT_OUT if text == null else spelled(text)


def _is_text(prop: IrProperty) -> bool:
    return Scalar(prop.scalar) is Scalar.STRING and not prop.list and prop.enum_values is None


def _spelled(prop: IrProperty | None) -> Callable[[str], object]:
    if prop is None:
        return _as_it_is
    if prop.list or prop.vector_dim is not None:
        return _array
    if Scalar(prop.scalar) in FLOATS:
        return _number
    return _word if Scalar(prop.scalar) is Scalar.BOOL else _as_it_is


def _as_it_is(text: str) -> object:
    return text


def _array(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _number(text: str) -> object:
    return float(text) if _NUMBER.fullmatch(text) else text


def _word(text: str) -> object:
    return _WORDS.get(text, text)
