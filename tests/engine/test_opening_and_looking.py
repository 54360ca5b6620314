"""A folder is bound to its cluster at first sight; status and locks look, and change nothing."""

import shutil
from pathlib import Path

import pytest

from agentctl.engine.apply import apply
from agentctl.engine.binding import BINDING_KEY
from agentctl.engine.cluster import ClusterOpenError
from agentctl.engine.leases import LeaseLostError
from agentctl.engine.planning import make_plan
from agentctl.engine.status import locks, status
from agentctl.engine.unlocking import Consent, force_unlock
from agentctl.engine.validate import validate
from agentctl.testing.builders import (
    QUERY,
    Bench,
    cluster_yaml,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import key_of


async def test_a_folder_that_names_another_root_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    bench.write({"cluster.yaml": cluster_yaml("supply", more="storage: /srv/elsewhere")})

    with pytest.raises(ClusterOpenError) as refused:
        await bench.open()

    assert [d.code for d in refused.value.diagnostics] == ["storage_root_moved"]


async def test_a_root_that_holds_another_cluster_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    await bench.begun(folder_files("supply"))
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", where="lance")
    await other.begun(folder_files("supply"))
    shutil.rmtree(bench.path / "__cluster" / "principals")
    shutil.copytree(other.path / "__cluster" / "principals", bench.path / "__cluster/principals")
    other.world.advance(1)

    bound = bench.path / BINDING_KEY
    bound.write_text(bound.read_text().replace('"cluster_id": "', '"cluster_id": "0'))
    with pytest.raises(ClusterOpenError) as refused:
        await bench.open()

    assert [d.code for d in refused.value.diagnostics] == ["storage_root_moved"]


async def test_a_clone_is_bound_at_first_sight(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    del bench.objects[BINDING_KEY]

    await bench.open()

    cluster_id = (await cluster.principals.registry()).cluster_id
    assert cluster_id.encode() in bench.objects[BINDING_KEY]


async def test_a_folder_with_mistakes_opens_so_that_they_can_be_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    bench.write({"cluster.yaml": "version: 1\n\tgraphs: {}\n"})
    cluster = await bench.open()

    checked = await validate(cluster, bench.agent)
    planned = await make_plan(cluster, bench.agent)
    applied = await apply(cluster, bench.agent, wanting())

    assert not checked.ok
    assert not planned.result.ok
    assert planned.plan is None
    assert not applied.ok
    assert applied.op is None
    assert {d.severity for d in checked.diagnostics} == {"error"}
    assert all(d.where is not None for d in checked.diagnostics)


async def test_a_folder_that_is_not_there_does_not_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.path.rmdir()

    with pytest.raises(ClusterOpenError) as refused:
        await bench.open()

    assert [d.code for d in refused.value.diagnostics] == ["config_dir_not_found"]


async def test_an_agent_over_mcp_may_not_name_files_outside_the_folder(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "secret.pg").write_text("node Secret { key: String @key }\n")
    bench.write({"cluster.yaml": "version: 1\ngraphs:\n  g:\n    schema: ../secret.pg\n"})
    cluster = await bench.open()

    confined = await validate(cluster, bench.agent)
    operator = await validate(cluster, bench.sarah)

    assert "path_outside_folder" in [d.code for d in confined.diagnostics]
    assert "path_outside_folder" not in [d.code for d in operator.diagnostics]


async def test_status_writes_nothing_and_tells_of_a_state_that_was_edited(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await apply(cluster, bench.agent, wanting())
    bench.objects["__cluster/state.json"] += b" "
    before = dict(bench.objects)

    seen = await status(cluster, bench.agent)

    assert bench.objects == before
    assert seen.ok
    assert [d.code for d in seen.diagnostics] == ["state_cas_mismatch"]
    assert seen.state_observations.state_revision == 2
    assert seen.state_observations.resource_count == 3


async def test_status_of_a_cluster_without_a_ledger_warns_and_is_fine(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    cluster = await bench.open()

    seen = await status(cluster, bench.agent)

    assert seen.ok
    assert [(d.code, d.severity) for d in seen.diagnostics] == [("state_missing", "warning")]


async def test_a_plan_warns_of_a_held_lease_and_takes_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    async with cluster.leases.hold("cluster", principal="tom", operation="apply"):
        planned = await make_plan(cluster, bench.agent)
        held = await locks(cluster, bench.agent)

    assert [(d.code, d.severity) for d in planned.result.diagnostics] == [
        ("state_lock_held", "warning")
    ]
    assert planned.result.state_observations.locked
    assert not planned.result.state_observations.lock_acquired
    assert [lock.principal for lock in held] == ["tom"]


async def test_a_lease_is_ended_by_its_exact_id_and_its_holder_writes_nothing_more(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    head = await cluster.ledger.head()
    assert head is not None

    async with cluster.leases.hold("cluster", principal="tom", operation="apply") as lease:
        wrong = await force_unlock(cluster, bench.sarah, "01M7Y2EPRTEWD0F5S2VCD3P6X8", "stuck")
        agents = await force_unlock(cluster, bench.agent, lease.lock_id, "stuck")
        sarahs = Consent(signer=key_of("sarah"), confirmation="cluster")
        right = await force_unlock(cluster, bench.sarah, lease.lock_id, "stuck", consent=sarahs)
        with pytest.raises(LeaseLostError):
            await cluster.leases.check(lease)
    ops = [op for op in await cluster.journal.list() if op.action == "force_unlock"]

    assert [d.code for d in wrong.diagnostics] == ["state_lock_id_mismatch"]
    assert [d.code for d in agents.diagnostics] == ["approval_required"]
    assert right.lock_removed
    assert right.ok
    assert sorted(op.status for op in ops) == ["failed", "success"]


async def test_a_paused_apply_cannot_commit_after_its_lease_was_taken_over(
    tmp_path: Path,
) -> None:
    """The holder is paused in the middle of its apply; another one takes over, and finishes."""
    bench = Bench(tmp_path)
    paused = await bench.begun(folder_files("supply"))
    await apply(paused, bench.sarah, wanting())
    bench.write({"supply.gq": QUERY.replace("all_packages", "every_package")})
    first = True

    async def taken_over(event: object) -> None:
        nonlocal first
        if first and getattr(event, "kind", None) == "step_finished":
            first = False
            other = await bench.open()  # Another process; that of the paused one counts as gone.
            result = await apply(other, bench.agent, wanting())
            assert result.converged

    seq_before = (await paused.ledger.head()).seq  # type: ignore[union-attr]  # begun above
    with pytest.raises(LeaseLostError):
        await apply(paused, bench.sarah, wanting(), taken_over)
    cluster = await bench.open()
    head = await cluster.ledger.head()

    assert head is not None
    assert head.seq == seq_before + 2  # The fence and the other apply, nothing of the paused one.
    assert await cluster.ledger.verify() == ()
    assert "query.supply.every_package" in (await recorded(cluster)).applied_revision.resources
    statuses = [op.status for op in await cluster.journal.list()]
    assert sorted(statuses) == ["failed", "success", "success", "success"]
