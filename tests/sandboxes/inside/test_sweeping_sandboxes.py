"""What is over goes, whoever died with it, and nothing of it is left. ADR 27; sandboxes 5, cases 2, 4 to 6."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from agentctl.canonical import canonical_bytes
from agentctl.domain.config.drafting import HomecomingRecord
from agentctl.domain.sandbox.lending import ended_key, lending_key, record_key, room_of
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.drafts import HOMECOMINGS, Draft
from agentctl.engine.lending import SandboxError, take_back
from agentctl.engine.sandbox_sweep import OPENING_MAX, sweep_sandboxes
from agentctl.engine.sandboxed import LIFE, Opening, inside, open_sandbox
from agentctl.testing.builders import WIDER_SCHEMA, Bench
from agentctl.testing.crash import Crash
from tests.sandboxes.inside.inside_rig import all_files, left_of, names_in, opened, with_rows

ROW = [b'{"type": "Package", "data": {"name": "z"}}\n']


async def written_to(bench: Bench, cluster: Cluster) -> str:
    """Returns a sandbox in which rows were loaded."""
    lending = await opened(bench, cluster)
    async with inside(cluster, lending.sandbox) as inner:
        loaded, _ = await load(inner, bench.agent, "supply", ROW, "append", "more")
        assert not loaded.diagnostics
    return lending.sandbox


async def sweep_after(bench: Bench, pause: timedelta) -> Cluster:
    """Sweeps in a new process, that long later."""
    bench.world.advance(pause.total_seconds() + 1)
    cluster = await bench.open()
    swept = await sweep_sandboxes(cluster)
    assert swept.diagnostics == (), swept
    return cluster


def of(bench: Bench, sandbox: str) -> bool:
    """Returns whether a sandbox has files, and is not only an empty folder."""
    return any(path.is_file() for path in (bench.path / "sandboxes" / sandbox).rglob("*"))


async def test_a_sandbox_ends_when_its_time_is_over_counted_from_its_opening(
    tmp_path: Path,
) -> None:
    """Acceptance case 4."""
    bench, cluster = await with_rows(tmp_path, "supply")
    before = all_files(bench)
    young = await open_sandbox(cluster, bench.agent, Opening(op="op-2", life=LIFE * 2))
    await written_to(bench, cluster)

    bench.world.advance(LIFE.total_seconds() - 30)
    assert (await sweep_sandboxes(await bench.open())).ended == ()
    bench.world.advance(60)
    swept = await sweep_sandboxes(await bench.open())

    assert [e.reason for e in swept.ended] == ["expired"]
    assert swept.diagnostics == ()
    async with inside(cluster, young.sandbox) as inner:
        assert await names_in(inner, "supply") == ["a", "b"]
    await take_back(cluster, young.sandbox, by="sarah", reason="closed")
    assert all_files(bench) == before


async def test_a_sandbox_that_is_over_cannot_be_used_before_the_sweep_comes(tmp_path: Path) -> None:
    bench, cluster = await with_rows(tmp_path, "supply")
    lending = await opened(bench, cluster)
    bench.world.advance(LIFE.total_seconds() + 1)

    with pytest.raises(SandboxError) as refused:
        async with inside(cluster, lending.sandbox):
            pass

    assert refused.value.diagnostic.code == "sandbox_not_found"
    assert "expired" in refused.value.diagnostic.message


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after"])
async def test_an_opening_that_dies_anywhere_leaves_nothing_after_the_sweep(
    tmp_path: Path, how: str
) -> None:
    """Acceptance case 2, killed at every write."""
    bench, _ = await with_rows(tmp_path, "supply")
    before = all_files(bench)
    struck = whole = 0
    for at in range(1, 200):
        cluster, _ = await bench.crashing(at, how)  # type: ignore[arg-type]  # one of the two
        try:
            await opened(bench, cluster)
        except Crash:
            struck += 1
        else:
            await sweep_after(bench, LIFE)
            break
        cluster = await sweep_after(bench, OPENING_MAX)
        if left_of(bench):  # it was open: only the answer did not come
            whole += 1
            (sandbox,) = [s for s in await cluster.store.folders("sandboxes/") if of(bench, s)]
            async with inside(cluster, sandbox) as inner:
                assert await names_in(inner, "supply") == ["a", "b"]
            await sweep_after(bench, LIFE)
        assert all_files(bench) == before, at
    assert struck - whole >= 5, (struck, whole)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after"])
async def test_an_end_that_dies_anywhere_is_gone_on_with_by_the_sweep(
    tmp_path: Path, how: str
) -> None:
    (tmp_path / "a").mkdir()
    bench, cluster = await with_rows(tmp_path / "a", "supply")
    before = all_files(bench)
    sandbox = await written_to(bench, cluster)
    kept = tmp_path / "kept"
    shutil.copytree(bench.path, kept)
    struck = unharmed = 0
    for at in range(1, 400):
        dying, _ = await bench.crashing(at, how)  # type: ignore[arg-type]  # one of the two
        try:
            await take_back(dying, sandbox, by="sarah", reason="closed")
        except Crash:
            struck += 1
        else:
            break
        cluster = await bench.open()
        if (bench.path / ended_key(sandbox)).exists():
            with pytest.raises(SandboxError):
                async with inside(cluster, sandbox):
                    pass
            swept = await sweep_sandboxes(cluster)
            assert swept.diagnostics == (), (at, swept)
        elif left_of(bench):
            unharmed += 1
            async with inside(cluster, sandbox) as inner:
                assert await names_in(inner, "supply") == ["a", "b", "z"]
            await take_back(cluster, sandbox, by="sarah", reason="closed")
        assert all_files(bench) == before, at
        assert await names_in(cluster, "supply") == ["a", "b"]
        shutil.rmtree(bench.path)
        shutil.copytree(kept, bench.path)
    assert struck > 15, struck
    assert unharmed <= 1, unharmed


async def test_branches_of_a_sandbox_that_nobody_knows_are_taken_away(tmp_path: Path) -> None:
    """A writer that slept through the end of its sandbox leaves a branch; the next sweep takes it."""
    bench, cluster = await with_rows(tmp_path, "supply")
    before = all_files(bench)
    sandbox = await written_to(bench, cluster)
    for key in await cluster.store.list(room_of(sandbox)):
        await cluster.store.delete(key)

    swept = await sweep_sandboxes(cluster)

    assert swept.branches == 1
    assert all_files(bench) == before


async def test_one_that_cannot_be_taken_away_keeps_no_other_waiting(tmp_path: Path) -> None:
    """Acceptance case 6."""
    bench, cluster = await with_rows(tmp_path, "supply")
    first, second = await written_to(bench, cluster), await written_to(bench, cluster)
    bench.world.advance(LIFE.total_seconds() + 1)
    broken = bench.path / lending_key(first).replace("graphs.json", "ended.json")
    broken.write_bytes(b"nonsense")

    swept = await sweep_sandboxes(await bench.open())

    assert [e.sandbox for e in swept.ended] == [second]
    assert [d.code for d in swept.diagnostics] == ["sandbox_not_ended"]
    broken.unlink()
    assert [e.sandbox for e in (await sweep_sandboxes(await bench.open())).ended] == [first]
    assert left_of(bench) == []


@pytest.mark.slow
async def test_a_draft_keeps_its_edits_where_its_opening_as_a_sandbox_dies(tmp_path: Path) -> None:
    bench, cluster = await with_rows(tmp_path, "supply")
    draft = (await cluster.drafts.open(bench.agent.id)).id
    edited = await cluster.drafts.edit(
        draft, "supply.pg", by=bench.agent.id, content=WIDER_SCHEMA.encode()
    )
    assert not edited.diagnostics
    before = all_files(bench)
    struck = 0
    for at in range(1, 200):
        dying, _ = await bench.crashing(at, "after")
        try:
            await open_sandbox(dying, bench.agent, Opening(op="op-3", draft=draft))
        except Crash:
            struck += 1
        else:
            break
        cluster = await sweep_after(bench, OPENING_MAX)
        if (bench.path / lending_key(draft)).exists():  # it was open: only the answer did not come
            async with inside(cluster, draft) as inner:
                assert (inner.folder.path / "supply.pg").read_text() == WIDER_SCHEMA
            break
        shown = await cluster.drafts.show(draft)
        assert isinstance(shown, Draft), shown
        assert [edit.path for edit in shown.edits] == ["supply.pg"]
        assert all_files(bench) == before, at
    assert struck >= 3, struck


async def test_what_the_sweep_cannot_read_is_told_and_never_taken_for_nobodys(
    tmp_path: Path,
) -> None:
    """A newer release may have written it."""
    bench, cluster = await with_rows(tmp_path, "supply")
    newer = await written_to(bench, cluster)
    draft = (await cluster.drafts.open(bench.agent.id)).id
    await cluster.drafts.edit(draft, "supply.pg", by="x", content=WIDER_SCHEMA.encode())
    for sandbox in (newer, draft):
        record = bench.path / record_key(sandbox)
        record.write_bytes(record.read_bytes().replace(b'"version":1', b'"version":2'))
    before = all_files(bench)
    bench.world.advance(LIFE.total_seconds() * 2)

    swept = await sweep_sandboxes(await bench.open())

    assert swept.ended == ()
    assert [d.code for d in swept.diagnostics] == ["sandbox_not_ended"] * 2
    assert all_files(bench) == before


async def test_a_sandbox_whose_files_are_on_their_way_to_the_folder_is_not_ended(
    tmp_path: Path,
) -> None:
    bench, cluster = await with_rows(tmp_path, "supply")
    sandbox = await written_to(bench, cluster)
    journey = HomecomingRecord(op="op-1", draft=sandbox, folder="folder", files=())
    await cluster.store.create(f"{HOMECOMINGS}op-1.json", canonical_bytes(journey))
    before = all_files(bench)

    with pytest.raises(SandboxError, match="on its way home"):
        await take_back(cluster, sandbox, by="sarah", reason="closed")

    assert all_files(bench) == before
    await cluster.store.delete(f"{HOMECOMINGS}op-1.json")
    await take_back(cluster, sandbox, by="sarah", reason="closed")
    assert left_of(bench) == []
