"""Branches and care on an object store, and with writers killed at each of their writes. Source: graph-engine 1, 5, 6, 7."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.graph.data_port import Retention
from agentctl.testing.crash import NEVER, Crash, CrashingStore
from agentctl.testing.sampling import sampled
from tests.graph.storage.storage_rig import Rig

pytestmark = pytest.mark.slow
AT_ONCE = Retention(grace=timedelta(0))


@pytest.fixture
async def on_s3(seaweed_root: S3Root) -> AsyncIterator[Rig]:
    store = S3Store(seaweed_root)
    yield Rig(store)
    await store.aclose()


async def test_a_graph_on_an_object_store_has_branches_points_and_cleanups(on_s3: Rig) -> None:
    rig = on_s3
    await rig.create("ann", "bob")
    await rig.graphs.branch_create("g", "a/b", stamp=rig.stamp())
    await rig.add("cyd", branch="a/b")
    await rig.remove("ann", branch="a/b")
    await rig.graphs.branch_create("g", "exp", source="a/b", at="2", stamp=rig.stamp())
    await rig.add("dan", branch="exp")
    await rig.graphs.tag("g", "v1", branch="a/b", at="2", stamp=rig.stamp())
    await rig.add("eve")
    stamp = rig.stamp()
    now = datetime.fromisoformat(stamp.at)
    report = await rig.graphs.cleanup("g", AT_ONCE, now=now, stamp=stamp)

    assert report.bytes_removed > 0
    assert await rig.slugs() == {"ann", "bob", "eve"}
    assert await rig.slugs("a/b") == {"bob", "cyd"}
    assert await rig.slugs("exp") == {"ann", "bob", "cyd", "dan"}
    assert await rig.slugs(at="v1") == {"ann", "bob", "cyd"}
    assert (await rig.graphs.optimize("g", branch="exp", stamp=rig.stamp())).commit == "exp:4"
    assert (await rig.graphs.verify("g")).problems == ()


async def cut_and_write(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp(100))
    await rig.add("cyd", branch="dev", stamp=rig.stamp(101))
    await rig.add("dan", branch="dev", stamp=rig.stamp(102))


async def write_and_clean(rig: Rig) -> None:
    await rig.add("cyd", stamp=rig.stamp(101))
    stamp = rig.stamp(102)
    now = datetime.fromisoformat(stamp.at)
    await rig.graphs.cleanup("g", AT_ONCE, now=now, stamp=stamp)


async def optimize_a_branch(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp(100))
    await rig.add("cyd", branch="dev", stamp=rig.stamp(101))
    await rig.graphs.optimize("g", branch="dev", stamp=rig.stamp(102))


async def end_branches(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp(100))
    await rig.graphs.detach("g", observed=2, stamp=rig.stamp(101))


SCENARIOS = {f.__name__: f for f in (cut_and_write, write_and_clean, optimize_a_branch)}


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_writer_killed_at_any_write_leaves_a_whole_graph_and_work_goes_on(
    scenario: str, tmp_path: Path
) -> None:
    act = SCENARIOS[scenario]
    total = await writes_of(act, tmp_path / "whole")
    for at in sampled(range(1, total + 1), 3, of=scenario):
        folder = tmp_path / str(at)
        await Rig(LocalStore(folder)).create("ann", "bob")
        crashing = CrashingStore(LocalStore(folder), at, "before")
        with pytest.raises(Crash):
            await act(Rig(crashing, crashing.before_table_write))
        after = Rig(LocalStore(folder))
        found = await after.graphs.verify("g")
        assert found.problems == (), (at, found.problems)
        live = {b.name for b in await after.graphs.branches("g")}
        assert {"ann", "bob"} <= await after.slugs()
        for number, branch in enumerate(sorted(live), start=200):
            await after.add(f"late-{branch}", branch=branch, stamp=after.stamp(number))
            assert {"ann", "bob", f"late-{branch}"} <= await after.slugs(branch)
        stamp = after.stamp(300)
        now = datetime.fromisoformat(stamp.at)
        await after.graphs.cleanup("g", AT_ONCE, now=now, stamp=stamp)
        found = await after.graphs.verify("g")
        assert found.problems == (), (at, found.problems)


async def writes_of(act: Callable[[Rig], Awaitable[None]], folder: Path) -> int:
    """Returns how many writes *act* makes when nothing kills it."""
    await Rig(LocalStore(folder)).create("ann", "bob")
    counting = CrashingStore(LocalStore(folder), NEVER)
    await act(Rig(counting, counting.before_table_write))
    return counting.writes


async def test_a_detach_that_was_killed_between_the_branches_ends_them_when_it_is_repeated(
    tmp_path: Path,
) -> None:
    total = await writes_of(end_branches, tmp_path / "whole")
    folder = tmp_path / "last"
    await Rig(LocalStore(folder)).create("ann", "bob")
    crashing = CrashingStore(LocalStore(folder), total, "before")
    with pytest.raises(Crash):
        await end_branches(Rig(crashing, crashing.before_table_write))
    after = Rig(LocalStore(folder))
    before = await after.roots.log.head("g", "dev")
    await after.graphs.detach("g", observed=2, stamp=after.stamp(101))
    now = await after.roots.log.head("g", "dev")

    assert before is not None
    assert now is not None
    assert (before.kind, now.kind) == ("branch", "tombstone")
