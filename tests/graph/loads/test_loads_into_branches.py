"""Loads of branches, repeated loads, and loads that meet another writer."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from agentctl.graph.loads.sources import LoadOptions, NdjsonSource
from agentctl.graph.port import ReadSetConflictError
from tests.graph.loads.loads_bench import Memory, edges, own_mib
from tests.graph.loads.loads_rig import SMALL, Graph, graph_with


def person(slug: str) -> bytes:
    return msgspec.json.encode({"type": "Person", "data": {"slug": slug}})


def one(*slugs: str) -> NdjsonSource:
    return NdjsonSource(lines=[person(slug) for slug in slugs])


async def slugs_of(graph: Graph, branch: str = "main") -> list[str]:
    blocks = [block async for block in graph.graphs.export("g", branch=branch)]
    lines = b"".join(blocks).splitlines()
    return [msgspec.json.decode(line)["data"]["slug"] for line in lines]


async def test_a_load_into_a_branch_is_not_on_main(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL, [person("ann")])
    await graph.graphs.branch_create("g", "b/1", stamp=graph.stamp())

    outcome = await graph.graphs.load_from(
        "g", [one("bob")], branch="b/1", options=LoadOptions(), stamp=graph.stamp()
    )

    assert outcome.commit == "b/1:2"
    assert await slugs_of(graph, "b/1") == ["ann", "bob"]
    assert await slugs_of(graph) == ["ann"]
    assert await graph.graphs.digest("g", branch="b/1") != await graph.graphs.digest("g")


async def test_an_export_is_of_one_commit_whatever_is_loaded_meanwhile(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL, [person("ann")])
    export = graph.graphs.export("g", at="main:2")
    await graph.load_from(one("bob"))

    lines = [block async for block in export]

    assert b"".join(lines).count(b"\n") == 1


async def test_a_load_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL)
    stamp = graph.stamp()
    first = await graph.graphs.load_from("g", [one("a")], options=LoadOptions(), stamp=stamp)

    again = await graph.graphs.load_from("g", [one("a")], options=LoadOptions(), stamp=stamp)

    assert (again.commit, again.rows) == (first.commit, first.rows)
    assert await slugs_of(graph) == ["a"]


async def beaten(graph: Graph, mine: str, theirs: str) -> AsyncIterator[bytes]:
    """Gives one line, behind which another load has made its commit."""
    yield person(mine)
    await graph.load_from(one(theirs))


async def test_an_append_that_loses_the_race_is_checked_anew_and_done(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL)

    outcome = await graph.load_from(NdjsonSource(lines=beaten(graph, "mine", "theirs")))

    assert outcome.commit == "main:3"
    assert await slugs_of(graph) == ["mine", "theirs"]


async def test_an_append_of_what_a_faster_writer_brought_is_refused(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL)

    outcome = await graph.load_from(NdjsonSource(lines=beaten(graph, "same", "same")))

    assert [d.code for d in outcome.diagnostics] == ["load_key_violation"]
    assert await slugs_of(graph) == ["same"]


async def test_an_overwrite_that_loses_the_race_is_a_conflict(tmp_path: Path) -> None:
    graph = await graph_with(tmp_path, SMALL)

    source = NdjsonSource(lines=beaten(graph, "mine", "theirs"))

    with pytest.raises(ReadSetConflictError):
        await graph.load_from(source, mode="overwrite")

    assert await slugs_of(graph) == ["theirs"]


@pytest.mark.slow
async def test_the_memory_of_a_load_does_not_grow_with_its_lines(tmp_path: Path) -> None:
    """About 20 MiB more for these 600,000 rows, 300 for ten times as many; as Python values each
    would take a kilobyte."""
    graph = await graph_with(tmp_path, SMALL)
    people, knows = 100_000, 500_000

    def lines() -> Iterator[bytes]:
        yield from (person(f"person-{n}") for n in range(people))
        yield from edges(knows, people)

    before, memory = own_mib(), Memory()
    outcome = await graph.load(lines())
    grown = memory.stop() - before

    assert outcome.rows == {"Person": people, "Knows": knows}
    assert grown < 150
