"""Many sandboxes do their worst at once, and nothing of the base moves; when they end, nothing is left."""

import random
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.gather import observe_graph
from agentctl.engine.lending import take_back
from agentctl.engine.sandboxed import Opening, drafting, inside, open_sandbox, restore_snapshot
from agentctl.engine.snapshotting import take_snapshot
from agentctl.graph.port import GraphError
from agentctl.testing.builders import QUERY, SCHEMA, WIDER_SCHEMA, Bench, cluster_yaml, wanting
from agentctl.testing.sampling import LONG
from tests.sandboxes.inside.inside_rig import all_files, names_in, with_rows

GRAPHS = ("supply", "spare")
NARROWER = SCHEMA.replace("  version: String?\n", "")
AT_ONCE = 8
STEPS = 5


async def contents(cluster: Cluster) -> list[object]:
    """What the base is: each graph's commit, content and rows, what it answers, and the ledger."""
    found: list[object] = []
    for graph in GRAPHS:
        seen = await observe_graph(cluster, graph)
        place = cluster.graphs.port
        found += [seen.commit, seen.content, seen.source_digest, dict(seen.rows)]
        found.append(await place.digest(graph))  # type: ignore[attr-defined]  # Lance has it
        found.append(await names_in(cluster, graph))
    head = await cluster.ledger.head()
    assert head is not None
    return [*found, head.object_digest]


async def worst(bench: Bench, cluster: Cluster, seed: int) -> str:
    """Opens a sandbox and does what a seed says in it; returns it."""
    chance = random.Random(seed)
    lending = await open_sandbox(cluster, bench.agent, Opening(op=f"op-{seed}"))
    for step in range(STEPS):
        match chance.choice(["load", "overwrite", "schema", "delete", "create", "back"]):
            case "load":
                await rows(bench, cluster, lending.sandbox, chance, "append")
            case "overwrite":
                await rows(bench, cluster, lending.sandbox, chance, "overwrite")
            case "schema":
                text = chance.choice([WIDER_SCHEMA, NARROWER, SCHEMA])
                await edited(bench, cluster, lending.sandbox, {"supply.pg": text})
            case "delete":
                await edited(
                    bench, cluster, lending.sandbox, {"cluster.yaml": cluster_yaml("supply")}
                )
            case "create":
                files = {"cluster.yaml": cluster_yaml(*GRAPHS, "new"), "new.pg": SCHEMA}
                await edited(bench, cluster, lending.sandbox, {**files, "new.gq": QUERY})
            case _:
                async with inside(cluster, lending.sandbox) as inner:
                    await take_snapshot(cluster, inner, f"s{step}", by="x", commands=0)
                await restore_snapshot(cluster, lending.sandbox, f"s{step}", by="x")
    return lending.sandbox


async def rows(
    bench: Bench, cluster: Cluster, sandbox: str, chance: random.Random, mode: str
) -> None:
    graph, name = chance.choice(GRAPHS), f"r{chance.randrange(10_000)}"
    line = f'{{"type": "Package", "data": {{"name": "{name}"}}}}\n'.encode()
    async with inside(cluster, sandbox) as inner:
        with suppress(GraphError):  # the graph may be deleted here, or edges may stand against it
            await load(inner, bench.agent, graph, [line], mode, "worst")  # type: ignore[arg-type]  # one of the modes


async def edited(bench: Bench, cluster: Cluster, sandbox: str, files: dict[str, str]) -> None:
    async with drafting(cluster, sandbox) as drafts:
        for path, text in files.items():
            await drafts.edit(sandbox, path, by=bench.agent.id, content=text.encode())
    async with inside(cluster, sandbox) as inner:
        await apply(inner, bench.agent, wanting())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_the_base_is_as_it_was_after_many_sandboxes_did_their_worst(
    tmp_path: Path, seed: int
) -> None:
    bench, cluster = await with_rows(tmp_path, *GRAPHS)
    before, files = await contents(cluster), all_files(bench)
    at_once = 100 if LONG and seed == 0 else AT_ONCE
    sandboxes: list[str] = []

    async def one(number: int) -> None:
        sandboxes.append(await worst(bench, cluster, seed * 1_000 + number))

    async with anyio.create_task_group() as tasks:
        for number in range(at_once):
            tasks.start_soon(one, number)

    assert await contents(cluster) == before
    for sandbox in sandboxes:
        await take_back(cluster, sandbox, by="sarah", reason="closed")
    assert await contents(cluster) == before
    assert all_files(bench) == files
