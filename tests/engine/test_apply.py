"""An apply makes the cluster what the folder declares, and writes nothing when it is that already."""

from pathlib import Path

from agentctl.engine.apply import apply
from agentctl.engine.data import load, run_query
from agentctl.engine.planning import make_plan
from agentctl.engine.validate import validate
from agentctl.testing.builders import ROWS, Bench, folder_files, wanting


async def test_a_declared_graph_is_created_loaded_and_queried(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    checked = await validate(cluster, bench.agent)
    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())
    report, op = await load(
        cluster, bench.sarah, "supply", ROWS.splitlines(keepends=True), "append", "first rows"
    )
    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)

    assert checked.ok
    assert [(c.resource, c.operation, c.disposition) for c in planned.result.changes] == [
        ("graph.supply", "create", "applied"),
        ("query.supply.all_packages", "create", "applied"),
        ("schema.supply", "create", "applied"),
    ]
    assert applied.ok, applied.diagnostics
    assert applied.converged
    assert applied.applied_count == 3
    assert report.rows == {"Package": 2, "DependsOn": 1}, report.diagnostics
    assert op is not None
    assert op.status == "success"
    assert outcome.reply is not None, outcome.diagnostics
    assert [r["p.name"] for r in outcome.reply.rows] == ["a", "b"]
