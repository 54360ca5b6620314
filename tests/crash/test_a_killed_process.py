"""SIGKILL, for real: a child process over a local disk and Lance dies at a write; the next one mends it.

The in-process matrix visits every write too; here each is died at by a process of its own, which
shows that nothing of it depended on the dying process having been polite.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.sidecars import read_sidecars
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.clock import START, StillWorld
from agentctl.testing.sampling import sampled

CHILD = Path(__file__).with_name("dying_apply.py")
CHILD_DEADLINE_S = 120


def run_child(path: Path, at: int, how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHILD), str(path), str(at), how]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=CHILD_DEADLINE_S, check=False
    )


async def before(name: str, bench: Bench) -> None:
    """Two graphs; one is to be created, moved or deleted by the apply that dies."""
    if name == "create":
        await bench.begun(folder_files("supply", "spare"))
        return
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    lines = ROWS.splitlines(keepends=True)
    for graph in ("supply", "spare"):
        await load(cluster, bench.sarah, graph, lines, "append", "rows to keep")
    if name == "schema":
        bench.write({"supply.pg": WIDER_SCHEMA})
        return
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))


async def check(name: str, bench: Bench, cluster: Cluster) -> None:
    outcome = await run_query(cluster, bench.sarah, "query.supply.all_packages", {}, 100)
    assert outcome.reply is not None, outcome.diagnostics
    assert outcome.reply.row_count == (0 if name == "create" else 2)
    assert (await read_sidecars(cluster.store)).sidecars == ()
    assert await cluster.ledger.verify() == ()
    if name != "delete":
        return
    state = await recorded(cluster)
    assert isinstance(state.observations["graph.spare"], Tombstone)
    assert len(state.approval_records) == 1
    assert len((await cluster.approvals.records()).consumptions) == 1
    commits = [commit.kind for commit in await cluster.graphs.history("spare")]
    assert commits.count("tombstone") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["create", "schema", "delete"])
async def test_the_next_process_mends_what_a_killed_one_left(name: str, tmp_path: Path) -> None:
    origin = tmp_path / "template"
    origin.mkdir()
    template = Bench(origin, where="lance", world=StillWorld(tick_s=0.001, seed=name))
    await before(name, template)
    shutil.copytree(origin, tmp_path / "whole")
    whole = run_child(tmp_path / "whole", 10_000, "before")
    assert whole.returncode == 0, whole.stderr
    writes = int(whole.stdout)

    for at in sampled(range(1, writes + 1), 5, of=name):
        path = tmp_path / f"killed-{at}"
        shutil.copytree(origin, path)
        killed = run_child(path, at, "after" if at % 2 else "before")
        world = StillWorld(at=START.replace(hour=10), tick_s=0.001, seed=f"{name}-{at}")
        bench = Bench(path, where="lance", world=world)
        cluster = await bench.open()
        result = await apply(cluster, bench.agent, wanting())

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert result.ok, (at, result.diagnostics)
        assert result.converged, (at, result.changes)
        await check(name, bench, cluster)
