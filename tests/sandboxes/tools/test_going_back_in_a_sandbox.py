"""A sandbox is kept under names and made what it was; killed anywhere on the way, it arrives. ADR 27."""

import shutil
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.engine import drafts, sandbox_restore
from agentctl.engine.leases import CLUSTER
from agentctl.engine.sandbox_restore import restoring_key
from agentctl.engine.sandboxed import inside, restore_snapshot
from agentctl.testing.builders import QUERY, WIDER_SCHEMA, cluster_yaml
from agentctl.testing.crash import Crash
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk

ROW = '{"type": "Package", "data": {"name": "c"}}'
NOTED = '{"type": "Package", "data": {"name": "d", "note": "n"}}'


async def moved_on(at: Desk) -> str:
    """Returns a sandbox with a snapshot `one` (a row more), which went on to another schema."""
    box = (await at.must("sandbox_open")).sandbox
    await at.must("sandbox_write", in_=box, graph="supply", rows=ROW)
    await at.must("sandbox_snapshot", in_=box, name="one")
    await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
    await at.must("draft_edit", in_=box, path="cluster.yaml", content=cluster_yaml("supply"))
    planned = await at.must("plan", in_=box)
    await at.must(
        "apply", in_=box, plan_id=planned.result.plan_digest, without_gated=True, intent="on"
    )
    await at.must("sandbox_write", in_=box, graph="supply", rows=NOTED)
    assert isinstance(box, str)
    return box


async def test_a_sandbox_goes_back_to_a_snapshot_and_further_back(tmp_path: Path) -> None:
    async with desk(tmp_path, "supply", "spare") as at:
        box = await moved_on(at)
        sandbox = box.removeprefix("sandbox:")
        async with inside(at.cluster, sandbox) as inner:
            assert await names_in(inner, "supply") == ["a", "b", "c", "d"]
            assert (await inner.graphs.observe("spare")).presence == "detached"

        await at.must("sandbox_restore", in_=box, name="one")

        async with inside(at.cluster, sandbox) as inner:
            assert await names_in(inner, "supply") == ["a", "b", "c"]
            assert await names_in(inner, "spare") == ["a", "b"]
        assert (await at.must("plan", in_=box)).result.changes == ()
        since = (await at.must("sandbox_diff", in_=box, before="one")).changes
        assert msgspec.structs.replace(since, commands_run=()) == type(since)()
        await at.must("sandbox_restore", in_=box, name="base")
        since = (await at.must("sandbox_diff", in_=box)).changes
        assert msgspec.structs.replace(since, commands_run=()) == type(since)()


async def test_what_is_protected_and_how_an_apply_works_goes_back_too(tmp_path: Path) -> None:
    """Also where the state says the same."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        await at.must("sandbox_snapshot", in_=box, name="one")
        async with inside(at.cluster, box.removeprefix("sandbox:")) as inner:
            head = await inner.ledger.head()
            assert head is not None
            was = head.envelope
            async with inner.leases.hold(CLUSTER, principal="x", operation="apply") as lease:
                moved = was.state.state_revision + 1
                await inner.ledger.commit(
                    base=head,
                    kind="apply",
                    op=was.op,
                    lease=lease,
                    cluster_id=was.cluster_id,
                    state=msgspec.structs.replace(was.state, state_revision=moved),
                    audit=await inner.audit.head(),
                    principals=(await inner.principals.registry()).head,
                    source=was.source,
                    protected=("graph.supply",),
                    settings=AppliedSettings(concurrency=2),
                )
        assert (await at.must("plan", in_=box)).result.changes != ()

        await at.must("sandbox_restore", in_=box, name="one")

        assert (await at.must("plan", in_=box)).result.changes == ()
        async with inside(at.cluster, box.removeprefix("sandbox:")) as inner:
            now = await inner.ledger.head()
            assert now is not None
            assert tuple(now.envelope.protected) == tuple(was.protected)
            assert now.envelope.settings == was.settings
            await at.must("sandbox_restore", in_=box, name="one")
            again = await inner.ledger.head()
            assert again is not None
            assert again.envelope.state == now.envelope.state


async def with_a_file_more(at: Desk) -> str:
    """Returns a sandbox with a snapshot `one` and a file in a folder of queries since."""
    box = (await at.must("sandbox_open")).sandbox
    directory = cluster_yaml("supply").replace("queries: supply.gq", "queries: asked")
    await at.must("draft_edit", in_=box, path="cluster.yaml", content=directory)
    await at.must("draft_edit", in_=box, path="asked/all.gq", content=QUERY)
    await at.must("sandbox_snapshot", in_=box, name="one")
    more = QUERY.replace("all_packages", "more_packages")
    await at.must("draft_edit", in_=box, path="asked/more.gq", content=more)
    assert isinstance(box, str)
    return box


async def test_a_file_that_cannot_be_taken_away_keeps_a_restore_from_being_told_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        box = await with_a_file_more(at)
        with monkeypatch.context() as now:
            now.setattr(drafts, "EDIT_COUNT_MAX", 3)
            envelope = await at.ask("sandbox_restore", in_=box, name="one")
            assert [(d.code, d.path) for d in envelope.diagnostics] == [
                ("invalid_arguments", "asked/more.gq")
            ]

        since = (await at.must("sandbox_diff", in_=box, before="one")).changes
        assert (since.files_added, since.files_modified, since.files_removed) == ((), (), ())


async def test_a_sandbox_without_room_to_take_files_away_is_not_begun_to_be_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        box = await with_a_file_more(at)
        files = len(("cluster.yaml", "supply.pg", "all.gq"))
        monkeypatch.setattr(sandbox_restore, "EDIT_COUNT_MAX", 3 + 2 * files)

        assert await at.codes("sandbox_restore", in_=box, name="one") == ["sandbox_not_restored"]

        since = (await at.must("sandbox_diff", in_=box, before="one")).changes
        assert since.files_added == ("asked/more.gq",)


async def test_names_of_snapshots_are_used_once_and_are_names(tmp_path: Path) -> None:
    """Acceptance case 10; and the Must-show: a snapshot name used twice."""
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        first = await at.must("sandbox_snapshot", in_=box, name="one")
        await at.must("sandbox_write", in_=box, graph="supply", rows=ROW)

        assert await at.codes("sandbox_snapshot", in_=box, name="one") == [
            "sandbox_snapshot_exists"
        ]
        assert await at.codes("sandbox_snapshot", in_=box, name="base") == ["sandbox_snapshot_name"]
        assert await at.codes("sandbox_restore", in_=box, name="two") == [
            "sandbox_snapshot_missing"
        ]
        other = (await at.must("sandbox_open")).sandbox
        again = await at.must("sandbox_snapshot", in_=other, name="one")
        assert (first.name, first.files) == (again.name, again.files)


@pytest.mark.slow
async def test_a_restore_that_dies_anywhere_is_finished_by_whoever_enters_next(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, "supply", "spare") as at:
        sandbox = (await moved_on(at)).removeprefix("sandbox:")
        kept = tmp_path / "kept"
        shutil.copytree(at.bench.path, kept)
        struck = whole = 0
        for step in range(1, 400):
            dying, _ = await at.bench.crashing(step, "after")
            try:
                await restore_snapshot(dying, sandbox, "one", by="sarah")
            except Crash:
                struck += 1
            else:
                break
            at.bench.world.advance(120)
            begun = (at.bench.path / restoring_key(sandbox)).exists()
            whole += begun
            cluster = await at.bench.open()
            async with inside(cluster, sandbox) as inner:
                supply = await names_in(inner, "supply")
                if begun or supply == ["a", "b", "c"]:
                    assert supply == ["a", "b", "c"], step
                    assert await names_in(inner, "spare") == ["a", "b"], step
                else:
                    assert supply == ["a", "b", "c", "d"], step
                    assert (await inner.graphs.observe("spare")).presence == "detached", step
            shutil.rmtree(at.bench.path)
            shutil.copytree(kept, at.bench.path)
        assert struck > 10, struck
        assert whole > 10, whole
