"""A deletion waits for a human, dies with what it was given for, detaches, and can be undone."""

from pathlib import Path

import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.records import DecisionArtifact
from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import graph_list, load, run_query
from agentctl.engine.detached import graph_purge, graph_restore
from agentctl.engine.events import ApplyEvent
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    POLICY,
    QUERY,
    ROWS,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.clock import StillWorld

LINES = ROWS.splitlines(keepends=True)
DAY_S = 86_400.0


def packages(first: int, count: int) -> list[bytes]:
    return [
        f'{{"type": "Package", "data": {{"name": "n{number}"}}}}\n'.encode()
        for number in range(first, first + count)
    ]


async def waiting(bench: Bench) -> Cluster:
    """A cluster whose folder no longer declares `spare`, which holds two packages."""
    cluster = await bench.begun(folder_files("supply", "spare"))
    await apply(cluster, bench.sarah, wanting())
    await load(cluster, bench.sarah, "spare", LINES, "append", "rows")
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    return cluster


async def approved(bench: Bench) -> tuple[Cluster, DecisionArtifact]:
    cluster = await waiting(bench)
    return cluster, await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))


async def standing(bench: Bench, cluster: Cluster) -> str:
    planned = await make_plan(cluster, bench.agent)
    (need,) = planned.result.approvals_required
    return need.standing


def codes(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [d.code for d in diagnostics]


async def test_without_a_decision_the_graph_stays_and_the_rest_is_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await waiting(bench)
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})

    result = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert result.ok
    assert not result.converged
    assert [n.resource for n in result.approvals_required] == ["graph.spare"]
    assert "query.supply.every_package" in (await recorded(cluster)).applied_revision.resources
    assert result.resource_statuses["graph.spare"].conditions == ("approval_required",)
    assert (await cluster.graphs.observe("spare")).presence == "live"
    assert not again.state_written


async def test_with_open_gates_nothing_is_done_when_that_is_asked(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await waiting(bench)
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})

    result = await apply(cluster, bench.agent, wanting(without_gated=False))

    assert result.ok
    assert codes(result.diagnostics) == ["approval_required"]
    assert result.op is None
    assert "query.supply.all_packages" in (await recorded(cluster)).applied_revision.resources


async def test_an_approved_deletion_detaches_and_consumes_the_approval_once(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster, artifact = await approved(bench)

    result = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())
    state = await recorded(cluster)
    records = await cluster.approvals.records()
    tombstone = state.observations["graph.spare"]

    assert result.converged, result.diagnostics
    assert not again.state_written
    assert isinstance(tombstone, Tombstone)
    assert tombstone.approval_id == artifact.approval_id
    assert state.approval_records[artifact.approval_id].consumed_by_operation == result.op
    assert [c.approval_id for c in records.consumptions] == [artifact.approval_id]
    assert (await cluster.graphs.observe("spare")).presence == "detached"


async def test_a_denied_deletion_is_not_carried_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await waiting(bench)
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"), "deny")

    result = await apply(cluster, bench.agent, wanting())

    assert [n.standing for n in result.approvals_required] == ["denied"]
    assert (await cluster.graphs.observe("spare")).presence == "live"


async def test_an_approval_survives_what_does_not_concern_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})

    await refresh(cluster, bench.sarah, "look")
    await load(cluster, bench.sarah, "supply", LINES, "append", "rows")

    assert await standing(bench, cluster) == "approved"
    assert (await apply(cluster, bench.sarah, wanting())).converged


async def test_an_approval_dies_when_the_graph_grew_beyond_tolerance(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await load(cluster, bench.sarah, "spare", packages(0, 200), "append", "more rows")

    result = await apply(cluster, bench.agent, wanting())

    assert await standing(bench, cluster) == "stale"
    assert "approval_stale" in codes(result.diagnostics)
    assert (await cluster.graphs.observe("spare")).presence == "live"


async def test_the_effect_is_measured_again_under_the_seal(tmp_path: Path) -> None:
    """Rows that come in after the plan, while the apply runs, are seen before the graph goes."""
    bench = Bench(tmp_path)
    cluster, artifact = await approved(bench)

    async def grow(event: ApplyEvent) -> None:
        if event.kind == "step_started" and event.resource == "graph.spare":
            await load(cluster, bench.sarah, "spare", packages(0, 200), "append", "late rows")

    result = await apply(cluster, bench.agent, wanting(), grow)

    assert [(s.resource, s.outcome) for s in result.steps] == [("graph.spare", "waiting")]
    assert "approval_stale" in codes(result.diagnostics)
    assert [n.resource for n in result.approvals_required] == ["graph.spare"]
    assert not result.converged
    assert (await cluster.graphs.observe("spare")).presence == "live"
    assert artifact.approval_id not in (await recorded(cluster)).approval_records


async def test_an_approval_dies_when_the_graph_was_created_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    del bench.roots.by_id["spare"]
    bench.write(folder_files("supply", "spare"))
    await refresh(cluster, bench.sarah, "the root is gone")
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})

    result = await apply(cluster, bench.agent, wanting())

    assert [n.standing for n in result.approvals_required] == ["stale"]
    assert (await cluster.graphs.observe("spare")).presence == "live"


async def test_an_approval_does_not_open_a_gate_of_another_cluster(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = Bench(tmp_path / "one", world=StillWorld(tick_s=0.001, seed="one"))
    two = Bench(tmp_path / "two", world=StillWorld(tick_s=0.001, seed="two"))
    await approved(one)
    cluster = await waiting(two)
    consent = {k: v for k, v in one.objects.items() if k.startswith("__cluster/approvals/")}
    two.objects |= consent

    result = await apply(cluster, two.agent, wanting())

    assert consent
    assert [n.standing for n in result.approvals_required] == ["none"]
    assert (await cluster.graphs.observe("spare")).presence == "live"


async def test_a_detached_graph_comes_back_with_its_schema_and_queries(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await apply(cluster, bench.agent, wanting())

    restored = await graph_restore(cluster, bench.sarah, "spare", "it was used after all")
    outcome = await run_query(cluster, bench.sarah, "query.spare.all_packages", {}, 10)
    planned = await make_plan(cluster, bench.agent)

    assert restored.ok, restored.diagnostics
    assert outcome.reply is not None
    assert outcome.reply.row_count == 2
    assert [(n.resource, n.standing) for n in planned.result.approvals_required] == [
        ("graph.spare", "none")
    ]


async def test_a_graph_that_is_not_detached_is_neither_restored_nor_purged(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await waiting(bench)

    restored = await graph_restore(cluster, bench.sarah, "spare", "why not")
    purged = await graph_purge(cluster, bench.sarah, "nothing", "why not")

    assert codes(restored.diagnostics) == ["graph_not_detached"]
    assert codes(purged.diagnostics) == ["graph_not_detached"]


async def test_a_detached_graph_is_purged_when_its_time_is_over_and_not_before(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await apply(cluster, bench.agent, wanting())

    early = await graph_purge(cluster, bench.sarah, "spare", "now")
    bench.world.advance(7 * DAY_S + 1)
    late = await apply(cluster, bench.agent, wanting())
    restored = await graph_restore(cluster, bench.sarah, "spare", "too late")
    again = await apply(cluster, bench.agent, wanting())

    assert codes(early.diagnostics) == ["graph_purge_not_due"]
    assert late.ok
    assert (await cluster.graphs.observe("spare")).presence == "purged"
    assert codes(restored.diagnostics) == ["graph_restore_refused"]
    assert not again.state_written


async def test_the_old_incarnation_is_purged_though_a_new_graph_of_that_id_lives(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await apply(cluster, bench.agent, wanting())
    bench.write(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    await load(cluster, bench.sarah, "spare", LINES, "append", "new rows")
    bench.world.advance(7 * DAY_S + 1)

    await refresh(cluster, bench.sarah, "sweep")
    old = [o for o in (await recorded(cluster)).observations.values() if isinstance(o, Tombstone)]
    outcome = await run_query(cluster, bench.sarah, "query.spare.all_packages", {}, 10)

    assert [o.purged_at is not None for o in old] == [True]
    assert outcome.reply is not None
    assert outcome.reply.row_count == 2


async def test_a_lost_graph_is_created_again_only_after_a_decision(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.sarah, wanting())
    del bench.roots.by_id["supply"]

    held = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "graph.supply"))
    made = await apply(cluster, bench.agent, wanting())
    state = await recorded(cluster)

    assert [n.resource for n in held.approvals_required] == ["graph.supply"]
    assert "recreates_lost_graph" in codes(held.diagnostics)
    assert made.converged, made.diagnostics
    assert len(state.approval_records) == 1


async def test_deleting_the_policies_waits_for_a_human(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    policies = "policies:\n  base:\n    file: base.yaml\n    applies_to: [supply]\n"
    files = folder_files("supply") | {
        "cluster.yaml": cluster_yaml("supply", policies=policies),
        "base.yaml": POLICY,
    }
    cluster = await bench.begun(files)
    first = await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml("supply"), "base.yaml": None})

    held = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "policy.base"))
    gone = await apply(cluster, bench.agent, wanting())

    assert first.converged, first.diagnostics
    assert [n.resource for n in held.approvals_required] == ["policy.base"]
    assert "policy.base" not in (await recorded(cluster)).applied_revision.resources
    assert gone.converged
    assert len((await recorded(cluster)).approval_records) == 1


@pytest.mark.parametrize("command", ["restore", "purge"])
async def test_a_blank_intent_moves_no_detached_graph(tmp_path: Path, command: str) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await apply(cluster, bench.agent, wanting())
    act = graph_restore if command == "restore" else graph_purge

    refused = await act(cluster, bench.sarah, "spare", " ")

    assert codes(refused.diagnostics) == ["intent_required"]


async def test_graphs_are_listed_with_what_became_of_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster, _ = await approved(bench)
    await apply(cluster, bench.agent, wanting())

    listed = {g.id: g for g in await graph_list(cluster, bench.agent)}

    assert (listed["supply"].presence, listed["supply"].recorded) == ("live", True)
    assert (listed["spare"].presence, listed["spare"].recorded) == ("detached", False)
    assert listed["spare"].purge_after is not None
