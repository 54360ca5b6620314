"""One line of a load: what is a row, what is refused and how that is said."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.graph.chunks import lines_of
from agentctl.graph.lines import LINE_BYTES_MAX, Fault, LineReader, Row
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir

SCHEMA = """
node Person { slug: String @key  age: I32?  big: U64?  ratio: F64?  small: F32?  on: Bool?  born: Date?  seen: DateTime? }
node Pair { b: String  a: I64  @key(b, a) }
node Note { text: String }
edge Knows: Person -> Person { since: Date? }
"""
NODE_ID = "01JD6Z0000000000000000000A"


def minter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: ulid(7, next(numbers).to_bytes(10))


def ir_of(text: str) -> SchemaIr:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return evolve_ir(None, compiled.catalog, minter())


@pytest.fixture
def reader() -> LineReader:
    return LineReader(ir_of(SCHEMA), minter())


def row_of(reader: LineReader, line: str | bytes) -> Row:
    read = reader.read(line if isinstance(line, bytes) else line.encode())
    assert isinstance(read, Row), read
    return read


def faults_of(reader: LineReader, line: str | bytes) -> list[str]:
    read = reader.read(line if isinstance(line, bytes) else line.encode())
    assert isinstance(read, list), read
    assert all(isinstance(fault, Fault) for fault in read)
    return [fault.message for fault in read]


def person(**data: object) -> str:
    return json.dumps({"type": "Person", "data": {"slug": "a", **data}})


def test_a_blank_line_is_nothing(reader: LineReader) -> None:
    assert reader.read(b"") is None
    assert reader.read(b" \r\n") is None


def test_a_node_has_its_values_in_the_order_of_the_schema(reader: LineReader) -> None:
    row = row_of(
        reader,
        person(
            age=-5,
            big="18446744073709551615",
            ratio=2,
            small=0.5,
            on=True,
            born="2020-02-29",
            seen="2020-09-13T12:26:40.123Z",
        ),
    )

    assert row.id == "a"
    assert row.values == ("a", -5, 2**64 - 1, 2.0, 0.5, True, 18321, 1600000000123)


def test_dates_and_times_may_be_integers_and_times_have_offsets(reader: LineReader) -> None:
    by_number = row_of(reader, person(born=18321, seen=1600000000123))
    with_offset = row_of(reader, person(seen="2020-09-13T14:26:40.123+02:00"))

    assert by_number.values[6:] == (18321, 1600000000123)
    assert with_offset.values[7] == 1600000000123


def test_an_edge_has_ends_and_an_id_of_its_own(reader: LineReader) -> None:
    row = row_of(reader, '{"edge":"Knows","from":"a","to":"b"}')

    assert (row.src, row.dst, row.values, row.given) == ("a", "b", (None,), False)
    assert row.id == ulid(7, (1).to_bytes(10))


def test_a_generated_id_may_be_given_back_in_its_one_spelling(reader: LineReader) -> None:
    given = row_of(reader, f'{{"type":"Note","data":{{"id":"{NODE_ID}","text":"x"}}}}')

    assert (given.id, given.given) == (NODE_ID, True)
    assert faults_of(
        reader, f'{{"type":"Note","data":{{"id":"{NODE_ID.lower()}","text":"x"}}}}'
    ) == [f"Note.id: '{NODE_ID.lower()}' is no ULID; leave `id` out to have one made"]


def test_the_id_of_a_keyed_node_is_its_key(reader: LineReader) -> None:
    """Source: languages 1.2 and 2.7: a JSON array in the order of the property ids."""
    pair = row_of(reader, '{"type":"Pair","data":{"a":-7,"b":"x\\"é"}}')

    assert pair.id == '["x\\"é","-7"]'
    assert row_of(reader, person(id="a")).id == "a"
    assert faults_of(reader, person(id="b")) == ["Person.id: 'b' is not the id of its key, 'a'"]


@pytest.mark.parametrize(
    ("scalar", "given", "wanted"),
    [
        ("Bool", True, "true"),
        ("I64", "-9223372036854775808", "-9223372036854775808"),
        ("Date", "1970-01-02", "1"),
        ("DateTime", "1970-01-01T00:00:01Z", "1000"),
        ("F64", 1.0, "1"),
        ("F64", -0.0, "0"),
        ("F64", 1e21, "1000000000000000000000"),
        ("F64", 1.5e-7, "0.00000015"),
        ("F32", 0.1, "0.1"),
        ("F32", 16777216, "16777216"),
    ],
)
def test_keys_are_spelled_as_the_language_says(scalar: str, given: object, wanted: str) -> None:
    """Source: languages 2.7, "Key rendering for `id`"."""
    reader = LineReader(ir_of(f"node K {{ k: {scalar} @key }}"), minter())

    assert row_of(reader, json.dumps({"type": "K", "data": {"k": given}})).id == wanted


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nope", "no JSON"),
        ("[1]", "expected an object, got [1]"),
        ("{}", 'a line is {"type": …'),
        ('{"type":"Person","data":[]}', "`data` must be an object, got []"),
        ('{"type":"Persom","data":{}}', "no node type 'Persom'; it has Note, Pair, Person"),
        ('{"edge":"Person","from":"a","to":"b"}', "no edge type 'Person'; it has Knows"),
        ('{"type":"Note","data":{"text":"x"},"more":1}', "unknown member 'more'"),
        ('{"type":"Note","from":"a","data":{"text":"x"}}', "unknown member 'from'"),
        ('{"type":"Note","edge":"Knows","from":"a","to":"b"}', "unknown member 'type'"),
        ('{"type":"Note","data":{"text":"x","tekst":"y"}}', "Note has no property 'tekst'"),
        ('{"type":"Note","data":{}}', "Note.text: missing, but the property is required"),
        ('{"type":"Note","data":{"text":null}}', "Note.text: null, but the property is required"),
        ('{"type":"Note","data":{"text":1}}', "Note.text: expected String, got 1"),
        ('{"edge":"Knows","to":"b"}', "Knows.from: missing"),
        ('{"edge":"Knows","from":1,"to":"b"}', "Knows.from: expected a node's id, got 1"),
        ('{"edge":"Knows","from":"a","to":"b","data":{"src":"a"}}', "given as `from` and `to`"),
        ('{"type":"Note","type":"Note","data":{"text":"x"}}', "member 'type' is given twice"),
        ('{"type":"Note","data":{"text":"x","te\\u0078t":"y"}}', "member 'text' is given twice"),
    ],
)
def test_a_line_that_is_no_row_says_why(reader: LineReader, line: str, said: str) -> None:
    assert any(said in message for message in faults_of(reader, line)), faults_of(reader, line)


@pytest.mark.parametrize(
    "wrong",
    [
        {"age": 1.0},
        {"age": True},
        {"age": 2**31},
        {"age": "1e3"},
        {"big": -1},
        {"big": "18446744073709551616"},
        {"ratio": "1"},
        {"ratio": False},
        {"small": 1e39},
        {"on": 1},
        {"born": "2021-02-29"},
        {"born": "20210228"},
        {"born": 2932897},
        {"seen": "yesterday"},
        {"seen": "2020-01-01"},
        {"seen": 1.5},
        {"slug": 1},
    ],
)
def test_a_value_of_another_type_is_refused(reader: LineReader, wrong: dict[str, Any]) -> None:
    (name,) = wrong

    (message,) = faults_of(reader, person(**wrong))

    assert message.startswith(f"Person.{name}: ")


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"Person","data":{"slug":"a","ratio":NaN}}',
        b'{"type":"Person","data":{"slug":"a","ratio":1e999}}',
        b'{"type":"Person","data":{"slug":"a","ratio":1' + b"0" * 400 + b"}}",
        b'{"type":"Person","data":{"slug":"\\ud800x"}}',
        b'{"type":"Person","data":{"slug":"\xff"}}',
        b'\xef\xbb\xbf{"type":"Person","data":{"slug":"a"}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_hostile_bytes_are_faults_and_no_crash(reader: LineReader, line: bytes) -> None:
    assert faults_of(reader, line)


def test_a_line_has_a_longest_length(reader: LineReader) -> None:
    assert "longer than" in faults_of(reader, b'"' + b"x" * LINE_BYTES_MAX)[0]


def test_colons_inside_values_are_no_members(reader: LineReader) -> None:
    assert row_of(reader, person(slug="a:b::c")).id == "a:b::c"


def test_what_a_message_quotes_is_short_printable_ascii(reader: LineReader) -> None:
    evil = "\x1b]52;c;\u202e" + "x" * 500

    (message,) = faults_of(reader, json.dumps({"type": "Note", "data": {"text": [evil]}}))

    assert message.removesuffix("…").isprintable()
    assert message.removesuffix("…").isascii()
    assert len(message) < 150


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "edge", "from", "to", "data", "slug", "age", "id"])
                | st.text(),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_row_or_has_faults(value: object) -> None:
    reader = LineReader(ir_of(SCHEMA), minter())

    read = reader.read(json.dumps(value).encode())

    assert isinstance(read, Row) or (isinstance(read, list) and read)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_row_or_have_faults_or_are_blank(line: bytes) -> None:
    read = LineReader(ir_of(SCHEMA), minter()).read(line)

    assert read is None or isinstance(read, Row) or read


def test_a_line_without_an_end_is_cut_behind_what_a_load_takes_and_the_next_one_is_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "in.ndjson"
    path.write_bytes(b"{}\n" + b"x" * (3 * LINE_BYTES_MAX) + b"\n{}\n{}")

    lines = list(lines_of(path))

    assert [len(line) for line in lines] == [3, LINE_BYTES_MAX + 1, 3, 2]


def test_values_of_any_depth_are_told_of(reader: LineReader) -> None:
    """Some depths can be decoded and not be gone through again; which, is up to the caller's own."""
    for depth in (*range(100, 1_100, 5), 100_000):
        for start, end in ((b"[", b"]"), (b'{"a":', b"}"), (b'{"a":[{"b":1,"c":', b"}]}")):
            line = b'{"type":"Note","data":{"text":%b1%b}}' % (start * depth, end * depth)

            assert isinstance(reader.read(line), list)
