"""Rollback of data: graphs go back to what they held, by a commit of their own, behind a gate. Source: ops 5."""

from pathlib import Path
from typing import Literal

import pytest

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.ops.record import Op
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.planning import make_plan
from agentctl.engine.rollback import RollbackResult, Undone, rollback, undoing
from agentctl.testing.builders import (
    ROWS,
    WIDER_SCHEMA,
    Bench,
    decide,
    folder_files,
    wanting,
)
from agentctl.testing.crash import Crash
from agentctl_tools.door import call

Where = Literal["memory", "lance"]
LINES = ROWS.splitlines(keepends=True)
LATER = [b'{"type": "Package", "data": {"name": "z"}}\n']


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return cluster


async def loaded(bench: Bench, cluster: Cluster, lines: list[bytes]) -> Op:
    report, op = await load(cluster, bench.sarah, "supply", lines, "append", "rows")
    assert report.diagnostics == ()
    assert op is not None
    return op


async def undone_of(cluster: Cluster, op: Op, *, with_data: bool = False) -> Undone:
    undone = await undoing(cluster, to=None, op=op.id, with_data=with_data)
    assert isinstance(undone, Undone), undone
    return undone


async def ask_for(cluster: Cluster, bench: Bench, undone: Undone) -> ApprovalRequest:
    planned = await make_plan(cluster, bench.sarah, target=undone.of.target, keep=True)
    assert planned.plan is not None, planned.result.diagnostics
    gate = next(g for g in planned.gates if g.resource == "graph.supply@data")
    asked = await cluster.approvals.request(
        bench.sarah,
        gate,
        plan_digest=planned.plan.digest,
        config_digest=planned.plan.config_digest,
        intent="the rows were wrong",
    )
    assert isinstance(asked, ApprovalRequest), asked
    return asked


async def undo(cluster: Cluster, bench: Bench, undone: Undone) -> RollbackResult:
    return await rollback(cluster, bench.sarah, undone, wanting("the rows were wrong"))


@pytest.mark.parametrize("where", ["memory", "lance"])
async def test_a_load_is_undone_once_a_human_agrees(tmp_path: Path, where: Where) -> None:
    bench = Bench(tmp_path, where=where)
    cluster = await begun(bench)
    await loaded(bench, cluster, LINES)
    before = await cluster.graphs.observe("supply")
    wrong = await loaded(bench, cluster, LATER)
    undone = await undone_of(cluster, wrong)

    waits = await undo(cluster, bench, undone)
    untouched = await cluster.graphs.observe("supply")
    await decide(cluster, await ask_for(cluster, bench, undone))
    done = await undo(cluster, bench, undone)

    after = await cluster.graphs.observe("supply")
    assert [n.resource for n in waits.applied.approvals_required] == ["graph.supply@data"]
    assert untouched.rows["Package"] == 3
    assert done.applied.converged, done.applied.diagnostics
    assert (after.content, after.rows) == (before.content, before.rows)
    op = await cluster.journal.get(done.applied.op or "")
    assert op is not None
    assert (op.operation, op.lineage.rollback_of) == ("rollback", wrong.id)
    ops = await cluster.journal.list()
    assert (await cluster.journal.undone(ops))[wrong.id] == op.id
    assert await cluster.store.list("__cluster/recoveries/") == ()


async def test_a_rollback_of_a_rollback_brings_the_rows_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    wrong = await loaded(bench, cluster, LINES)
    full = await cluster.graphs.observe("supply")
    undone = await undone_of(cluster, wrong)
    await decide(cluster, await ask_for(cluster, bench, undone))
    back = await undo(cluster, bench, undone)
    made = await cluster.journal.get(back.applied.op or "")
    assert made is not None

    again = await undone_of(cluster, made, with_data=True)
    await decide(cluster, await ask_for(cluster, bench, again))
    done = await undo(cluster, bench, again)

    assert done.applied.converged, done.applied.diagnostics
    assert (await cluster.graphs.observe("supply")).content == full.content


@pytest.mark.parametrize("where", ["memory", "lance"])
async def test_definition_and_data_go_back_together(tmp_path: Path, where: Where) -> None:
    bench = Bench(tmp_path, where=where)
    cluster = await begun(bench)
    await loaded(bench, cluster, LINES)
    before = await cluster.graphs.observe("supply")
    bench.write({"supply.pg": WIDER_SCHEMA})
    wider = await apply(cluster, bench.sarah, wanting())
    await loaded(bench, cluster, LATER)
    op = await cluster.journal.get(wider.op or "")
    assert op is not None
    undone = await undone_of(cluster, op, with_data=True)

    await decide(cluster, await ask_for(cluster, bench, undone))
    done = await undo(cluster, bench, undone)

    after = await cluster.graphs.observe("supply")
    assert done.applied.converged, done.applied.diagnostics
    assert (after.source_digest, after.content) == (before.source_digest, before.content)


async def test_without_its_data_a_rollback_leaves_rows_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    bench.write({"supply.pg": WIDER_SCHEMA})
    wider = await apply(cluster, bench.sarah, wanting())
    await loaded(bench, cluster, LINES)
    op = await cluster.journal.get(wider.op or "")
    assert op is not None

    done = await undo(cluster, bench, await undone_of(cluster, op))

    assert done.applied.converged, done.applied.diagnostics
    assert (await cluster.graphs.observe("supply")).rows == {"Package": 2, "DependsOn": 1}


async def test_rows_that_came_after_the_decision_make_it_stale(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    wrong = await loaded(bench, cluster, LINES)
    undone = await undone_of(cluster, wrong)
    await decide(cluster, await ask_for(cluster, bench, undone))
    many = [b'{"type": "Package", "data": {"name": "n%d"}}\n' % n for n in range(300)]
    await loaded(bench, cluster, many)

    result = await undo(cluster, bench, undone)

    assert not result.applied.converged
    assert "approval_stale" in {d.code for d in result.applied.diagnostics}
    assert (await cluster.graphs.observe("supply")).rows["Package"] == 302


async def test_a_load_before_another_schema_is_not_undone_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    wrong = await loaded(bench, cluster, LINES)
    bench.write({"supply.pg": WIDER_SCHEMA})
    assert (await apply(cluster, bench.sarah, wanting())).converged

    refused = await undoing(cluster, to=None, op=wrong.id)

    assert isinstance(refused, Diagnostic)
    assert refused.code == "op_not_undoable"
    assert "another schema since" in refused.message


async def test_an_agent_sees_what_it_would_lose_and_asks(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await begun(bench)
    wrong = await loaded(bench, cluster, LINES)

    looked = await call(
        cluster,
        bench.agent,
        "rollback",
        {"op": wrong.id, "dry_run": True, "intent": "look", "idempotency_key": "1"},
    )
    target = looked.data.undone.of.target  # type: ignore[attr-defined]  # a RollbackPlan, by the registry
    asked = await call(
        cluster,
        bench.agent,
        "request_approval",
        {"gate": "graph.supply@data", "in": target, "intent": "wrong", "idempotency_key": "2"},
    )

    assert looked.ok, looked
    needs = looked.data.plan.approvals_required  # type: ignore[attr-defined]  # the same
    assert "of the 3 rows" in needs[0].reason
    assert asked.ok, asked


async def test_a_revert_that_was_struck_is_settled_and_its_consent_used_once(
    tmp_path: Path,
) -> None:
    """Killed at every write: afterwards the rows are back or not, and the decision spent exactly then."""
    seen: set[str] = set()
    for at in range(1, 60):
        folder = tmp_path / str(at)
        folder.mkdir()
        bench = Bench(folder)
        cluster = await begun(bench)
        wrong = await loaded(bench, cluster, LINES)
        undone = await undone_of(cluster, wrong)
        await decide(cluster, await ask_for(cluster, bench, undone))
        dying, _ = await bench.crashing(at)
        try:
            await undo(dying, bench, undone)
        except Crash:
            pass
        else:
            break
        after = await bench.open()
        again = await undo(after, bench, undone)

        assert again.applied.ok, (at, again.applied.diagnostics)
        assert (await after.graphs.observe("supply")).rows["Package"] == 0, at
        records = await after.approvals.records()
        assert len(records.consumptions) == 1, at
        commits = [c.kind for c in await after.graphs.history("supply")]
        assert commits.count("revert") == 1, at
        ends = {o.status for o in await after.journal.list() if o.operation == "rollback"}
        seen |= ends
    assert {"success", "failed"} <= seen
