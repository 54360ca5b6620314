"""Schema changes carried out: renames, gates on what narrows, and what graphs cannot hold yet."""

from pathlib import Path

import pytest

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.planning import make_plan
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)

LINES = ROWS.splitlines(keepends=True)
TIGHTER = SCHEMA.replace("version: String?", "version: String")


async def filled(bench: Bench, *, rows: list[bytes] = LINES) -> Cluster:
    """A cluster with one graph that holds rows."""
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    report, _ = await load(cluster, bench.sarah, "supply", rows, "append", "rows")
    assert report.diagnostics == ()
    return cluster


@pytest.mark.parametrize("where", ["memory", "lance"])
async def test_a_renamed_type_keeps_its_rows_through_an_apply(tmp_path: Path, where: str) -> None:
    bench = Bench(tmp_path, where="lance" if where == "lance" else "memory")
    cluster = await filled(bench)
    renamed = SCHEMA.replace("node Package {", 'node Module @rename_from("Package") {')
    renamed = renamed.replace("name: String @key", 'title: String @key @rename_from("name")')
    bench.write(
        {
            "supply.pg": renamed.replace("Package -> Package", "Module -> Module"),
            "supply.gq": QUERY.replace("Package", "Module").replace("p.name", "p.title"),
        }
    )

    applied = await apply(cluster, bench.agent, wanting())
    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)

    assert applied.converged, applied.diagnostics
    assert outcome.reply is not None, outcome.diagnostics
    assert [r["p.title"] for r in outcome.reply.rows] == ["a", "b"]


async def test_a_narrowing_schema_waits_and_comes_with_the_decision(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await filled(bench, rows=LINES[:1])
    bench.write({"supply.pg": TIGHTER})

    waiting = await apply(cluster, bench.agent, wanting())
    artifact = await decide(cluster, await ask(cluster, bench.agent, "schema.supply"))
    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert not waiting.converged
    assert [n.resource for n in waiting.approvals_required] == ["schema.supply"]
    assert waiting.resource_statuses["schema.supply"].conditions == ("approval_required",)
    assert applied.converged, applied.diagnostics
    assert not again.state_written
    state = await recorded(cluster)
    assert state.approval_records[artifact.approval_id].consumed_by_operation == applied.op
    assert [c.kind for c in await cluster.graphs.history("supply")] == ["schema", "write", "create"]


async def test_a_decision_does_not_make_rows_fit_and_is_not_used_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await filled(bench)
    bench.write({"supply.pg": TIGHTER})
    artifact = await decide(cluster, await ask(cluster, bench.agent, "schema.supply"))

    applied = await apply(cluster, bench.agent, wanting())

    assert not applied.ok
    (failed,) = [d for d in applied.diagnostics if d.code == "schema_apply_failed"]
    assert "1 row without Package.version" in failed.message
    assert artifact.approval_id not in (await recorded(cluster)).approval_records
    assert [c.kind for c in await cluster.graphs.history("supply")] == ["write", "create"]


async def test_a_decision_about_other_steps_opens_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await filled(bench, rows=LINES[:1])
    bench.write({"supply.pg": TIGHTER})
    await decide(cluster, await ask(cluster, bench.agent, "schema.supply"))
    bench.write({"supply.pg": TIGHTER.replace("marker: String?", "marker: String")})

    applied = await apply(cluster, bench.agent, wanting())

    assert not applied.converged
    assert [n.standing for n in applied.approvals_required] == ["stale"]
    assert [c.kind for c in await cluster.graphs.history("supply")] == ["write", "create"]


async def test_a_schema_that_graphs_cannot_hold_stops_its_graph_and_nothing_else(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply", "spare")
    cluster = await bench.begun(
        files | {"supply.pg": SCHEMA.replace("version: String?", "version: Vector(100000)?")}
    )

    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert not planned.result.ok
    assert [(d.code, d.path) for d in applied.diagnostics if d.severity == "error"] == [
        ("not_supported_yet", "schema.supply")
    ]
    assert not applied.ok
    assert not applied.converged
    assert await cluster.graphs.roots() == ("spare",)
    resources = (await recorded(cluster)).applied_revision.resources
    assert sorted(resources) == ["graph.spare", "query.spare.all_packages", "schema.spare"]
    assert applied.resource_statuses["schema.supply"].conditions == ("not_supported_yet",)
    assert not again.state_written


async def test_an_update_that_graphs_cannot_hold_leaves_the_graph_as_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await filled(bench)
    bench.write(
        {
            "supply.pg": SCHEMA.replace("version: String?", "version: String? v: Vector(100000)?"),
            "supply.gq": QUERY.replace("asc", "desc"),
            "cluster.yaml": cluster_yaml("supply"),
        }
    )

    applied = await apply(cluster, bench.agent, wanting())
    outcome = await run_query(cluster, bench.agent, "query.supply.all_packages", {}, 10)

    assert not applied.ok
    assert [c.kind for c in await cluster.graphs.history("supply")] == ["write", "create"]
    assert outcome.reply is not None
    assert [r["p.name"] for r in outcome.reply.rows] == ["a", "b"], "the query was held back too"


async def test_a_rename_hint_that_cannot_hold_stops_the_apply(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await filled(bench)
    bench.write({"supply.pg": SCHEMA + 'node New @rename_from("Nothing") {}\n'})

    applied = await apply(cluster, bench.agent, wanting())

    assert [(d.code, d.rule) for d in applied.diagnostics] == [
        ("schema_rename_invalid", "OG-RN-901")
    ]
    assert applied.op is None
