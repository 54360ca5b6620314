"""A restore whose process died: the next refresh says what the graph is, and nothing live is purged."""

from pathlib import Path

import pytest

from agentctl.domain.ledger.state import GraphObserved, Tombstone
from agentctl.engine.apply import apply
from agentctl.engine.data import load, run_query
from agentctl.engine.detached import graph_restore
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import NEVER, Crash

WEEK_S = 8 * 24 * 3600


def bench_at(path: Path) -> Bench:
    path.mkdir()
    return Bench(path)


async def detached(bench: Bench) -> Bench:
    """A cluster whose graph `spare` of two packages was deleted."""
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    await load(cluster, bench.sarah, "spare", ROWS.splitlines(keepends=True), "append", "rows")
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    cluster = await bench.open()
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    return bench


async def writes_of_a_restore(path: Path) -> int:
    bench = await detached(bench_at(path))
    cluster, store = await bench.crashing(NEVER)
    assert (await graph_restore(cluster, bench.sarah, "spare", "it is needed")).ok
    return store.writes


async def test_a_graph_that_came_back_is_recorded_with_its_queries_and_kept(tmp_path: Path) -> None:
    outcomes = set()
    for at in range(1, await writes_of_a_restore(tmp_path / "whole") + 1):
        bench = await detached(bench_at(tmp_path / str(at)))
        dying, _ = await bench.crashing(at)
        with pytest.raises(Crash):
            await graph_restore(dying, bench.sarah, "spare", "it is needed")
        cluster = await bench.open()
        is_back = (await cluster.graphs.history("spare", limit=1))[0].kind != "tombstone"
        outcomes.add(is_back)

        looked = await refresh(cluster, bench.sarah, "what became of it?")
        seen = (await recorded(cluster)).observations["graph.spare"]
        assert looked.ok, looked.diagnostics
        assert isinstance(seen, GraphObserved if is_back else Tombstone), at

        bench.world.advance(WEEK_S)
        await apply(await bench.open(), bench.agent, wanting())
        if is_back:
            outcome = await run_query(cluster, bench.sarah, "query.spare.all_packages", {}, 10)
            assert outcome.reply is not None, (at, outcome.diagnostics)
            assert outcome.reply.row_count == 2
            planned = await make_plan(cluster, bench.agent)
            gated = {c.resource for c in planned.result.changes if c.gate is not None}
            assert "graph.spare" in gated, at

    assert outcomes == {True, False}
