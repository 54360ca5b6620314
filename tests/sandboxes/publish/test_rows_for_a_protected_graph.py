"""Rows for a protected graph wait for a human, and come by an apply. Source: sandboxes 4, ChangeSet; ADR 27."""

import contextlib
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.engine.apply import apply
from agentctl.engine.graph_data import place_of
from agentctl.engine.lending import lending_of
from agentctl.engine.planning import make_plan
from agentctl.engine.proposals import standing_merges
from agentctl.engine.rollback import Undone, rollback, undoing
from agentctl.engine.sandbox_merging import refusal
from agentctl.engine.sandboxed import inside
from agentctl.testing.builders import QUERY, WIDER_SCHEMA, ask, decide, wanting
from agentctl.testing.crash import Crash
from agentctl.testing.sampling import sampled
from agentctl.views.decision import decision_page, page_text
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.publish.publish_rig import NEWER, Publisher, publisher
from tests.sandboxes.publish.publish_rig import ROW as NOTED
from tests.sandboxes.publish.rows_rig import OTHER, ROW, home, with_a_row

ONLY_B = """\
{"type": "Package", "data": {"name": "b"}}
{"edge": "DependsOn", "from": "b", "to": "b", "data": {}}
"""
PROTECTED = "protect:\n  - graph.supply"


async def proposed(at: Publisher, box: str, **more: object) -> Any:
    """Returns what stands in each plan now."""
    answer = await at.must("sandbox_merge", by=at.bench.sarah, **home(box, **more))
    return answer.proposed


async def approve(at: Publisher, resource: str) -> None:
    await decide(at.cluster, await ask(at.cluster, at.bench.sarah, resource))


async def waits(at: Publisher) -> list[tuple[str, str]]:
    planned = await make_plan(at.cluster, at.bench.sarah)
    assert planned.plan is not None, planned.result.diagnostics
    return [(gate.resource, gate.reason) for gate in planned.gates]


async def test_rows_for_a_protected_graph_wait_for_a_human_and_then_come_by_an_apply(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        box = await with_a_row(at)
        made = await at.must("sandbox_changeset", by=at.bench.sarah, in_=box)

        asked = await proposed(at, box)
        again = await proposed(at, box)
        alone = await apply(at.cluster, at.bench.sarah, wanting())
        waiting = await waits(at)
        before = await names_in(at.cluster, "supply")
        await approve(at, asked.resource)
        done = await apply(at.cluster, at.bench.sarah, wanting())
        more = await apply(at.cluster, at.bench.sarah, wanting())

        assert [w.reason for w in made.body.merge.graphs[0].waits] == ["approval"]
        assert again == asked
        assert asked.resource == f"graph.supply@{box}"
        assert waiting == [
            (
                asked.resource,
                f"rows of sandbox {asked.name} come into supply, which is protected:"
                " Package +1 ~0 -0",
            )
        ]
        assert (alone.converged, before) == (False, ["a", "b"])
        assert [c.classes for c in alone.changes] == [("irreversible",)]
        assert [(s.resource, s.outcome) for s in done.steps] == [(asked.resource, "done")]
        assert done.converged, done.diagnostics
        assert more.changes == ()
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        (commit,) = await at.cluster.graphs.history("supply", limit=1)
        assert (commit.kind, commit.op) == ("merge", done.op)
        assert commit.intent == "they are good"
        assert await waits(at) == []
        late = await at.must("sandbox_merge", by=at.bench.sarah, **home(box))
        assert (late.report.outcome, late.proposed) == ("already_up_to_date", None)


async def test_a_consent_is_to_the_rows_of_then_and_to_no_later_ones(tmp_path: Path) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        box = await with_a_row(at)
        first = await proposed(at, box)
        await approve(at, first.resource)
        later = ROW.replace('"c"', '"d"')
        await at.must("sandbox_write", by=sarah, in_=box, graph="supply", rows=later)

        await apply(at.cluster, sarah, wanting())

        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        second = await proposed(at, box)
        assert (second.commit, second.resource) == (first.commit + 1, first.resource)
        unasked = await apply(at.cluster, sarah, wanting())
        assert [s.outcome for s in unasked.steps] == []
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        await approve(at, second.resource)
        assert (await apply(at.cluster, sarah, wanting())).converged
        assert await names_in(at.cluster, "supply") == ["a", "b", "c", "d"]


async def test_a_proposal_made_anew_is_consented_to_anew(tmp_path: Path) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        box = await with_a_row(at)
        first = await proposed(at, box)
        await approve(at, first.resource)
        later = ROW.replace('"c"', '"d"')
        await at.must("sandbox_write", by=sarah, in_=box, graph="supply", rows=later)
        second = await proposed(at, box)

        done = await apply(at.cluster, sarah, wanting())

        assert second.digest != first.digest
        assert not done.converged
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_a_proposal_goes_with_its_sandbox_or_when_it_is_taken_back(tmp_path: Path) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        box = await with_a_row(at)

        first = await proposed(at, box)
        gone = await proposed(at, box, withdraw=True)
        none = await proposed(at, box, withdraw=True)
        after = await waits(at)
        await proposed(at, box)
        await at.must("sandbox_close", by=sarah, in_=box)

        assert (gone, none, after) == (first, None, [])
        assert await waits(at) == []
        assert not list((at.bench.path / "__cluster").glob("merges/*"))


async def test_rows_in_conflict_are_not_proposed_nor_merged_when_they_are_so_by_then(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        box = (await at.must("sandbox_open", by=sarah)).sandbox
        theirs = {"in_": box, "graph": "supply", "rows": OTHER % "2", "mode": "merge"}
        await at.must("sandbox_write", by=sarah, **theirs)
        asked = await proposed(at, box)
        await approve(at, asked.resource)
        ours = {"graph": "supply", "rows": OTHER % "3", "mode": "merge", "intent": "meanwhile"}
        await at.must("load_rows", by=sarah, **ours)

        done = await apply(at.cluster, sarah, wanting())
        refused = await at.ask("sandbox_merge", by=sarah, **home(box))

        assert [(r.type, r.updated) for r in asked.rows] == [("Package", 1)]
        assert [(s.outcome, s.reason) for s in done.steps] == [
            ("not_done", "sandbox_merge_refused")
        ]
        assert {d.code for d in done.diagnostics if d.severity == "error"} == {
            "merge_conflict",
            "sandbox_merge_refused",
        }
        assert not refused.ok
        (kept,) = await standing_merges(at.cluster)
        assert kept == asked
        assert (await waits(at))[0][0] == asked.resource


async def test_protection_that_is_lifted_lets_rows_home_and_ends_the_proposal(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        box = await with_a_row(at)
        await proposed(at, box)
        text = (at.bench.path / "cluster.yaml").read_text()
        at.bench.write({"cluster.yaml": text.replace(PROTECTED, "")})
        await approve(at, "cluster")
        await apply(at.cluster, sarah, wanting())

        merged = await at.must("sandbox_merge", by=sarah, **home(box))

        assert merged.report.outcome == "fast_forward"
        assert await waits(at) == []


async def test_rows_that_came_by_an_apply_are_taken_back_by_a_rollback_of_it(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        asked = await proposed(at, await with_a_row(at))
        await approve(at, asked.resource)
        done = await apply(at.cluster, sarah, wanting())
        undone = await undoing(at.cluster, to=None, op=done.op)
        assert isinstance(undone, Undone)
        request = wanting("they were not good")

        waiting = await rollback(at.cluster, sarah, undone, request)
        kept = await names_in(at.cluster, "supply")
        planned = await make_plan(at.cluster, sarah, target=undone.of.target, keep=True)
        assert planned.plan is not None
        (gate,) = planned.gates
        digest, config = planned.plan.digest, planned.plan.config_digest
        filed = await at.cluster.approvals.request(
            sarah, gate, plan_digest=digest, config_digest=config, intent="not good"
        )
        assert isinstance(filed, ApprovalRequest)
        await decide(at.cluster, filed)
        back = await rollback(at.cluster, sarah, undone, request)

        needs = waiting.applied.approvals_required
        assert [need.resource for need in needs] == ["graph.supply@data"]
        assert kept == ["a", "b", "c"]
        assert back.applied.converged, back.applied.diagnostics
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_what_a_human_reads_is_what_the_merge_does_to_the_rows_of_now(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        box = await with_a_row(at)
        await approve(at, (await proposed(at, box)).resource)
        await apply(at.cluster, sarah, wanting())
        await at.must(
            "sandbox_write", by=sarah, in_=box, graph="supply", mode="overwrite", rows=ONLY_B
        )

        asked = await proposed(at, box)
        (waiting,) = await waits(at)

        told = [(r.type, r.inserted, r.updated, r.deleted) for r in asked.rows]
        assert told == [("Package", 0, 0, 2), ("DependsOn", 1, 0, 1)]
        assert waiting[1].endswith("Package +0 ~0 -2, DependsOn +1 ~0 -1")


async def test_a_rule_about_the_graph_holds_for_rows_that_come_into_it(tmp_path: Path) -> None:
    two = "\napprovals:\n  two:\n    match: {resources: [graph.supply]}\n    need: {count: 2}\n"
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        text = (at.bench.path / "cluster.yaml").read_text()
        at.bench.write({"cluster.yaml": text + two})
        await approve(at, "approval.two")
        assert (await apply(at.cluster, sarah, wanting())).converged
        asked = await proposed(at, await with_a_row(at))
        await approve(at, asked.resource)

        alone = await apply(at.cluster, sarah, wanting())

        assert not alone.converged
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_a_busy_or_frozen_graph_leaves_the_merge_for_another_apply(tmp_path: Path) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        asked = await proposed(at, await with_a_row(at))
        await approve(at, asked.resource)

        lease = at.cluster.leases.hold("graph.supply@main", principal="bob", operation="load")
        async with lease:
            busy = await apply(at.cluster, sarah, wanting())
        frozen = await at.must("freeze", by=sarah, scope="graph.supply", intent="wait")
        held = await apply(at.cluster, sarah, wanting())

        assert (busy.converged, held.converged) == (False, False)
        assert [s.reason for s in busy.steps] == ["graph_busy"]
        assert [c.reason for c in held.changes] == ["frozen"]
        assert frozen is not None
        assert await names_in(at.cluster, "supply") == ["a", "b"]
        assert await standing_merges(at.cluster) == (asked,)
        undone = await undoing(at.cluster, to=None, op=busy.op)
        assert not isinstance(undone, Undone)


async def test_two_sandboxes_come_home_by_one_apply_and_go_back_by_one_rollback(
    tmp_path: Path,
) -> None:
    one_by_one = f"{PROTECTED}\napply:\n  concurrency: 1"
    async with publisher(tmp_path, protect=one_by_one) as at:
        sarah = at.bench.sarah
        first = await with_a_row(at)
        second = (await at.must("sandbox_open", by=sarah)).sandbox
        other = {"in_": second, "graph": "supply", "rows": ROW.replace('"c"', '"d"')}
        await at.must("sandbox_write", by=sarah, **other)
        for box in (first, second):
            await approve(at, (await proposed(at, box)).resource)

        done = await apply(at.cluster, sarah, wanting())
        undone = await undoing(at.cluster, to=None, op=done.op)

        assert done.converged, done.diagnostics
        assert await names_in(at.cluster, "supply") == ["a", "b", "c", "d"]
        assert isinstance(undone, Undone)
        planned = await make_plan(at.cluster, sarah, target=undone.of.target)
        assert [gate.resource for gate in planned.gates] == ["graph.supply@data"]


async def test_an_apply_that_brought_definitions_too_is_undone_with_its_data_or_not_at_all(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = at.bench.sarah
        asked = await proposed(at, await with_a_row(at))
        await approve(at, asked.resource)
        at.bench.write({"supply.gq": QUERY + NEWER.replace("p.note", "p.version")})
        done = await apply(at.cluster, sarah, wanting())
        assert done.converged, done.diagnostics

        half = await undoing(at.cluster, to=None, op=done.op)
        whole = await undoing(at.cluster, to=None, op=done.op, with_data=True)

        assert isinstance(half, Diagnostic)
        assert (half.code, "--with-data" in str(half.remedy)) == ("op_not_undoable", True)
        assert isinstance(whole, Undone)


async def test_a_schema_that_a_sandbox_had_for_a_while_never_comes_with_its_rows(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah = msgspec.structs.replace(at.bench.sarah, via="http")
        box = (await at.must("sandbox_open", by=sarah)).sandbox
        await at.must("sandbox_snapshot", by=sarah, in_=box, name="clean")
        await at.must("draft_edit", by=sarah, in_=box, path="supply.pg", content=WIDER_SCHEMA)
        plan_id = (await at.must("plan", by=sarah, in_=box)).result.plan_digest
        asked = {"in_": box, "plan_id": plan_id, "intent": "try", "idempotency_key": "wide"}
        await at.must("apply", by=sarah, **asked)
        await at.must("sandbox_write", by=sarah, in_=box, graph="supply", rows=NOTED)
        place = await place_of(at.cluster, "supply")
        trunk = box.replace(":", "/")
        migrated = await place.data.merge_preview(place.root, trunk)
        await at.must("sandbox_restore", by=sarah, in_=box, name="clean")

        lending = await lending_of(at.cluster.store, box.removeprefix("sandbox:"))
        assert lending is not None
        commit = int(migrated.theirs.rpartition(":")[2])
        async with inside(at.cluster, lending.sandbox) as inner:
            then = await refusal(at.cluster, inner, place, lending, "supply", at=commit)
            now = await refusal(at.cluster, inner, place, lending, "supply")

        assert then is not None
        assert (then.code, now) == ("sandbox_merge_waits", None)


async def test_what_an_apply_that_died_has_merged_is_not_told_to_be_taken_back(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah, bench = at.bench.sarah, at.bench
        box = await with_a_row(at)
        asked = await proposed(at, box)
        await approve(at, asked.resource)
        _, counted = await bench.crashing(POINTS[-1] + 1)
        dying, store = await bench.crashing(11)
        with contextlib.suppress(Crash):
            await apply(dying, sarah, wanting())
        merged = [label for label in store.labels if "/commits/main/" in label]

        refused = await at.codes("sandbox_merge", by=sarah, **home(box, withdraw=True))
        await at.must("refresh", by=sarah, intent="settle")
        gone = await at.must("sandbox_merge", by=sarah, **home(box, withdraw=True))

        assert merged, store.labels
        assert refused == ["cluster_recovery_pending"]
        assert counted.writes == 0
        assert await names_in(at.cluster, "supply") == ["a", "b", "c"]
        assert gone.ok


async def test_who_decides_reads_which_rows_of_which_sandbox_come(tmp_path: Path) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        box = await with_a_row(at)
        gate = (await proposed(at, box)).resource
        asked = await at.must(
            "request_approval", gate=gate, intent="they are good", idempotency_key="ask"
        )

        facts = await at.must("approval_show", by=at.bench.sarah, id=asked.request_id)

        page = " ".join(page_text(decision_page(facts)).split())
        assert f"UPDATE GRAPH supply@{box}" in page
        assert "which is protected: Package +1 ~0 -0" in page
        assert f"tried the rows are those of sandbox {box.removeprefix('sandbox:')}" in page


POINTS: Final = tuple(range(1, 22))
"""The writes of the apply, the graph's own among them."""


@pytest.mark.slow
@pytest.mark.parametrize("at_write", sampled(POINTS, 4, of="deaths in a merge"))
async def test_an_apply_killed_at_any_write_of_a_merge_merges_once_under_one_consent(
    tmp_path: Path, at_write: int
) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        sarah, bench = at.bench.sarah, at.bench
        box = await with_a_row(at)
        asked = await proposed(at, box)
        decision = await decide(at.cluster, await ask(at.cluster, sarah, asked.resource))
        dying, _ = await bench.crashing(at_write)
        with contextlib.suppress(Crash):
            await apply(dying, sarah, wanting())

        cluster = await bench.open()
        done = await apply(cluster, sarah, wanting())

        assert done.converged, done.diagnostics
        assert (await make_plan(cluster, sarah)).gates == ()
        await apply(cluster, sarah, wanting())
        assert await standing_merges(cluster) == ()
        assert await names_in(cluster, "supply") == ["a", "b", "c"]
        kinds = [c.kind for c in await cluster.graphs.history("supply")]
        assert kinds.count("merge") == 1
        used = [c.approval_id for c in (await cluster.approvals.records()).consumptions]
        assert used.count(decision.approval_id) == 1


async def test_the_writes_at_which_an_apply_of_a_merge_is_killed_are_all(tmp_path: Path) -> None:
    async with publisher(tmp_path, protect=PROTECTED) as at:
        asked = await proposed(at, await with_a_row(at))
        await approve(at, asked.resource)
        whole, store = await at.bench.crashing(POINTS[-1] + 1)

        done = await apply(whole, at.bench.sarah, wanting())

        assert done.converged
        assert store.writes == POINTS[-1], store.labels
