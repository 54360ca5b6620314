"""`agentctl.graph` used by a stranger: no cluster, no server, only a place. Source: issue 6, item 1."""

import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from agentctl.graph import create_graph, open_graph
from agentctl.graph.library import Graph, RefusedError, _place
from agentctl.graph.port import GraphError, ReadSetConflictError

SCHEMA = "node Person { name: String @key  age: I32? }\nedge Knows: Person -> Person\n"
ALL = "query all() { match { $p: Person } return { $p.name as name } order { $p.name asc } }"
HIRE = "query hire($name: String) { insert Person { name: $name } }"
PEOPLE = [
    b'{"type": "Person", "data": {"name": "ann", "age": 31}}',
    b'{"type": "Person", "data": {"name": "bob"}}',
    b'{"edge": "Knows", "from": "ann", "to": "bob", "data": {}}',
]


async def test_a_graph_is_made_filled_asked_branched_and_proven(tmp_path: Path) -> None:
    place = tmp_path / "graphs/staff.omni"
    async with create_graph(place, SCHEMA, actor="ann") as graph:
        await graph.load(PEOPLE)

    async with open_graph(place.as_uri()) as graph:
        await graph.branch("dev")
        await graph.tag("v1")
        report = await graph.mutate(HIRE, {"name": "cyd"}, branch="dev")
        on_dev = await graph.query(ALL, branch="dev")
        before = await graph.query(ALL, at="v1")
        batches = [batch async for batch in graph.stream(ALL, branch="dev")]
        merged = await graph.merge("dev")
        verified = await graph.verify()

        assert report.commit == "dev:2"
        assert [row["name"] for row in on_dev.rows] == ["ann", "bob", "cyd"]
        assert [row["name"] for row in before.rows] == ["ann", "bob"]
        assert sum(len(batch) for batch in batches) == 3
        assert (merged.commit, verified.problems, verified.rows) == ("main:3", (), 8)
        assert [c.actor for c in await graph.history()] == ["library", "ann", "ann"]
        assert await graph.schema() == SCHEMA
        await graph.migrate(SCHEMA + "node City { name: String @key }\n")
        assert [b.name for b in await graph.branches()] == ["main", "dev"]
        await graph.delete_branch("dev")
        assert (await graph.cleanup(rehearse=True)).rehearsal
        assert (await graph.optimize()).commit in (None, "main:5")


async def test_a_type_that_edges_name_is_renamed_with_all_its_rows(tmp_path: Path) -> None:
    renamed = (
        'node Human @rename_from("Person") { name: String @key  age: I32? }\n'
        "edge Knows: Human -> Human\n"
    )
    ask = "query all() { match { $a: Human  $b: Human  $a knows $b } return { $b.name as name } }"
    async with create_graph(tmp_path / "graphs/a.omni", SCHEMA) as graph:
        await graph.load(PEOPLE)

        await graph.migrate(renamed)

        assert (await graph.query(ask)).rows == ({"name": "bob"},)


async def test_an_export_loaded_elsewhere_is_the_same_graph(tmp_path: Path) -> None:
    async with create_graph(tmp_path / "graphs/a.omni", SCHEMA) as graph:
        await graph.load(PEOPLE)
        await graph.branch("dev")
        await graph.load([b'{"type": "Person", "data": {"name": "cyd"}}'], branch="dev")
        lines = [line async for line in graph.export(branch="dev")]
        digests = [await graph.digest(), await graph.digest(branch="dev")]

    async with create_graph(tmp_path / "graphs/b.omni", SCHEMA) as graph:
        await graph.load(lines)
        assert await graph.digest() == digests[1] != digests[0]
        assert len(lines) == 4


async def test_what_is_wrong_is_told_whole(tmp_path: Path) -> None:
    place = tmp_path / "graphs/g.omni"
    with pytest.raises(RefusedError) as schema:
        async with create_graph(place, "node Person { name: Text }"):
            pass
    async with create_graph(place, SCHEMA) as graph:
        with pytest.raises(RefusedError) as lines:
            await graph.load([b"{", b'{"type": "Nobody", "data": {}}'])
        with pytest.raises(RefusedError) as query:
            await graph.query("query all() { match { $p: Nobody } return { $p.name as name } }")
        with pytest.raises(RefusedError) as params:
            await graph.query(ALL, {"x": 1})
        with pytest.raises(ValueError, match="one query"):
            await graph.query("")
    with pytest.raises(GraphError) as again:
        async with create_graph(place, SCHEMA):
            pass

    assert schema.value.diagnostics
    assert len(lines.value.diagnostics) == 2
    assert query.value.diagnostic.severity == "error"
    assert params.value.diagnostic.code == "param_unknown"
    assert again.value.diagnostic.code == "read_set_conflict"


async def test_a_place_without_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError) as caught:
        async with open_graph(tmp_path / "graphs/g.omni"):
            pass

    assert caught.value.diagnostic.code == "graph_root_missing"


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("/data/graphs/g.omni", ("/data", "g")),
        ("/graphs/g.omni/", ("/", "g")),
        ("graphs/g.omni", (".", "g")),
        ("s3://bucket/a/graphs/g.omni", ("s3://bucket/a", "g")),
        ("file:///data/graphs/g.omni", ("file:///data", "g")),
    ],
)
def test_a_location_says_storage_and_graph(uri: str, place: tuple[str, str]) -> None:
    assert _place(uri) == place


@pytest.mark.parametrize("uri", ["", "/data/g.omni", "/data/graphs/g", "/data/graphs/.omni", "g"])
def test_another_location_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="not of the form"):
        _place(uri)


def test_importing_the_library_loads_neither_lance_nor_arrow() -> None:
    code = "import sys, agentctl.graph as g; g.open_graph; print({'lance', 'pyarrow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


@pytest.mark.slow
async def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    place = tmp_path / "graphs/g.omni"
    async with create_graph(place, SCHEMA):
        pass

    async def hire(number: int) -> None:
        async with open_graph(place) as graph:
            for turn in range(3):
                while not await hired(graph, f"p{number}-{turn}"):
                    await anyio.lowlevel.checkpoint()

    async def hired(graph: Graph, name: str) -> bool:
        """Whether it was the faster one often enough; who was not may simply try again."""
        try:
            await graph.mutate(HIRE, {"name": name})
        except ReadSetConflictError:
            return False
        return True

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(hire, number)

    async with open_graph(place) as graph:
        assert (await graph.query(ALL)).row_count == 9
        assert (await graph.verify()).problems == ()
