"""CSV and Parquet files become the same rows as lines, and are refused in the same words."""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentctl.graph.loads.sources import ColumnMapping, CsvSource, NdjsonSource, ParquetSource
from agentctl.graph.port import GraphError
from tests.graph.loads.loads_rig import RICH, SMALL, Graph, graph_with

PEOPLE = ColumnMapping(type="Person")
KNOWS = ColumnMapping(edge="Knows")


def person(**data: object) -> bytes:
    return msgspec.json.encode({"type": "Person", "data": data})


def csv_file(folder: Path, text: str, mapping: ColumnMapping = PEOPLE, **more: Any) -> CsvSource:
    path = folder / "rows.csv"
    path.write_bytes(text.encode())
    return CsvSource(path=path, mapping=mapping, **more)


def parquet_file(
    folder: Path, columns: dict[str, Any], mapping: ColumnMapping = PEOPLE, name: str = "rows"
) -> ParquetSource:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(columns), path)
    return ParquetSource(path=path, mapping=mapping)


async def said(graph: Graph, *sources: Any, **options: Any) -> list[tuple[int, str]]:
    """Where and what a refused load tells."""
    before = await graph.digest()

    outcome = await graph.load_from(*sources, **options)

    assert outcome.commit is None
    assert await graph.digest() == before
    return [(d.where.line if d.where else 0, d.message) for d in outcome.diagnostics]


async def test_a_csv_file_is_the_rows_that_lines_would_be(tmp_path: Path) -> None:
    text = (
        "slug,age,big,ratio,on,born,seen,kind,level,small\r\n"
        "ann,5,18446744073709551615,1.5,true,2020-02-29,2020-01-01T00:00:00Z,core,,\r\n"
        '"b""o,b",,,1e3,false,,,,7,0.1\r\n'
        "\r\n"
        '"two\nlines",,,,,,,,,\r\n'
    )
    lines = [
        person(slug="ann", age=5, big=2**64 - 1, ratio=1.5, on=True, born="2020-02-29",
               seen="2020-01-01T00:00:00Z", kind="core"),
        person(slug='b"o,b', ratio=1e3, on=False, level=7, small=0.1),
        person(slug="two\nlines"),
    ]  # fmt: skip
    wanted = await graph_with(tmp_path / "wanted", RICH, lines)
    graph = await graph_with(tmp_path / "csv", RICH)

    outcome = await graph.load_from(csv_file(tmp_path, text))

    assert outcome.rows == {"Person": 3}, outcome.diagnostics
    assert await graph.exported() == await wanted.exported()


async def test_columns_are_mapped_and_what_is_no_member_is_ignored_by_name(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)
    people = csv_file(
        tmp_path,
        "name;years;note\nann;\\N;x\nbob;7;y\n",
        ColumnMapping(type="Person", columns={"slug": "name", "age": "years"}, ignore=("note",)),
        delimiter=";",
        null="\\N",
    )
    knows = parquet_file(
        tmp_path,
        {"a": ["ann"], "b": ["bob"], "since": pa.array([3], pa.int64())},
        ColumnMapping(edge="Knows", columns={"from": "a", "to": "b"}),
    )

    outcome = await graph.load_from(knows, people, NdjsonSource(lines=[person(slug="cyd")]))

    assert outcome.rows == {"Person": 3, "Knows": 1}
    exported = [msgspec.json.decode(line) for line in await graph.exported()]
    assert [e["data"].get("age") for e in exported[:3]] == [None, 7, None]
    assert (exported[3]["from"], exported[3]["to"], exported[3]["data"]["since"]) == (
        "ann",
        "bob",
        3,
    )


async def test_a_parquet_file_of_other_widths_fits(tmp_path: Path) -> None:
    utc = dt.UTC
    before_1970 = dt.datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=utc)
    file = parquet_file(
        tmp_path,
        {
            "slug": pa.array(["a", "b"]).dictionary_encode(),
            "age": pa.array([7, None], pa.int8()),
            "big": pa.array([2**64 - 1, 0], pa.uint64()),
            "long": ["-9223372036854775808", None],
            "ratio": pa.array([1, -2], pa.int32()),
            "small": pa.array([0.1, -0.0], pa.float64()),
            "born": pa.array([dt.date(2020, 2, 29), None]),
            "seen": pa.array([before_1970, None], pa.timestamp("us", "UTC")),
        },
    )
    lines = [
        person(slug="a", age=7, big=2**64 - 1, long=-(2**63), ratio=1, small=0.1,
               born="2020-02-29", seen=-1),
        person(slug="b", big=0, ratio=-2, small=0),
    ]  # fmt: skip
    wanted = await graph_with(tmp_path / "wanted", RICH, lines)
    graph = await graph_with(tmp_path / "parquet", RICH)

    outcome = await graph.load_from(file)

    assert outcome.rows == {"Person": 2}, outcome.diagnostics
    assert await graph.exported() == await wanted.exported()


async def test_lists_vectors_and_blobs_of_parquet(tmp_path: Path) -> None:
    note = ColumnMapping(type="Note")
    file = parquet_file(
        tmp_path,
        {
            "text": ["a", "b", "c"],
            "tags": [["x", None], None, []],
            "ratios": pa.array([[1], None, [2.5, 3]], pa.list_(pa.float32())),
            "vec": pa.array([[0.5, 1], None, [2, 3]], pa.list_(pa.float64())),
            "file": pa.array([b"\x00\x01", None, b""], pa.binary()),
        },
        note,
    )
    graph = await graph_with(tmp_path / "g", RICH)

    outcome = await graph.load_from(file)

    assert outcome.rows == {"Note": 3}, outcome.diagnostics
    found = sorted(
        (msgspec.json.decode(line)["data"] for line in await graph.exported()),
        key=lambda data: str(data["text"]),
    )
    assert [{k: v for k, v in data.items() if k != "id"} for data in found] == [
        {"text": "a", "tags": ["x", None], "ratios": [1], "vec": [0.5, 1], "file": "base64:AAE="},
        {"text": "b"},
        {"text": "c", "tags": [], "ratios": [2.5, 3], "vec": [2, 3], "file": "base64:"},
    ]


async def test_what_a_cell_may_not_be_is_told_by_its_line(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", RICH)
    file = csv_file(tmp_path, 'slug,age,on\n"a\nb",x,\nc,151,yes\nd\ne,1,\n')

    assert await said(graph, file) == [
        (2, "Person.age: expected I32 (an integer, or a string of its decimal digits), got 'x'"),
        (4, "Person.age: 151 is outside the range 0..150"),
        (4, "Person.on: expected Bool (true or false), got 'yes'"),
        (5, "the record has 1 cells, the header 3"),
    ]


async def test_what_a_parquet_value_may_not_be_is_told_by_its_row(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", RICH)
    file = parquet_file(
        tmp_path,
        {"slug": ["a", None, "c"], "age": pa.array([1, 2, 2**40]), "ratio": [0.5, 1, float("nan")]},
    )

    assert await said(graph, file) == [
        (2, "Person.slug: null, but the property is required"),
        (3, f"Person.age: {2**40} is outside I32, which is {-(2**31)} to {2**31 - 1}"),
        (3, "Person.ratio: nan is no finite F64"),
    ]


@pytest.mark.parametrize(
    ("text", "mapping", "message"),
    [
        ("slug,x\na,1\n", PEOPLE, "column 'x' is no property of Person; map it or ignore it"),
        ("slug,slug\na,1\n", PEOPLE, "the file has column 'slug' more than once"),
        ("slug\na\n", ColumnMapping(type="City"), "the schema has no node type 'City'"),
        ("slug\na\n", ColumnMapping(), "a mapping names either a node type or an edge type"),
        (
            "slug\na\n",
            ColumnMapping(type="Person", columns={"age": "years"}),
            "the file has no column 'years', which `age` shall be in",
        ),
        ('slug\n"a\n', PEOPLE, "no CSV from here on: unexpected end of data"),
    ],
)
async def test_a_file_that_is_no_table_of_its_type_is_refused_whole(
    tmp_path: Path, text: str, mapping: ColumnMapping, message: str
) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)

    found = await said(graph, csv_file(tmp_path, text, mapping), rejected_max=10)

    assert [told for _, told in found] == [message]


async def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)

    with pytest.raises(GraphError) as raised:
        await graph.load_from(CsvSource(path=tmp_path / "none.csv", mapping=PEOPLE))

    assert raised.value.diagnostic.code == "load_file_missing"


async def test_a_fault_is_told_with_its_file(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)
    people = csv_file(tmp_path, "slug\na\nb\n")
    knows = parquet_file(tmp_path, {"from": ["a", "a"], "to": ["b", "zoe"]}, KNOWS, "knows")

    outcome = await graph.load_from(people, knows)

    (told,) = outcome.diagnostics
    assert told.where is not None
    assert (told.where.file, told.where.line) == ("knows.parquet", 2)
    assert told.code == "load_endpoint_missing"
