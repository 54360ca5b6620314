"""A ledger that was lost is made again from the graphs; what they do not hold is told, not invented."""

from pathlib import Path

import pytest

from agentctl.domain.ledger.state import GraphObserved, Tombstone
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.detached import graph_purge, graph_restore
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import import_, refresh
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
from agentctl.testing.crash import NEVER, Crash
from agentctl.testing.graphs import MemoryRoot

LINES = ROWS.splitlines(keepends=True)
LEDGER = ("__cluster/ledger", "__cluster/state")


async def two_graphs(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    await load(cluster, bench.sarah, "spare", LINES, "append", "rows")
    return cluster


async def deleted_spare(bench: Bench) -> str:
    """Deletes a graph as an approval lets it; returns the approval."""
    cluster = await two_graphs(bench)
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    decided = await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    result = await apply(cluster, bench.agent, wanting())
    assert result.converged, result.diagnostics
    return decided.approval_id


def lose(bench: Bench, *prefixes: str) -> None:
    bench.objects = {k: v for k, v in bench.objects.items() if not k.startswith(prefixes)}


async def test_what_the_graphs_do_not_hold_is_told_with_what_is_still_on_record(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await two_graphs(bench)
    lose(bench, *LEDGER)
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "the ledger was lost")
    (told,) = [d for d in result.diagnostics if d.code == "ledger_rebuilt"]

    assert result.ok
    assert "spare, supply" in told.message
    assert told.detail is not None
    assert "principals: on record" in told.detail
    assert "decisions: none on record" in told.detail


async def test_lost_principals_and_audit_are_named_as_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await two_graphs(bench)
    lose(bench, *LEDGER, "__cluster/principals", "__cluster/audit", "__cluster/binding")
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "all of it was lost")
    (told,) = [d for d in result.diagnostics if d.code == "ledger_rebuilt"]

    assert told.detail is not None
    assert "principals: none; a new chain begins" in told.detail
    assert "audit: nothing from before" in told.detail


async def test_a_new_cluster_is_told_of_nothing_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "begin")

    assert result.diagnostics == ()


async def test_an_approval_that_was_consumed_stays_consumed_when_the_ledger_is_lost(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    approval = await deleted_spare(bench)
    before = (await recorded(await bench.open())).approval_records
    lose(bench, *LEDGER)
    cluster = await bench.open()

    await import_(cluster, bench.sarah, "the ledger was lost")
    after = (await recorded(cluster)).approval_records

    assert list(before) == list(after) == [approval]
    assert after[approval].consumed_by_operation == before[approval].consumed_by_operation


async def test_a_detached_graph_can_be_restored_from_a_rebuilt_ledger_and_is_not_purged(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await deleted_spare(bench)
    lose(bench, *LEDGER)
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "the ledger was lost")
    tombstone = (await recorded(cluster)).observations["graph.spare"]
    bench.world.advance(30 * 24 * 3600)
    await refresh(cluster, bench.sarah, "a month later")
    purged = await graph_purge(cluster, bench.sarah, "spare", "room")
    restored = await graph_restore(cluster, bench.sarah, "spare", "it is missed")
    live = await cluster.graphs.observe("spare")

    assert "graph_tombstone_rebuilt" in [d.code for d in result.diagnostics]
    assert isinstance(tombstone, Tombstone)
    assert tombstone.purge_after is None
    assert [d.code for d in purged.diagnostics] == ["graph_purge_not_due"]
    assert restored.ok, restored.diagnostics
    assert live.rows["Package"] == 2


async def test_a_root_that_nobody_declares_is_told_and_not_adopted_until_it_is_declared(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await two_graphs(bench)
    lose(bench, *LEDGER)
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    cluster = await bench.open()

    imported = await import_(cluster, bench.sarah, "the ledger was lost")
    left = (await recorded(cluster)).applied_revision.resources
    bench.write({"cluster.yaml": cluster_yaml("supply", "spare")})
    declared = await refresh(cluster, bench.sarah, "spare is ours")
    adopted = (await recorded(cluster)).applied_revision.resources

    assert imported.ok
    (told,) = [d for d in imported.diagnostics if d.code == "graph_undeclared"]
    assert told.path == "graph.spare"
    assert sorted(left) == ["graph.supply", "schema.supply"]
    assert declared.diagnostics == ()
    assert {"graph.spare", "schema.spare"} <= set(adopted)


async def test_a_root_whose_name_is_no_graphs_id_is_told_whatever_it_holds(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await deleted_spare(bench)
    lose(bench, *LEDGER)
    bench.roots.by_id["spare~2"] = bench.roots.by_id.pop("spare")
    cluster = await bench.open()

    imported = await import_(cluster, bench.sarah, "the ledger was lost")
    again = await refresh(cluster, bench.sarah, "look")

    assert imported.ok
    for result in (imported, again):
        told = [d for d in result.diagnostics if d.code == "graph_undeclared"]
        assert ["holds a detached graph of" in d.message for d in told] == [True]
    assert "graph.spare~2" not in (await recorded(cluster)).observations


async def test_a_declared_graph_with_another_schema_is_drifted_and_recorded_as_it_is(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await two_graphs(bench)
    live = await cluster.graphs.observe("supply")
    lose(bench, *LEDGER)
    bench.write({"supply.pg": WIDER_SCHEMA})
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "the ledger was lost")
    state = await recorded(cluster)
    observed = state.observations["graph.supply"]
    applied = await apply(cluster, bench.agent, wanting())

    assert result.ok
    assert state.resource_statuses["schema.supply"].conditions == ("schema_mismatch",)
    assert state.applied_revision.resources["schema.supply"].digest == live.source_digest
    assert isinstance(observed, GraphObserved)
    assert observed.schema_matches_desired is False
    assert applied.converged, applied.diagnostics


async def test_a_root_that_cannot_be_read_prevents_the_import(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    bench.roots.by_id["supply"] = MemoryRoot()
    bench.roots.by_id["supply"].foreign = "another program owns it"
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "begin")

    assert not result.ok
    assert [d.code for d in result.diagnostics] == ["graph_observation_error"]
    assert await cluster.ledger.head() is None


async def test_a_step_that_was_interrupted_before_the_ledger_was_lost_is_settled_by_the_import(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    saved = dict(bench.objects)
    watched, store = await bench.crashing(NEVER)
    assert (await apply(watched, bench.agent, wanting())).converged
    dies_at = next(
        n for n, label in enumerate(store.labels, 1) if label.startswith("create __cluster/ledger/")
    )
    bench.objects, bench.roots.by_id = saved, {}
    dying, _ = await bench.crashing(dies_at)
    with pytest.raises(Crash):
        await apply(dying, bench.agent, wanting())
    lose(bench, *LEDGER)
    cluster = await bench.open()

    result = await import_(cluster, bench.sarah, "the ledger was lost")
    state = await recorded(cluster)

    assert result.ok, result.diagnostics
    assert "cluster_recovery_rolled_forward" in [d.code for d in result.diagnostics]
    assert len(state.recovery_records) == 1
    assert "graph.supply" in state.applied_revision.resources
    assert (await read_sidecars(cluster.store)).sidecars == ()


async def test_an_older_copy_of_a_root_is_told_as_lost_commits(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await two_graphs(bench)
    await refresh(cluster, bench.sarah, "look")
    bench.roots.by_id["spare"].commits.pop()

    planned = await make_plan(cluster, bench.agent)
    first = await refresh(cluster, bench.sarah, "look")
    status = (await recorded(cluster)).resource_statuses["graph.spare"]
    second = await refresh(cluster, bench.sarah, "look again")

    assert planned.result.changes == ()
    assert [d.code for d in first.diagnostics] == ["graph_rewound"]
    assert status.conditions == ("graph_rewound",)
    assert second.diagnostics == ()
    assert (await recorded(cluster)).resource_statuses["graph.spare"].status == "applied"


async def test_a_schema_drift_is_over_when_the_folder_takes_it_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await two_graphs(bench)
    before = dict(bench.objects)
    bench.write({"supply.pg": WIDER_SCHEMA})
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.objects = before  # The ledger is put back; the graph keeps the wider schema.
    cluster = await bench.open()
    bench.write(folder_files("supply"))
    bench.write({"cluster.yaml": cluster_yaml("supply", "spare")})
    await refresh(cluster, bench.sarah, "look")
    drifted = (await recorded(cluster)).resource_statuses["schema.supply"]
    await refresh(cluster, bench.sarah, "look again")
    still = (await recorded(cluster)).resource_statuses["schema.supply"]

    bench.write({"supply.pg": WIDER_SCHEMA})
    await refresh(cluster, bench.sarah, "the folder has it now")
    settled = (await recorded(cluster)).resource_statuses["schema.supply"]

    assert drifted.conditions == still.conditions == ("schema_mismatch",)
    assert settled.status == "applied"


async def test_a_lost_payload_of_an_approval_rule_takes_the_rule_away_from_nobody(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply")
    rule = "approvals:\n  all: {match: {classes: [irreversible]}, need: {count: 1}}\n"
    files["cluster.yaml"] = f"{cluster_yaml('supply')}{rule}"
    cluster = await bench.begun(files)
    request = await ask(cluster, bench.agent, "approval.all")
    await decide(cluster, request)
    assert (await apply(cluster, bench.agent, wanting())).converged
    (key,) = [k for k in bench.objects if k.startswith("__cluster/resources/approval/")]
    del bench.objects[key]

    healed = await refresh(cluster, bench.sarah, "look")
    back = key in bench.objects
    del bench.objects[key]
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    lost = await refresh(cluster, bench.sarah, "look")
    state = await recorded(cluster)

    assert healed.diagnostics == ()
    assert back
    assert [d.code for d in lost.diagnostics] == ["catalog_payload_missing"]
    assert "approval.all" in state.applied_revision.resources
    assert state.resource_statuses["approval.all"].status == "error"
