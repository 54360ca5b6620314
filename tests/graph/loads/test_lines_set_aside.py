"""Lines with faults: told of, set aside up to a bound, and never a part of what is loaded."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.graph.commit import decode_commit, encode_commit
from agentctl.graph.layout import commits_prefix
from agentctl.graph.loads.sources import NdjsonSource, Progress
from agentctl.graph.port import GraphError, ReadSetConflictError
from agentctl.graph.violations import VIOLATION_COUNT_MAX
from agentctl.ids import numbered
from agentctl.testing.sampling import LONG
from tests.graph.loads.loads_rig import SMALL, graph_with


def person(slug: str, **data: object) -> bytes:
    return msgspec.json.encode({"type": "Person", "data": {"slug": slug, **data}})


def knows(start: str, end: str) -> bytes:
    return msgspec.json.encode({"edge": "Knows", "from": start, "to": end})


MIXED = [
    person("ann"),
    b"nope",
    person("bob"),
    person("ann", age=7),
    person("cyd", age="x"),
    knows("ann", "bob"),
    knows("bob", "cyd"),
    b'{"type":"Person","data":{"slug":"\xff"}}',
]


def source(lines: list[bytes]) -> NdjsonSource:
    return NdjsonSource(lines=lines, name="in.ndjson")


async def test_few_bad_lines_are_set_aside_with_what_is_wrong_and_the_rest_is_loaded(
    tmp_path: Path,
) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)
    wanted = await graph_with(tmp_path / "wanted", SMALL, [MIXED[0], MIXED[2]])
    rejects = tmp_path / "rejects.ndjson"

    outcome = await graph.load_from(source(MIXED), rejected_max=5, rejects=rejects)

    assert outcome.commit == "main:2"
    assert outcome.rows == {"Person": 2, "Knows": 1}
    assert outcome.rejected == 5
    assert {d.severity for d in outcome.diagnostics} == {"warning"}
    assert [d.where.line for d in outcome.diagnostics if d.where] == [2, 5, 8, 4, 7]
    assert (await graph.exported())[:2] == await wanted.exported()
    entries = [msgspec.json.decode(line) for line in rejects.read_bytes().splitlines()]
    assert [(e["line"], e["errors"][0]["code"]) for e in entries] == [
        (2, "load_line_invalid"),
        (4, "load_key_violation"),
        (5, "load_value_invalid"),
        (7, "load_endpoint_missing"),
        (8, "load_line_invalid"),
    ]
    assert {e["source"] for e in entries} == {"in.ndjson"}
    assert entries[0]["input"] == "nope"
    assert msgspec.json.decode(entries[1]["input"])["data"] == {
        "age": 7,
        "id": "ann",
        "slug": "ann",
    }
    assert entries[4]["input_escaped"] == '{"type":"Person","data":{"slug":"\\xff"}}'


@pytest.mark.parametrize("bound", [0, 1, 3, 4])
async def test_one_bad_line_too_many_leaves_the_graph_as_it_was(tmp_path: Path, bound: int) -> None:
    graph = await graph_with(tmp_path / "g", SMALL, [person("zoe")])
    before = await graph.digest()
    rejects = tmp_path / "rejects.ndjson"

    outcome = await graph.load_from(source(MIXED), rejected_max=bound, rejects=rejects)

    assert (outcome.commit, outcome.rows, outcome.rejected) == (None, {}, 0)
    assert "error" in {d.severity for d in outcome.diagnostics}
    assert await graph.digest() == before
    assert not rejects.exists()


async def test_a_node_that_is_set_aside_takes_its_edges_along(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL, [person("ann")])
    lines = [person("ann"), person("bob", age=None, x=1), knows("bob", "ann"), knows("ann", "ann")]

    outcome = await graph.load_from(source(lines), rejected_max=3)

    assert (outcome.rows, outcome.rejected) == ({"Knows": 1, "Person": 0}, 3)


async def test_where_all_lines_are_set_aside_there_is_no_commit(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)

    outcome = await graph.load_from(source([b"nope"]), rejected_max=1)

    assert (outcome.commit, outcome.rejected) == (None, 1)
    assert [d.severity for d in outcome.diagnostics] == ["warning"]


async def test_any_number_of_bad_lines_is_counted_and_a_bounded_number_listed(
    tmp_path: Path,
) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)
    count = 20_000

    def lines() -> Iterator[bytes]:
        for n in range(count):
            yield b'{"type":"Person","data":{"slug":"%d","age":"x"}}' % n

    outcome = await graph.load(lines())

    assert outcome.commit is None
    assert len(outcome.diagnostics) == VIOLATION_COUNT_MAX + 1
    lines_told = [d.where.line for d in outcome.diagnostics if d.where]
    assert lines_told == list(range(1, VIOLATION_COUNT_MAX + 1))
    assert f"{count} in all" in outcome.diagnostics[-1].message


@pytest.mark.slow
async def test_ten_million_bad_lines_are_counted_in_the_memory_that_a_few_take(
    tmp_path: Path,
) -> None:
    """In the long profile; a hundredth of them else."""
    graph = await graph_with(tmp_path / "g", SMALL)
    count = 10_000_000 if LONG else 100_000

    def lines(count: int) -> Iterator[bytes]:
        for n in range(count):
            yield b'{"type":"Person","data":{"slug":"%d","age":"%s"}}' % (n, b"x" * 200)

    await graph.load(lines(10_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = await graph.load(lines(count))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert f"{count} in all" in outcome.diagnostics[-1].message
    assert grown < 16 << 10  # KiB; the lines are 24 MB, of all ten million 2.4 GB


async def test_the_texts_of_lines_that_are_set_aside_wait_on_the_disk(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)
    rejects = tmp_path / "rejects.ndjson"
    count, size = 200, 1 << 20

    def lines() -> Iterator[bytes]:
        for n in range(count):
            yield b"%d" % n + b"x" * size

    await graph.load_from(source([b"nope"] * 10), rejected_max=10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = await graph.load_from(
        NdjsonSource(lines=lines()), rejected_max=count, rejects=rejects
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert outcome.rejected == count
    assert rejects.stat().st_size > count * size
    assert grown < count * size >> 11  # KiB: half of the texts


async def test_progress_is_told_of_every_phase(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL)
    told: list[Progress] = []
    lines = [person(str(n)) for n in range(10_000)]

    options: dict[str, Any] = {"progress": told.append}
    await graph.load_from(source(lines), **options)

    assert list(dict.fromkeys(p.phase for p in told)) == [
        "reading", "checking", "writing", "committing"
    ]  # fmt: skip
    read = [p.lines for p in told if p.phase == "reading"]
    assert read == sorted(read)
    assert read[-1] == 10_000
    assert told[0].bytes == sum(map(len, lines[: told[0].lines]))
    written = [p for p in told if p.phase == "writing"]
    assert written[-1].rows == written[-1].rows_total == 10_000


async def test_a_reject_file_that_cannot_be_written_leaves_the_graph_as_it_was(
    tmp_path: Path,
) -> None:
    graph = await graph_with(tmp_path / "g", SMALL, [person("zoe")])
    before = await graph.digest()
    folder = tmp_path / "folder"
    folder.mkdir()

    for rejects in (tmp_path / "nowhere" / "rejects.ndjson", folder):
        with pytest.raises(GraphError) as caught:
            await graph.load_from(source(MIXED), rejected_max=5, rejects=rejects)
        assert caught.value.diagnostic.code == "load_rejects_unwritable"
        assert await graph.digest() == before


async def test_a_load_that_was_refused_at_its_commit_leaves_no_reject_file(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path / "g", SMALL, [person("zoe")])
    before = await graph.digest()
    rejects = tmp_path / "aside" / "rejects.ndjson"
    rejects.parent.mkdir()
    commits = tmp_path / "g" / commits_prefix("g")

    def meanwhile(progress: Progress) -> None:
        if progress.phase == "committing":
            head = decode_commit((commits / f"{numbered(2)}.json").read_bytes())
            other = msgspec.structs.replace(head, n=3, nonce="f" * 32)
            (commits / f"{numbered(3)}.json").write_bytes(encode_commit(other))

    with pytest.raises(ReadSetConflictError):
        await graph.load_from(
            source(MIXED), mode="overwrite", rejected_max=5, rejects=rejects, progress=meanwhile
        )

    assert list(rejects.parent.iterdir()) == []
    assert await graph.digest() == before
