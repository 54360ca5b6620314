"""What an interrupted step left is settled by the next command, whatever happened in between."""

import copy
from pathlib import Path

import pytest

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.engine.status import status
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.crash import NEVER, Crash

LINES = ROWS.splitlines(keepends=True)


async def write_of(bench: Bench, label: str) -> int:
    """The number of the first write of an apply whose label begins so, found on a copy."""
    twin = Bench(bench.path.parent, world=bench.world)
    twin.objects, twin.roots = dict(bench.objects), copy.deepcopy(bench.roots)
    cluster, store = await twin.crashing(NEVER)
    await apply(cluster, bench.agent, wanting())
    return next(n for n, seen in enumerate(store.labels, 1) if seen.startswith(label))


async def moved_but_not_recorded(bench: Bench) -> Cluster:
    """A graph whose schema was moved by an apply that died before its ledger commit."""
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.write({"supply.pg": WIDER_SCHEMA})
    cluster, _ = await bench.crashing(await write_of(bench, "create __cluster/ledger"))
    with pytest.raises(Crash):
        await apply(cluster, bench.agent, wanting())
    return await bench.open()


async def test_commands_that_only_look_warn_of_it_and_settle_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await moved_but_not_recorded(bench)

    seen = await status(cluster, bench.agent)
    planned = await make_plan(cluster, bench.agent)

    assert [d.code for d in seen.diagnostics] == ["cluster_recovery_pending"]
    assert "cluster_recovery_pending" in [d.code for d in planned.result.diagnostics]
    assert len(await cluster.store.list("__cluster/recoveries/")) == 1


async def test_rows_loaded_meanwhile_do_not_hide_that_the_step_happened(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await moved_but_not_recorded(bench)
    report, _ = await load(cluster, bench.sarah, "supply", LINES, "append", "rows")

    result = await apply(cluster, bench.agent, wanting())
    kinds = [c.kind for c in await cluster.graphs.history("supply")]
    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)

    assert report.commit is not None
    assert result.converged, result.diagnostics
    assert "cluster_recovery_rolled_forward" in [d.code for d in result.diagnostics]
    assert kinds.count("schema") == 1
    assert kinds[0] == "write"
    assert outcome.reply is not None
    assert outcome.reply.row_count == 2


async def test_refresh_settles_it_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await moved_but_not_recorded(bench)

    result = await refresh(cluster, bench.sarah, "look")
    state = await recorded(cluster)

    assert [d.code for d in result.diagnostics] == ["cluster_recovery_rolled_forward"]
    assert len(state.recovery_records) == 1
    assert await cluster.store.list("__cluster/recoveries/") == ()


async def test_the_op_of_the_dead_process_has_failed_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await moved_but_not_recorded(bench)

    await apply(cluster, bench.agent, wanting())
    ops = {op.status: op for op in (await cluster.journal.list())[:2]}

    assert set(ops) == {"success", "failed"}
    assert ops["failed"].reason == "the process that ran it ended before it was done"


async def test_a_sidecar_that_cannot_be_understood_is_told_and_bars_what_it_may_be_about(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    key = "__cluster/recoveries/01M7Y2EPRTEWD0F5S2VCD3P6X8.json"
    for data, code in (
        (b"{", "invalid_recovery_sidecar"),
        (b'{"schema_version": 3}', "unsupported_recovery_sidecar_version"),
    ):
        bench.objects[key] = data
        seen = await status(cluster, bench.agent)
        assert [d.code for d in seen.diagnostics] == [code]
    result = await apply(cluster, bench.agent, wanting())

    assert result.ok
    assert "unsupported_recovery_sidecar_version" in [d.code for d in result.diagnostics]
    assert {c.reason for c in result.changes} == {"cluster_recovery_pending"}
    assert key in bench.objects
    bench.objects[key] = b'{"schema_version": 3, "graph_id": "spare"}'
    assert (await apply(cluster, bench.agent, wanting())).converged
