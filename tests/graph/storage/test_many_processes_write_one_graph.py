"""Eight processes write one graph at once, on a disk and on an object store. Source: issue 6 (must show)."""

import sys
from pathlib import Path

import anyio
import pytest

from agentctl.graph import create_graph, open_graph
from agentctl.testing.sampling import LONG

pytestmark = pytest.mark.slow
SCHEMA = "node Person { name: String @key }\n"
ALL = "query all() { match { $p: Person } return { $p.name as name } }"
PROCESS_COUNT = 8
ROWS_EACH = 8 if LONG else 2
WRITER = """
import asyncio, sys
from agentctl.graph import open_graph
from agentctl.graph.port import ReadSetConflictError

HIRE = "query hire($name: String) { insert Person { name: $name } }"

async def main(place, who, count):
    async with open_graph(place, actor=who) as graph:
        for turn in range(count):
            while True:
                try:
                    await graph.mutate(HIRE, {"name": f"{who}-{turn}"})
                except ReadSetConflictError:
                    continue
                break

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.parametrize("where", ["disk", "SeaweedFS"])
async def test_eight_processes_lose_nothing_and_corrupt_nothing(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = str(tmp_path) if where == "disk" else request.getfixturevalue("seaweed_root").uri
    place = f"{root}/graphs/g.omni"
    async with create_graph(place, SCHEMA):
        pass
    words = [sys.executable, "-c", WRITER, place]

    told: list[str] = []

    async def write(who: str) -> None:
        ended = await anyio.run_process([*words, who, str(ROWS_EACH)], check=False)
        if ended.returncode != 0:
            told.append(f"{who} ended with {ended.returncode}: {ended.stderr.decode()[-2000:]}")

    async with anyio.create_task_group() as tasks:
        for n in range(PROCESS_COUNT):
            tasks.start_soon(write, f"w{n}")

    assert told == []
    async with open_graph(place) as graph:
        found = {row["name"] for row in (await graph.query(ALL)).rows}
        assert found == {f"w{n}-{t}" for n in range(PROCESS_COUNT) for t in range(ROWS_EACH)}
        assert len(await graph.history(limit=1000)) == 1 + PROCESS_COUNT * ROWS_EACH
        assert (await graph.verify()).problems == ()
