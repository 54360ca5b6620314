"""What an export writes a load reads, and both graphs have one digest."""

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.graph.loads.sorting import BLOCK_ROWS, sorted_batches
from agentctl.ids import ulid
from tests.graph.loads.loads_rig import RICH, SMALL, graph_with

NOTES = [ulid(n, bytes(10)) for n in range(1, 6)]
ROWS = [
    {"type": "Person", "data": {"slug": 'z\u2028"\\\n\x01é', "age": 5, "big": 2**64 - 1}},
    {"type": "Person", "data": {"slug": "b", "long": -(2**63), "ratio": 1e21, "small": 0.1}},
    {"type": "Person", "data": {"slug": "a", "ratio": -0.0, "on": False, "kind": "core"}},
    {"type": "Person", "data": {"slug": "c", "born": "0987-01-02", "level": None}},
    {"type": "Person", "data": {"slug": "d", "seen": "0001-01-01T00:00:00.001Z", "ratio": 1e-7}},
    {"type": "Person", "data": {"slug": "e", "small": 3.4e38, "ratio": 5e-324, "level": 9}},
    {"type": "Pair", "data": {"b": "x", "a": 2**60, "at": "2020-01-01"}},
    {"type": "Note", "data": {"id": NOTES[3], "text": "", "tags": [], "vec": [0.1, 2]}},
    {
        "type": "Note",
        "data": {"id": NOTES[1], "text": "t", "tags": ["y", None], "days": ["2020-02-29"]},
    },
    {"type": "Note", "data": {"text": "u", "ratios": [1, 0.5, None], "file": "base64:AAE="}},
    {"type": "Note", "data": {"text": "v", "file": "https://x/y"}},
    {"type": "Said", "data": {"text": "no vector"}},
    {"type": "Said", "data": {"text": "one", "vec": [0.25, 1e-9]}},
    {"edge": "Knows", "from": "b", "to": "a", "data": {"since": "2020-01-01T00:00:00Z"}},
    {"edge": "Knows", "from": "a", "to": "b"},
    {"edge": "Knows", "from": "a", "to": "b"},
    {"edge": "Likes", "from": "a", "to": NOTES[3], "data": {"id_of": '"edge"'}},
]
LINES = [msgspec.json.encode(row) for row in ROWS]


async def test_an_export_loads_into_the_same_graph(tmp_path: Path) -> None:
    first = await graph_with(tmp_path / "first", RICH, LINES)
    lines = await first.exported()
    shuffled = random.Random(7).sample(lines, len(lines))

    second = await graph_with(tmp_path / "second", RICH, shuffled)

    assert len(lines) == len(LINES)
    assert await second.exported() == lines
    assert await second.digest() == await first.digest()


async def test_lines_are_canonical_and_in_order(tmp_path: Path) -> None:
    """Source: graph-engine 1, RFC 8785."""
    graph = await graph_with(tmp_path, RICH, LINES)

    lines = await graph.exported()

    documents = [msgspec.json.decode(line) for line in lines]
    assert [rfc8785.dumps(document) for document in documents] == lines
    order = [
        (
            "edge" in d,
            d.get("edge") or d["type"],
            d.get("from", ""),
            d.get("to", ""),
            d["data"]["id"].encode(),
        )
        for d in documents
    ]
    assert order == sorted(order)


async def test_values_are_written_as_replies_show_them(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, RICH, LINES)

    found = {
        line["data"]["slug"]: line["data"]
        for line in map(msgspec.json.decode, await graph.exported())
        if line.get("type") == "Person"
    }

    assert found['z\u2028"\\\n\x01é']["big"] == str(2**64 - 1)
    assert found["b"] == {
        "id": "b", "slug": "b", "long": str(-(2**63)), "ratio": 1e21, "small": 0.1, "level": 3
    }  # fmt: skip
    assert found["a"] == {
        "id": "a", "slug": "a", "ratio": 0, "on": False, "kind": "core", "level": 3
    }  # fmt: skip
    assert found["c"] == {"id": "c", "slug": "c", "born": "0987-01-02", "level": None}
    assert found["d"]["seen"] == "0001-01-01T00:00:00.001Z"


async def test_the_digest_tells_values_and_schemas_apart_and_not_histories(tmp_path: Path) -> None:
    ann, bob = (b'{"type":"Person","data":{"slug":"%s"}}' % name for name in (b"ann", b"bob"))
    together = await graph_with(tmp_path / "a", SMALL, [ann, bob])
    apart = await graph_with(tmp_path / "b", SMALL, [bob])
    before = await apart.digest()
    await apart.load([ann])
    wider = await graph_with(tmp_path / "c", SMALL + "node City { name: String @key }", [ann, bob])

    assert await together.digest() == await apart.digest() != before
    assert await wider.digest() != await together.digest()


async def test_an_empty_graph_has_no_lines_and_a_digest(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL)

    assert await graph.exported() == []
    assert len(await graph.digest()) == 64


def batches_of(rows: Sequence[tuple[str, str]], size: int) -> list[pa.RecordBatch]:
    return [
        pa.record_batch({"k": [k for k, _ in part], "l": [x for _, x in part]})
        for part in (rows[n : n + size] for n in range(0, len(rows), size))
    ]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.text("aé\U0001f600b", max_size=3), st.text("xy", max_size=2)), unique=True
    ),
    st.integers(1, 9),
    st.integers(1, 200),
)
def test_rows_are_sorted_through_files_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], size: int, run: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")

    found = sorted_batches(iter(batches_of(rows, size)), ["k", "l"], folder, run_bytes=run)

    shown = [(row["k"], row["l"]) for batch in found for row in batch.to_pylist()]
    assert shown == sorted(rows, key=lambda row: (row[0].encode(), row[1].encode()))
    assert not list(folder.iterdir())


def test_runs_of_many_blocks_are_merged(tmp_path: Path) -> None:
    count = 3 * BLOCK_ROWS
    rows = [(f"{n * 7919 % count:09d}", "") for n in range(count)]

    found = sorted_batches(
        iter(batches_of(rows, 1000)), ["k", "l"], tmp_path, run_bytes=BLOCK_ROWS * 30
    )

    keys = list(itertools.chain.from_iterable(batch["k"].to_pylist() for batch in found))
    assert keys == sorted(row[0] for row in rows)
