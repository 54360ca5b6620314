"""Lines read many at once: the same rows and the same faults as when each is read alone."""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.columns import LINE, column_of
from agentctl.graph.lines import LineReader, Row
from agentctl.graph.loads.minting import mint_ulids, ulids
from agentctl.graph.loads.ndjson import NdjsonReader
from agentctl.graph.loads.parts import Chunk
from agentctl.ids import is_ulid, ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir

SCHEMA = """
node Person {
  slug: String @key  age: I32?  big: U64?  long: I64?  ratio: F64?  small: F32?  on: Bool?
  born: Date?  seen: DateTime?  kind: enum(core, guest)?  level: I32 = 3
  @range(age, 0..150)  @check(slug, "^[a-z:\\\\[{ \\"-]*$")
}
node Pair { b: String  a: I64  at: Date  @key(b, a, at) }
node Ratio { f: F64 @key }
node Note { text: String  tags: [String]?  counts: [I64]  vec: Vector(2)?  file: Blob? }
node Bare { x: Bool? }
node Said { text: String  vec: Vector(2) @embed(text, model="m") }
edge Knows: Person -> Person { since: Date? }
edge Likes: Person -> Note
"""
NODE_ID = "01JD6Z0000000000000000000A"


def minter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: ulid(7, next(numbers).to_bytes(10))


def ir_of(text: str) -> SchemaIr:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return evolve_ir(None, compiled.catalog, minter())


IR = ir_of(SCHEMA)
TYPES = {t.id: t for t in IR.types}


def shown(chunk: Chunk) -> tuple[dict[int, Any], dict[int, Any]]:
    """Rows and faults by line; ids that were minted are not compared."""
    rows: dict[int, Any] = {}
    for part in chunk.parts:
        part.rows.validate()
        for row in plain(part.rows):
            made = is_ulid(row["id"]) and row["id"] != NODE_ID
            rows[row[LINE]] = (
                TYPES[part.type_id].name,
                repr({**row, "id": "" if made else row["id"]}),
            )
    return rows, {bad.line: bad.faults for bad in chunk.bad}


def plain(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Arrow shows of a date64 only its day."""
    columns = {
        name: column.view(pa.int64()) if column.type == pa.date64() else column
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    }
    found: list[dict[str, Any]] = pa.table(columns).to_pylist()
    return found


def one_by_one(lines: Sequence[bytes]) -> tuple[dict[int, Any], dict[int, Any]]:
    reader = LineReader(IR, minter())
    rows: dict[int, Any] = {}
    faults: dict[int, Any] = {}
    for number, line in enumerate(lines, 1):
        read = reader.read(line)
        if isinstance(read, Row):
            ir_type = TYPES[read.type_id]
            row: dict[str, Any] = {"id": "" if is_ulid(read.id) and read.id != NODE_ID else read.id}
            if ir_type.kind == "edge":
                row |= {"src": read.src, "dst": read.dst}
            for prop, value in zip(ir_type.properties, read.values, strict=True):
                column = pa.record_batch({"value": column_of(prop, [value])})
                row[prop.column] = plain(column)[0]["value"]
            rows[number] = (ir_type.name, repr({**row, LINE: number}))
        elif read is not None:
            faults[number] = read
    return rows, faults


def assert_read_alike(lines: Sequence[bytes]) -> tuple[dict[int, Any], dict[int, Any]]:
    found = shown(NdjsonReader(IR, minter()).read(lines, 1))

    assert found == one_by_one(lines)
    return found


def person(**data: object) -> bytes:
    return json.dumps({"type": "Person", "data": {"slug": "a", **data}}).encode()


def note(**data: object) -> bytes:
    return json.dumps({"type": "Note", "data": {"text": "t", "counts": [], **data}}).encode()


GOOD = [
    person(age=5, big="18446744073709551615", long="-9223372036854775808", ratio=2, small=0.1),
    person(on=True, born="2020-02-29", seen="2020-09-13T12:26:40.123Z", kind="core", level=4),
    person(born=18321, seen=1600000000123, age=None, level="7"),
    person(seen="2020-09-13T14:26:40.1239+02:00", ratio=-0.0, small=-0.0),
    person(id="a"),
    person(born="0001-01-01", seen="0001-01-01T00:00:00Z"),
    person(slug='a:{ "b":[ :'),
    b'  {"data" : {"slug" : "a"} , "type" : "Person" } ',
    b'{"type":"Pair","data":{"a":-7,"b":"x\\"\\u00e9","at":"2000-01-01"}}',
    b'{"type":"Ratio","data":{"f":1e21}}',
    b'{"type":"Ratio","data":{"f":-0.0}}',
    note(tags=["a", "b"], counts=[1, "2"], vec=[1, 0.1], file="base64:AAE="),
    note(id=NODE_ID, file="https://x/y", tags=[]),
    note(tags=[None, "b"], counts=[None]),
    note(tags=None),
    b'{"type":"Said","data":{"text":"t"}}',
    b'{"type":"Said","data":{"text":"t","vec":null}}',
    b'{"type":"Said","data":{"text":"t","vec":[0.5,1]}}',
    b'{"type":"Bare"}',
    b'{"type":"Bare","data":{}}',
    b'{"type":"Bare","data":{"x":null}}',
    b'{"edge":"Knows","from":"a","to":"b"}',
    b'{"edge":"Knows","from":"a","to":"b","data":{"since":"2020-01-01"}}',
    b'{"to":"b","from":"a","edge":"Likes","data":{"id":"' + NODE_ID.encode() + b'"}}',
]
BAD_VALUES: dict[str, list[Any]] = {
    "age": [1.0, True, 2**31, "1e3", -1, 151, 10**30],
    "big": [-1, "18446744073709551616", 2**64],
    "long": [2**63, "-9223372036854775809"],
    "ratio": ["1", False, 10**400],
    "small": [1e39],
    "on": [1],
    "born": ["2021-02-29", "20210228", 2932897, "0000-01-01", "2020-01-01 "],
    "seen": ["yesterday", "2020-01-01", 1.5, "2020-09-13T24:00:00Z"],
    "slug": [1, None, "A"],
    "kind": ["cores", 1],
    "level": [None],
    "id": ["b", 1],
}
BAD = [
    b"nope",
    b"[1]",
    b"{}",
    b'{"data":{"x":true}}',
    b'{"type":"Person","data":[]}',
    b'{"type":"Person","data":null}',
    b'{"type":"Person"}',
    b'{"type":"Persom","data":{}}',
    b'{"type":"\\u0000"}',
    b'{"edge":"Person","from":"a","to":"b"}',
    b'{"edge":"Knows","from":"a"}',
    b'{"edge":"Knows","from":1,"to":"b"}',
    b'{"edge":"Knows","from":"a","to":"b","data":{"src":"a"}}',
    b'{"type":"Bare","type":"Bare"}',
    b'{"type":"Bare","data":{"x":true,"x":false}}',
    b'{"type":"Bare","data":{"x":true,"\\u0078":false}}',
    b'{"type":"Bare","data":{}} {"type":"Bare","data":{}}',
    b'{"type":"Bare","data":{}}\n{"type":"Bare","data":{}}',
    b'{"type":"Bare","data":{}',
    b'{"type":"Bare","data":{"x":true}',
    b'{"type":"Bare","data":{}}\x0b',
    b'{"type":"Bare","data":{"y":1}}',
    b'{"type":"Bare","more":1}',
    b'{"type":"Note","data":{"text":"x"}}',
    *(person(**{name: value}) for name, values in BAD_VALUES.items() for value in values),
    note(tags=[1]),
    note(tags="a"),
    note(counts=[1.5]),
    note(counts=None),
    note(vec=[1]),
    note(vec=[1, 1e39]),
    note(vec=["1", 2]),
    note(file="base64:?"),
    note(id=NODE_ID.lower()),
    b'{"type":"Person","data":{"slug":"a","ratio":1e999}}',
    b'{"type":"Person","data":{"slug":"a","ratio":NaN}}',
    b'{"type":"Person","data":{"slug":"\\ud800x"}}',
    b'{"type":"Person","data":{"slug":"\xff"}}',
    b'\xef\xbb\xbf{"type":"Bare"}',
    b'{"a":' * 10_000,
]


def test_good_lines_become_rows_together_as_they_do_alone() -> None:
    rows, faults = assert_read_alike(GOOD)

    assert not faults
    assert sorted(rows) == list(range(1, len(GOOD) + 1))
    for line in GOOD:
        assert_read_alike([line])


@pytest.mark.parametrize("line", BAD, ids=repr)
def test_a_bad_line_among_good_ones_is_the_only_one_told_of(line: bytes) -> None:
    _, faults = assert_read_alike([*GOOD[:4], line, *GOOD[4:]])

    assert list(faults) == [5]


def test_all_bad_lines_are_told_of_together() -> None:
    _, faults = assert_read_alike(
        [line for pair in zip(BAD, itertools.cycle(GOOD), strict=False) for line in pair]
    )

    assert list(faults) == list(range(1, 2 * len(BAD), 2))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_lines_may_end_with_their_line_end_and_blank_ones_are_nothing(end: bytes) -> None:
    lines = [line + end for line in (*GOOD, b"", b" ", *GOOD)]

    rows, faults = assert_read_alike(lines)

    assert len(rows) == 2 * len(GOOD)
    assert not faults


def test_what_one_line_leaves_open_no_other_line_closes() -> None:
    """Joined by line ends these would be as many values as lines, of which none is a line."""
    _, faults = assert_read_alike(
        [
            b'{"type":"Bare","data":{}} {"type":"Bare","data":{}}',
            b'{"type":"Bare",',
            b'"data":{}}',
        ]
    )

    assert list(faults) == [1, 2, 3]


def test_a_line_that_is_two_among_one_that_is_half_is_found() -> None:
    _, faults = assert_read_alike(
        [b'{"type":"Bare"}{"type":"Bare"}', b'{"type":"Bare","data":{"x":"}', b'{"}}', *GOOD]
    )

    assert list(faults) == [1, 2, 3]


FRAGMENTS = st.sampled_from(
    [b'{"type":"Bare"', b'"data":{"x":true}', b"{", b"}", b",", b"\n", b'"', b'"x":', b"null", b" "]
)


@given(st.lists(st.lists(FRAGMENTS, max_size=6).map(b"".join) | st.sampled_from(GOOD), max_size=8))
def test_any_lines_are_read_together_as_alone(lines: list[bytes]) -> None:
    assert_read_alike(lines)


SMALL = st.integers(0, 70)
DAYS = st.builds("{:04d}-{:02d}-{:02d}".format, st.integers(0, 9999), SMALL, SMALL)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.dates().map(str)
    | st.datetimes().map(lambda t: t.isoformat() + "Z")
    | st.integers(-(10**21), 10**21).map(str)
    | DAYS
    | st.builds("{}T{:02d}:{:02d}:{:02d}.{}Z".format, DAYS, *[SMALL] * 4)
    | st.sampled_from(["core", "guest", "base64:AA==", "base64:A"])
)
NAMES = [p.name for p in TYPES[next(iter(TYPES))].properties]


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*NAMES, "id"]), VALUES, max_size=3).map(
            lambda data: person(**data)
        )
        | st.dictionaries(
            st.sampled_from(["text", "tags", "counts", "vec", "file"]),
            VALUES | st.lists(VALUES, max_size=3),
            max_size=3,
        ).map(lambda data: note(**data)),
        min_size=1,
        max_size=6,
    )
)
def test_values_of_any_kind_are_read_together_as_alone(lines: list[bytes]) -> None:
    assert_read_alike(lines)


def test_many_ulids_are_the_ones_that_are_made_singly() -> None:
    entropy = bytes(range(200)) + b"\xff" * 10 + bytes(10)

    made = ulids(1_700_000_000_000, entropy).to_pylist()

    assert made == sorted(
        ulid(1_700_000_000_000, entropy[n : n + 10]) for n in range(0, len(entropy), 10)
    )
    assert all(is_ulid(text) for text in mint_ulids(1000).to_pylist())
    assert mint_ulids(0).to_pylist() == []
