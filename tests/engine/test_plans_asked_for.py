"""An apply by plan id does what the plan said or nothing; a key makes a retry harmless."""

from pathlib import Path

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.engine.planning import make_plan, plan_for, plan_key
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    WIDER_SCHEMA,
    Bench,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import caller

LINES = ROWS.splitlines(keepends=True)


async def test_a_kept_plan_is_applied_as_it_was_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    planned = await make_plan(cluster, bench.agent, keep=True)
    plan_id = planned.result.plan_digest
    assert plan_id is not None

    result = await apply(cluster, bench.agent, wanting(plan_id=plan_id, exact=True))

    assert plan_key(plan_id) in bench.objects
    assert result.converged, result.diagnostics


async def test_a_plan_is_stale_when_something_was_added_since(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    planned = await make_plan(cluster, bench.agent, keep=True)
    bench.write(folder_files("supply", "spare"))

    refused = await apply(cluster, bench.agent, wanting(plan_id=planned.result.plan_digest))

    assert [d.code for d in refused.diagnostics] == ["plan_stale"]
    assert "graph.spare" in (refused.diagnostics[0].detail or "")
    assert refused.op is None
    assert await cluster.graphs.roots() == ()


async def test_rows_that_came_in_meanwhile_are_no_other_effect_but_another_plan(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.write({"supply.pg": WIDER_SCHEMA})
    planned = await make_plan(cluster, bench.agent, keep=True)
    plan_id = planned.result.plan_digest
    await load(cluster, bench.sarah, "supply", LINES, "append", "rows")

    exact = await apply(cluster, bench.agent, wanting(plan_id=plan_id, exact=True))
    same = await apply(cluster, bench.agent, wanting(plan_id=plan_id))

    assert [d.code for d in exact.diagnostics] == ["plan_stale"]
    assert same.converged, same.diagnostics


async def test_a_plan_of_the_folder_is_not_applied_to_a_draft(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    planned = await make_plan(cluster, bench.agent, keep=True)
    draft = await cluster.drafts.open(bench.agent.id)
    request = wanting(plan_id=planned.result.plan_digest, target=f"draft:{draft.id}")

    refused = await apply(cluster, bench.agent, request)

    assert [d.code for d in refused.diagnostics] == ["plan_stale"]


async def test_a_kept_plan_is_for_its_principal_and_for_humans(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    planned = await make_plan(cluster, bench.agent, keep=True)
    plan_id = planned.result.plan_digest or ""

    own = await plan_for(cluster, bench.agent, plan_id)
    human = await plan_for(cluster, bench.sarah, plan_id)
    stranger = await plan_for(cluster, caller("agent:tom", "agent", "mcp"), plan_id)
    path = await plan_for(cluster, bench.agent, "../state")

    assert not isinstance(own, Diagnostic)
    assert not isinstance(human, Diagnostic)
    assert isinstance(stranger, Diagnostic)
    assert stranger.code == "plan_not_found"
    assert isinstance(path, Diagnostic)


async def test_the_same_key_again_is_the_same_op(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    first = await apply(cluster, bench.agent, wanting(idempotency_key="k1"))
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})
    again = await apply(cluster, bench.agent, wanting(idempotency_key="k1"))

    assert first.op is not None
    assert again.op == first.op
    assert not again.state_written
    assert not again.converged
    assert "query.supply.all_packages" in (await recorded(cluster)).applied_revision.resources


async def test_the_same_key_with_other_arguments_is_a_conflict(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting(idempotency_key="k1"))

    other = await apply(cluster, bench.agent, wanting(idempotency_key="k1", without_gated=False))
    tom = await apply(cluster, bench.sarah, wanting(idempotency_key="k1", without_gated=False))

    assert [d.code for d in other.diagnostics] == ["idempotency_conflict"]
    assert tom.ok


async def test_a_key_whose_apply_was_refused_can_be_used_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    good = (bench.path / "supply.pg").read_text()
    bench.write({"supply.pg": "node {"})
    refused = await apply(cluster, bench.agent, wanting(idempotency_key="k1"))
    bench.write({"supply.pg": good})

    result = await apply(cluster, bench.agent, wanting(idempotency_key="k1"))

    assert not refused.ok
    assert result.converged
    assert result.op is not None
