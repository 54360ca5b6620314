"""Files whose columns or bytes are not what their properties want: refused, and never taken for another value."""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentctl.graph.lines import LINE_BYTES_MAX
from agentctl.graph.loads.sources import ColumnMapping, CsvSource, ParquetSource
from tests.graph.loads.loads_rig import Graph, graph_with

KINDS = """
node N {
  k: String @key  d: Date?  t: DateTime?  i: I64?  s: String?  f: F64?  g: F32?  x: Blob?
  tags: [String]?  days: [Date]?
}
"""
MAPPING = ColumnMapping(type="N")


def parquet(folder: Path, columns: dict[str, Any]) -> ParquetSource:
    path = folder / "rows.parquet"
    pq.write_table(pa.table({"k": ["a"]} | columns), path)
    return ParquetSource(path=path, mapping=MAPPING)


def csv(folder: Path, data: bytes, name: str = "rows") -> CsvSource:
    path = folder / f"{name}.csv"
    path.write_bytes(data)
    return CsvSource(path=path, mapping=MAPPING)


async def told(graph: Graph, source: CsvSource | ParquetSource) -> list[tuple[int, str]]:
    outcome = await graph.load_from(source)
    assert outcome.commit is None
    assert await graph.exported() == []
    return [(d.where.line if d.where else 0, d.message) for d in outcome.diagnostics]


DAY = pa.array([dt.date(2020, 1, 1)])
SECOND = pa.array([1000], pa.timestamp("ms"))
BYTES = pa.array([b"abc"], pa.binary())
ALIENS: dict[str, tuple[dict[str, Any], str]] = {
    "a date for a time": ({"t": DAY}, "date32[day] 2020-01-01"),
    "a date for an integer": ({"i": DAY}, "date32[day] 2020-01-01"),
    "a date for a text": ({"s": DAY}, "date32[day] 2020-01-01"),
    "a date beyond Python's years": ({"t": pa.array([2**30], pa.date32())}, "date32[day]"),
    "a time for a date": ({"d": SECOND}, "timestamp[ms] 1970-01-01 00:00:01"),
    "a time for an integer": ({"i": SECOND}, "timestamp[ms]"),
    "bytes for a text": ({"s": BYTES}, "binary b'abc'"),
    "bytes for a key": ({"k": BYTES}, "binary b'abc'"),
    "bytes in a dictionary for a text": ({"s": BYTES.dictionary_encode()}, "b'abc'"),
    "dates for a list of texts": ({"tags": pa.array([[dt.date(2020, 1, 1)]])}, "date32[day]"),
    "times for a list of dates": (
        {"days": pa.array([[1000]], pa.list_(pa.timestamp("ms")))},
        "timestamp[ms]",
    ),
}


@pytest.mark.parametrize("case", ALIENS)
async def test_a_parquet_column_of_another_kind_is_refused_and_not_read_as_a_number_or_a_text(
    case: str, tmp_path: Path
) -> None:
    columns, shown = ALIENS[case]
    graph = await graph_with(tmp_path / "g", KINDS)

    ((line, said),) = await told(graph, parquet(tmp_path, columns))

    assert line == 1
    assert shown in said.replace("\\'", "'")


async def test_a_row_of_another_kind_is_set_aside_as_it_is(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)
    rejects = tmp_path / "rejects.ndjson"

    outcome = await graph.load_from(parquet(tmp_path, {"t": DAY}), rejected_max=1, rejects=rejects)

    assert (outcome.commit, outcome.rejected) == (None, 1)
    entry = msgspec.json.decode(rejects.read_bytes())
    assert msgspec.json.decode(entry["input"]) == {"k": "a", "t": "date32[day] 2020-01-01"}


async def test_dates_and_times_of_a_batch_that_is_read_row_by_row_keep_their_values(
    tmp_path: Path,
) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)
    columns = {
        "k": ["a", "b"],
        "d": [dt.date(2020, 1, 1)] * 2,
        "t": pa.array([1_500_999] * 2, pa.timestamp("us")),
        "x": [b"\x00\xff"] * 2,
        "f": [1.0, float("nan")],
    }

    outcome = await graph.load_from(parquet(tmp_path, columns), rejected_max=1)

    assert outcome.rejected == 1
    (row,) = [msgspec.json.decode(line)["data"] for line in await graph.exported()]
    assert row == {
        "id": "a", "k": "a", "d": "2020-01-01", "t": "1970-01-01T00:00:01.500Z",
        "x": "base64:AP8=", "f": 1.0,
    }  # fmt: skip


async def test_what_is_too_small_for_an_f32_is_one_zero_however_it_is_read(tmp_path: Path) -> None:
    one = await graph_with(tmp_path / "one", KINDS)
    other = await graph_with(tmp_path / "other", KINDS)
    line = b'{"type":"N","data":{"k":"a","g":-1e-50}}'

    await one.load([line])
    await other.load([b" " + line, b'{"type": "N", "data": {"k": "z", "i": "7"}}'])

    assert (await one.exported())[0] == (await other.exported())[0]
    assert b'"g":0,' in (await one.exported())[0]


async def test_a_csv_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)

    outcome = await graph.load_from(csv(tmp_path, b"\xef\xbb\xbfk,s\r\n\xef\xbb\xbfa,x\r\n"))

    assert outcome.rows == {"N": 1}
    (row,) = [msgspec.json.decode(line)["data"] for line in await graph.exported()]
    assert row == {"id": "\ufeffa", "k": "\ufeffa", "s": "x"}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_a_csv_may_end_its_lines_in_any_way_and_have_ends_in_its_cells(
    tmp_path: Path, end: bytes
) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)
    data = b"k,s" + end + b'a,"one' + end + b'two"' + end + b"b" + end + b"c,d" + end

    outcome = await graph.load_from(csv(tmp_path, data), rejected_max=1)

    assert [(d.where.line if d.where else 0, d.message) for d in outcome.diagnostics] == [
        (4, "the record has 1 cells, the header 2")
    ]
    rows = [msgspec.json.decode(line)["data"] for line in await graph.exported()]
    assert [r["s"] for r in rows] == [f"one{end.decode()}two", "d"]


async def test_a_csv_of_which_no_record_has_the_cells_of_its_header_is_told_line_by_line(
    tmp_path: Path,
) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)

    assert await told(graph, csv(tmp_path, b"k,s\na\nb,c,d\n")) == [
        (2, "the record has 1 cells, the header 2"),
        (3, "the record has 3 cells, the header 2"),
    ]


@pytest.mark.parametrize("cell", ["abc", '"""abc"""', '"{""abc"": 1}"'])
async def test_a_cell_that_is_no_list_is_not_taken_for_one_of_its_letters(
    tmp_path: Path, cell: str
) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)

    ((line, said),) = await told(graph, csv(tmp_path, f"k,tags\na,{cell}\n".encode()))

    assert line == 2
    assert said.startswith("N.tags: expected a list, got ")


async def test_a_cell_of_ever_deeper_lists_is_refused(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)

    ((line, said),) = await told(graph, csv(tmp_path, b"k,tags\na," + b"[" * 100_000 + b"\n"))

    assert line == 2
    assert said.startswith("N.tags: expected a list, got '[[[[")


async def test_bytes_of_a_csv_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)

    ((line, said),) = await told(graph, csv(tmp_path, b"k,s\na,b\nc,\xff\n"))

    assert line == 3
    assert said.startswith("no CSV from here on: 'utf-8' codec can't decode byte 0xff")


async def test_a_record_of_a_csv_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", KINDS)
    cell = b'"' + (b"x" * 1023 + b"\n") * (LINE_BYTES_MAX // 2048) + b'",'

    ((line, said),) = await told(graph, csv(tmp_path, b"k,s\n" + cell * 3 + b"\n"))

    assert line > 2
    assert said == f"no CSV from here on: a record is longer than {LINE_BYTES_MAX} bytes"
