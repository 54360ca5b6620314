"""Files of datasets that are gone or broken: what is told of them, by every way of reading."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agentctl.domain.storage.protocol import UnavailableError
from agentctl.graph import create_graph, open_graph
from agentctl.graph.library import Graph

SCHEMA = "node Person { name: String @key  age: I32? }\n"
ALL = "query all() { match { $p: Person } return { $p.name as name, $p.age as age } }"
FIRE = 'query fire() { delete Person where name = "p5" }'


@asynccontextmanager
async def people(place: Path, count: int) -> AsyncIterator[Graph]:
    async with create_graph(place, SCHEMA) as graph:
        lines = (
            b'{"type": "Person", "data": {"name": "p%d", "age": %d}}' % (n, n) for n in range(count)
        )
        await graph.load(lines)
        yield graph


@pytest.mark.parametrize("graph_id", ["staff", "conflict"])
async def test_a_deletion_file_that_is_gone_is_told_by_every_read(
    tmp_path: Path, graph_id: str
) -> None:
    """Lance tells of it by another class within a scan, and a word of the path is none of Lance's.

    A read that was begun anew because of such a word once streamed nothing, as if that were all.
    """
    place = tmp_path / f"graphs/{graph_id}.omni"
    async with people(place, 9) as graph:
        await graph.mutate(FIRE)
    for file in place.rglob("_deletions/*"):
        file.unlink()

    async with open_graph(place) as graph:
        with pytest.raises(UnavailableError, match="_deletions"):
            await graph.query(ALL)
        with pytest.raises(UnavailableError, match="_deletions"):
            await graph.digest()
        with pytest.raises(UnavailableError, match="_deletions"):
            [batch async for batch in graph.stream(ALL)]
        with pytest.raises(UnavailableError, match="_deletions"):
            [line async for line in graph.export()]


@pytest.mark.parametrize("lost", ["_deletions/*", "data/*.lance"])
async def test_verify_names_the_branch_whose_rows_cannot_be_read(tmp_path: Path, lost: str) -> None:
    place = tmp_path / "graphs/staff.omni"
    async with people(place, 9) as graph:
        await graph.mutate(FIRE)
    for file in place.rglob(lost):
        file.unlink()

    async with open_graph(place) as graph:
        report = await graph.verify()

    assert {found.code for found in report.problems} == {"graph_corrupt"}
    assert any("main:3: its rows cannot be read" in found.message for found in report.problems)
