"""The ways to fail that tests use, and what a killed process really leaves. Source: issue 2."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.storage.lease import LOCK_KEY
from agentctl.engine.leases import Leases
from agentctl.engine.ledger import Ledger
from agentctl.engine.world import SystemWorld
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import Crash, CrashingStore, How

_HOLD_AND_DIE = """
import sys, anyio
from pathlib import Path
from agentctl.adapters.backends.local import LocalStore
from agentctl.domain.ledger.envelope import ChainHead
from agentctl.domain.ledger.state import State
from agentctl.engine.leases import Leases
from agentctl.engine.ledger import Ledger
from agentctl.engine.world import SystemWorld
from agentctl.testing.crash import CrashingStore

async def main():
    store = CrashingStore(LocalStore(Path(sys.argv[1])), at=4, how="after", kill=True)
    world = SystemWorld()
    async with Leases(store, world).hold("cluster", principal="a", operation="apply") as lease:
        empty, base = ChainHead(length=0, head=None), None
        while True:
            base = await Ledger(store, world).commit(
                base=base, kind="apply", op=None, lease=lease, cluster_id="c", state=State(),
                audit=empty, principals=empty, source=None)

anyio.run(main)
"""


@pytest.mark.parametrize(("how", "there"), [("before", False), ("torn", False), ("after", True)])
async def test_a_crash_is_at_the_write_that_was_named_and_final(how: How, there: bool) -> None:  # noqa: FBT001
    inner = MemoryStore()
    store = CrashingStore(inner, at=2, how=how)
    await store.create("a", b"")
    with pytest.raises(Crash):
        await store.create("b", b"")

    assert ("b" in inner.objects) == there
    assert store.labels == ["create a", "create b"]
    for dead in (store.read("a"), store.list(""), store.delete("a"), store.replace("a", b"x")):
        with pytest.raises(Crash):
            await dead
    assert inner.objects["a"] == b""


async def test_writes_of_tables_are_counted_with_the_others() -> None:
    store = CrashingStore(MemoryStore(), at=2)
    await store.replace("a", b"")
    with pytest.raises(Crash):
        store.before_table_write("Person")

    assert store.labels == ["replace a", "table Person"]


async def test_a_store_that_never_crashes_counts_only() -> None:
    store = CrashingStore(MemoryStore())
    await store.create("a", b"")
    await store.read("a")
    await store.delete("a")

    assert store.writes == 2


async def test_a_lease_whose_holder_was_killed_is_followed_at_once_and_fenced(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", _HOLD_AND_DIE, str(tmp_path)]
    ended = await to_thread.run_sync(lambda: subprocess.run(command, check=False))
    store, world = LocalStore(tmp_path), SystemWorld()
    left = await store.read(LOCK_KEY)
    ledger = Ledger(store, world)
    async with Leases(store, world).hold("cluster", principal="b", operation="apply") as lease:
        fence = await ledger.fence(lease)

    assert ended.returncode == -9
    assert left is not None
    assert (lease.epoch, lease.fence_needed) == (2, True)
    assert fence is not None
    assert [h.envelope.kind for h in await ledger.history()] == ["fence", "apply"]
    assert await ledger.verify() == ()
    assert await store.read(LOCK_KEY) is None


def test_a_still_world_gives_the_same_ids_again_and_others_after_a_restart() -> None:
    one, two = StillWorld(seed=3), StillWorld(seed=3)

    assert [one.entropy(10), one.entropy(16)] == [two.entropy(10), two.entropy(16)]
    assert one.entropy(10) != StillWorld(seed=4).entropy(10)
    restarted = one.restarted()
    assert restarted.entropy(10) != StillWorld(seed=3).entropy(10)
    assert (restarted.host, restarted.boot_id, restarted.pid) == (one.host, one.boot_id, 4243)
    assert not restarted.process_lives(one.pid)


async def test_a_still_world_sleeps_until_it_is_advanced() -> None:
    world, woken = StillWorld(), []

    async def sleep(seconds: float) -> None:
        await world.sleep(seconds)
        woken.append(seconds)

    async with anyio.create_task_group() as tasks:
        for seconds in (5.0, 10.0):
            tasks.start_soon(sleep, seconds)
        await anyio.wait_all_tasks_blocked()
        world.advance(4.9)
        await anyio.wait_all_tasks_blocked()
        assert woken == []
        world.advance(0.2)
        await anyio.wait_all_tasks_blocked()
        assert woken == [5.0]
        world.advance(60)

    assert woken == [5.0, 10.0]
    assert world.monotonic() == pytest.approx(1065.1)
