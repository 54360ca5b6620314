"""A graph that moves keeps its data and its root; the ledger commit is the rename. Source: ADR 13."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.ledger.renaming import renamed
from agentctl.domain.ledger.roots import root_of
from agentctl.domain.ledger.state import AppliedResource, AppliedRevision, State
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load, run_query
from agentctl.engine.detached import graph_restore
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.engine.rollback import Undone, rollback, undoing
from agentctl.ids import graph_address
from agentctl.testing.builders import (
    POLICY,
    QUERY,
    ROWS,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    Files,
    Where,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import caller

LINES = ROWS.splitlines(keepends=True)
MORE = b'{"type": "Package", "data": {"name": "z"}}\n'


def moved(source: str, target: str, *others: str, more: str = "") -> Files:
    """The files of a folder in which one graph got another name."""
    move = f"moved: [{{from: graph.{source}, to: graph.{target}}}]\n"
    return {
        "cluster.yaml": cluster_yaml(target, *others) + move + more,
        f"{target}.pg": SCHEMA,
        f"{target}.gq": QUERY,
    }


async def loaded(bench: Bench, *more: str) -> Cluster:
    cluster = await bench.begun(folder_files("supply", *more))
    assert (await apply(cluster, bench.agent, wanting())).converged
    report, _ = await load(cluster, bench.sarah, "supply", LINES, "append", "first rows")
    assert report.commit is not None
    return cluster


async def names(cluster: Cluster, graph: str) -> list[object]:
    outcome = await run_query(cluster, caller("sarah"), f"query.{graph}.all_packages", {}, 10)
    assert outcome.reply is not None, outcome.diagnostics
    return [row["p.name"] for row in outcome.reply.rows]


@pytest.mark.parametrize("where", ["memory", pytest.param("lance", marks=pytest.mark.slow)])
async def test_a_moved_graph_has_its_rows_under_its_new_name(tmp_path: Path, where: Where) -> None:
    bench = Bench(tmp_path, where=where)
    cluster = await loaded(bench)
    bench.write(moved("supply", "parts"))

    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert [(c.resource, c.disposition, c.moved_from) for c in planned.result.changes] == [
        ("graph.parts", "applied", "graph.supply")
    ]
    assert applied.converged, applied.diagnostics
    assert [(s.resource, s.outcome) for s in applied.steps] == [("graph.parts", "done")]
    assert again.changes == ()
    assert not again.state_written
    cluster = await bench.open()
    assert await names(cluster, "parts") == ["a", "b"]
    assert await cluster.graphs.roots() == ("parts",)
    assert await cluster.graphs.port.roots() == ("supply",)
    assert not any(
        r.endswith("supply") for r in (await recorded(cluster)).applied_revision.resources
    )


async def test_a_moved_graph_is_loaded_migrated_refreshed_and_moved_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    bench.write(moved("supply", "parts"))
    assert (await apply(cluster, bench.agent, wanting())).converged

    line = b'{"type": "Package", "data": {"name": "c"}}\n'
    report, _ = await load(cluster, bench.sarah, "parts", [line], "append", "one more")
    bench.write({"parts.pg": WIDER_SCHEMA})
    widened = await apply(cluster, bench.agent, wanting())
    refreshed = await refresh(cluster, bench.sarah, "look")
    bench.write({**moved("parts", "supply"), "supply.pg": WIDER_SCHEMA})
    back = await apply(cluster, bench.agent, wanting())

    assert report.rows["Package"] == 1
    assert widened.converged, widened.diagnostics
    assert refreshed.ok, refreshed.diagnostics
    assert back.converged, back.diagnostics
    assert await names(cluster, "supply") == ["a", "b", "c"]
    assert (await recorded(cluster)).applied_revision.resources["graph.supply"].root is None


async def test_a_new_graph_of_the_old_name_gets_a_root_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    bench.write(moved("supply", "parts"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml("parts", "supply")})

    applied = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert await names(cluster, "supply") == []
    assert await names(cluster, "parts") == ["a", "b"]
    assert await cluster.graphs.port.roots() == ("supply", "supply~2")
    assert await cluster.graphs.roots() == ("parts", "supply")


async def test_a_moved_graph_is_deleted_restored_and_purged_where_it_lies(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench, "spare")
    bench.write(moved("supply", "parts", "spare"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml("spare")})
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    deleted = await apply(cluster, bench.agent, wanting())
    restored = await graph_restore(cluster, bench.sarah, "parts", "it was needed")
    there = await names(cluster, "parts")
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    await apply(cluster, bench.agent, wanting())
    bench.world.advance(timedelta(days=8).total_seconds())
    await refresh(cluster, bench.sarah, "time is over")

    assert deleted.converged, deleted.diagnostics
    assert restored.ok, restored.diagnostics
    assert there == ["a", "b"]
    assert (await cluster.graphs.port.observe("supply")).presence == "purged"


async def test_protection_and_policies_follow_a_graph_that_moves(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    policies = "policies: {p: {file: p.yaml, applies_to: [supply]}}\n"
    files = folder_files("supply") | {"p.yaml": POLICY}
    protect = "protect: [graph.supply]\n"
    cluster = await bench.begun(
        files | {"cluster.yaml": cluster_yaml("supply", policies=policies) + protect}
    )
    await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "cluster"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    more = policies.replace("supply", "parts") + protect.replace("supply", "parts")
    bench.write(moved("supply", "parts", more=more))

    waiting = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    applied = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in waiting.approvals_required] == ["graph.parts"]
    assert [c.resource for c in waiting.changes] == ["graph.parts"]
    assert applied.converged, applied.diagnostics
    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.protected == ("graph.parts",)
    resources = head.envelope.state.applied_revision.resources
    assert resources["policy.p"].applies_to == ("graph.parts",)


async def test_a_graph_does_not_move_onto_a_root_that_nobody_records(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench, "parts")
    bench.write({"cluster.yaml": cluster_yaml("supply") + "forget: [graph.parts]\n"})
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    assert (await apply(cluster, bench.agent, wanting())).converged
    bench.write(moved("supply", "parts"))

    refused = await apply(cluster, bench.agent, wanting())
    ended = await cluster.journal.get(refused.op or "")

    assert not refused.ok
    assert [d.code for d in refused.diagnostics if d.severity == "error"] == ["graph_move_failed"]
    assert ended is not None
    assert ended.status == "failed"
    assert await names(cluster, "supply") == ["a", "b"]


async def test_a_moved_graph_keeps_the_settings_it_has_until_they_are_planned(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    allow = "external_blobs: {allow: [{base: 's3://bucket/a/', scope: embedded_only}]}"
    text = (
        f"version: 1\ngraphs: {{parts: {{schema: supply.pg, queries: supply.gq, {allow}}}}}\n"
        "moved: [{from: graph.supply, to: graph.parts}]\n"
    )
    bench.write({"cluster.yaml": text})

    first = await apply(cluster, bench.agent, wanting())
    second = await apply(cluster, bench.agent, wanting())

    assert not first.converged
    resources = (await recorded(cluster)).applied_revision.resources
    assert resources["graph.parts"].external_blob_policy is None
    assert [n.resource for n in second.approvals_required] == ["graph.parts"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=12))
def test_no_two_graphs_ever_share_a_root(moves: list[tuple[str, str]]) -> None:
    resources = {f"graph.{g}": AppliedResource(digest=g) for g in "ab"}
    state = State(applied_revision=AppliedRevision(resources=resources))

    for source, target in moves:
        known = state.applied_revision.resources
        if graph_address(source) in known and graph_address(target) not in known:
            state = renamed(state, graph_address(source), graph_address(target))

    roots = [root_of(state, g) for g in "abcd"]
    own = [
        root_of(state, g) for g in "abcd" if graph_address(g) in state.applied_revision.resources
    ]
    assert sorted(own) == ["a", "b"]
    assert len({*own}) == 2
    assert all(r not in own for r, g in zip(roots, "abcd", strict=True) if g not in _known(state))


def _known(state: State) -> set[str]:
    return {a.removeprefix("graph.") for a in state.applied_revision.resources}


async def test_a_rollback_across_a_move_moves_the_graph_back_with_its_rows(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    bench.write(moved("supply", "parts"))
    renaming = await apply(cluster, bench.agent, wanting())
    undone = await undoing(cluster, to=None, op=renaming.op)
    assert isinstance(undone, Undone)

    back = await rollback(cluster, bench.agent, undone, wanting("the old name was right"))
    again = await undoing(cluster, to=None, op=back.applied.op)
    assert isinstance(again, Undone)
    forth = await rollback(cluster, bench.agent, again, wanting("it was not"))

    assert [(c.resource, c.moved_from, c.classes) for c in back.applied.changes] == [
        ("graph.supply", "graph.parts", ("reversible",))
    ]
    assert back.applied.converged, back.applied.diagnostics
    assert [(c.resource, c.moved_from) for c in forth.applied.changes] == [
        ("graph.parts", "graph.supply")
    ]
    assert forth.applied.converged, forth.applied.diagnostics
    assert await names(cluster, "parts") == ["a", "b"]


async def test_a_rollback_across_a_move_and_a_new_schema_takes_two_steps(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    head = await cluster.ledger.head()
    assert head is not None
    bench.write({**moved("supply", "parts"), "parts.pg": WIDER_SCHEMA})
    await apply(cluster, bench.agent, wanting())
    assert (await apply(cluster, bench.agent, wanting())).converged
    undone = await undoing(cluster, to=head.seq, op=None)
    assert isinstance(undone, Undone)

    first = await rollback(cluster, bench.agent, undone, wanting("back"))
    second = await rollback(cluster, bench.agent, undone, wanting("back"))

    assert [c.disposition for c in first.applied.changes] == ["applied"]
    assert second.applied.converged, second.applied.diagnostics
    assert await names(cluster, "supply") == ["a", "b"]


async def test_a_policy_that_was_moved_goes_back_under_its_name_without_a_human(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    policy = "policies: {{{}: {{file: p.yaml, applies_to: [{}]}}}}\n"
    files = folder_files("supply") | {"p.yaml": POLICY}
    files["cluster.yaml"] = cluster_yaml("supply", policies=policy.format("old", "supply"))
    cluster = await bench.begun(files)
    assert (await apply(cluster, bench.agent, wanting())).converged
    text = cluster_yaml("supply", policies=policy.format("new", "supply"))
    bench.write({"cluster.yaml": text + "moved: [{from: policy.old, to: policy.new}]\n"})
    renaming = await apply(cluster, bench.agent, wanting())
    assert renaming.converged, renaming.diagnostics
    undone = await undoing(cluster, to=None, op=renaming.op)
    assert isinstance(undone, Undone)

    back = await rollback(cluster, bench.agent, undone, wanting("back"))

    assert [(c.resource, c.moved_from) for c in back.applied.changes] == [
        ("policy.old", "policy.new")
    ]
    assert back.applied.converged, back.applied.diagnostics


async def test_data_that_goes_back_across_a_move_waits_until_the_graph_has_its_name(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await loaded(bench)
    bench.write(moved("supply", "parts"))
    renaming = await apply(cluster, bench.agent, wanting())
    await load(cluster, bench.sarah, "parts", [MORE], "append", "more rows")
    undone = await undoing(cluster, to=None, op=renaming.op, with_data=True)
    assert isinstance(undone, Undone)

    first = await rollback(cluster, bench.agent, undone, wanting("back"))
    second = await rollback(cluster, bench.agent, undone, wanting("back"))

    assert not first.applied.converged
    assert [c.resource for c in first.applied.changes] == ["graph.supply"]
    assert [(c.resource, c.reason) for c in second.applied.changes] == [
        ("graph.supply@data", "approval_required")
    ]
