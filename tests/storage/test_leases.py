"""Leases: who may take one, when, and what becomes of the one who had it. Source: control-plane 3.2."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.storage.lease import (
    LOCK_KEY,
    Held,
    Sighting,
    Takeable,
    beat_key,
    decide,
    lease_key,
)
from agentctl.engine.leases import Lease, LeaseLostError, Leases, StateLockHeldError
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import Crash, CrashingStore, DownStore


class _Machine:
    """A store and a process on a machine, both easily restarted."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.world = StillWorld()
        self.leases = Leases(self.store, self.world, sleep=self.world.sleep)

    def elsewhere(self) -> "tuple[Leases, StillWorld]":
        world = StillWorld(host="elsewhere", pid=1, seed="elsewhere")
        return Leases(self.store, world, sleep=world.sleep), world


@asynccontextmanager
async def _hold(
    leases: Leases, resource: str = "cluster", *, wait_s: float = 0
) -> AsyncIterator[Lease]:
    async with leases.hold(
        resource, principal="agent:sarah", operation="apply", wait_s=wait_s
    ) as lease:
        yield lease


async def _abandon(machine: _Machine) -> Lease:
    """Takes the cluster's lease and dies."""
    store = CrashingStore(machine.store, at=3)  # The record, lock.json, and then nothing more.
    with pytest.raises(Crash):
        async with _hold(Leases(store, machine.world, sleep=machine.world.sleep)) as lease:
            await store.replace("anything", b"")
    return lease


async def test_a_lease_that_was_released_is_taken_without_a_fence() -> None:
    machine = _Machine()
    async with _hold(machine.leases) as first:
        pass
    other, _ = machine.elsewhere()
    async with _hold(other) as second:
        pass

    assert (first.epoch, first.fence_needed) == (1, False)
    assert (second.epoch, second.fence_needed) == (2, False)
    assert first.lock_id != second.lock_id


async def test_a_held_lease_is_refused_and_the_holder_is_named() -> None:
    machine = _Machine()
    other, _ = machine.elsewhere()
    async with _hold(machine.leases) as lease:
        with pytest.raises(StateLockHeldError) as refused:
            async with _hold(other):
                pass

        assert refused.value.diagnostic.code == "state_lock_held"
        assert refused.value.diagnostic.message == (
            "`apply` by agent:sarah (pid 4242 on still) has held the lease of cluster since "
            "2026-11-21T03:30:00.000Z"
        )
        assert refused.value.holder.lock_id == lease.lock_id


async def test_leases_of_different_resources_are_independent() -> None:
    machine = _Machine()
    async with _hold(machine.leases), _hold(machine.leases, "graph.g@feature/x") as branch:
        held = await machine.leases.locks()

        assert [lock.resource for lock in held] == ["cluster", "graph.g@feature/x"]
        assert "__cluster/leases/graph.g@feature%2Fx/" in lease_key(branch.resource, 1)
    assert await machine.leases.locks() == ()


async def test_what_the_body_raises_comes_out_as_it_is_and_the_lease_is_released() -> None:
    machine = _Machine()
    with pytest.raises(ZeroDivisionError):
        async with _hold(machine.leases):
            raise ZeroDivisionError

    assert await machine.leases.holder() is None
    async with _hold(machine.leases) as again:
        assert not again.fence_needed


async def test_a_cancelled_holder_releases() -> None:
    machine = _Machine()
    with anyio.move_on_after(60) as scope:
        async with _hold(machine.leases):
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    assert scope.cancelled_caught
    assert await machine.leases.holder() is None
    assert LOCK_KEY not in machine.store.objects


async def test_a_holder_whose_process_is_gone_from_this_machine_is_followed_at_once() -> None:
    machine = _Machine()
    await _abandon(machine)
    next_world = machine.world.restarted()

    async with _hold(Leases(machine.store, next_world)) as lease:
        assert (lease.epoch, lease.fence_needed) == (2, True)


async def test_a_holder_on_another_machine_is_followed_when_its_beat_stood_still_for_its_ttl() -> (
    None
):
    machine = _Machine()
    await _abandon(machine)
    other, world = machine.elsewhere()
    with pytest.raises(StateLockHeldError):
        async with _hold(other):
            pass
    world.advance(29.9)
    with pytest.raises(StateLockHeldError):
        async with _hold(other):
            pass
    world.advance(0.1)

    async with _hold(other) as lease:
        assert (lease.epoch, lease.fence_needed) == (2, True)


async def test_a_beat_that_moves_starts_the_takers_count_again() -> None:
    machine = _Machine()
    other, world = machine.elsewhere()
    async with _hold(machine.leases):
        for _ in range(5):
            with pytest.raises(StateLockHeldError):
                async with _hold(other):
                    pass
            world.advance(20)
            await anyio.wait_all_tasks_blocked()
            machine.world.advance(20)  # The holder beats every ten seconds of its own clock.
            await anyio.wait_all_tasks_blocked()
        beat = machine.store.objects[beat_key("cluster", 1)]

    assert msgspec.json.decode(beat)["beat"] == 5


async def test_the_takers_wall_clock_does_not_matter() -> None:
    machine = _Machine()
    other, world = machine.elsewhere()
    async with _hold(machine.leases):
        world.set_now(world.now().replace(year=2040))
        with pytest.raises(StateLockHeldError):
            async with _hold(other):
                pass


async def test_a_taker_waits_as_long_as_it_was_told() -> None:
    machine = _Machine()
    other, world = machine.elsewhere()
    got: list[Lease] = []

    async def take() -> None:
        async with _hold(other, wait_s=5) as lease:
            got.append(lease)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            async with _hold(machine.leases):
                tasks.start_soon(take)
                await anyio.wait_all_tasks_blocked()
                assert got == []
            while not got:
                world.advance(0.5)
                await anyio.wait_all_tasks_blocked()

    assert (got[0].epoch, got[0].fence_needed) == (2, False)
    assert world.monotonic() <= 1001


async def test_of_many_takers_one_gets_the_lease() -> None:
    machine = _Machine()
    got: list[Lease] = []
    refused: list[str] = []

    async def take(number: int) -> None:
        world = StillWorld(host=f"h{number}", seed=number)
        try:
            async with _hold(Leases(machine.store.connect(), world)) as lease:
                got.append(lease)
                await anyio.wait_all_tasks_blocked()
        except StateLockHeldError as held:
            refused.append(held.diagnostic.code)

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(take, number)

    assert len(got) == 1
    assert refused == ["state_lock_held"] * 5


async def test_check_tells_a_holder_that_was_followed() -> None:
    machine = _Machine()
    other, world = machine.elsewhere()
    async with _hold(machine.leases) as lease:
        await machine.leases.check(lease)
        await other.force_unlock(lease.lock_id, by="sarah")
        with pytest.raises(LeaseLostError):
            await machine.leases.check(lease)
        async with _hold(other) as follower:
            assert follower.fence_needed
        with pytest.raises(LeaseLostError) as lost:
            await machine.leases.check(lease)

    assert lost.value.diagnostic.code == "lease_lost"
    assert world.host == "elsewhere"


async def test_lock_json_is_the_seeds_copy_and_goes_with_the_lease() -> None:
    machine = _Machine()
    async with _hold(machine.leases) as lease:
        text = machine.store.objects[LOCK_KEY].decode()
    async with _hold(machine.leases, "graph.g@main"):
        assert LOCK_KEY not in machine.store.objects

    assert text == (
        '{\n  "version": 1,\n'
        f'  "lock_id": "{lease.lock_id}",\n'
        '  "operation": "apply",\n'
        '  "created_at": "2026-11-21T03:30:00.000Z",\n'
        '  "pid": 4242\n}'
    )


async def test_a_lock_json_of_another_is_left_alone() -> None:
    machine = _Machine()
    async with _hold(machine.leases):
        machine.store.objects[LOCK_KEY] = b"of somebody else"

    assert machine.store.objects[LOCK_KEY] == b"of somebody else"


async def test_locks_say_who_since_when_and_what_is_safe() -> None:
    machine = _Machine()
    await _abandon(machine)
    here = Leases(machine.store, machine.world.restarted())
    elsewhere, world = machine.elsewhere()
    (by_machine,) = await here.locks()
    (fresh,) = await elsewhere.locks()
    world.advance(31)
    (stale,) = await elsewhere.locks()

    assert by_machine.holder_gone
    assert by_machine.safe_action.startswith("nothing: its process is gone")
    assert (fresh.fresh, fresh.operation, fresh.last_beat_at) == (True, "apply", None)
    assert not stale.fresh
    assert f"agentctl force-unlock {stale.lock_id}" in stale.safe_action


async def test_force_unlock_takes_the_exact_id_only() -> None:
    machine = _Machine()
    missing = await machine.leases.force_unlock("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    lost = await _abandon(machine)
    before = dict(machine.store.objects)
    other = await machine.leases.force_unlock("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    untouched = machine.store.objects == before
    done = await machine.leases.force_unlock(lost.lock_id, by="sarah")
    again = await machine.leases.force_unlock(lost.lock_id)

    assert [d.code for d in missing.diagnostics] == ["state_lock_missing"]
    assert [d.code for d in other.diagnostics] == ["state_lock_id_mismatch"]
    assert untouched
    assert done.diagnostics == ()
    assert done.unlocked is not None
    assert done.unlocked.epoch == 1
    assert LOCK_KEY not in machine.store.objects
    assert [d.code for d in again.diagnostics] == ["state_lock_missing"]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"{", "invalid_state_lock"),
        (b'{"version": 1}', "invalid_state_lock"),
        (b'{"version": 2}', "unsupported_state_lock_version"),
    ],
)
async def test_force_unlock_leaves_a_record_that_it_cannot_read(record: bytes, code: str) -> None:
    machine = _Machine()
    machine.store.objects[lease_key("cluster", 1)] = record
    result = await machine.leases.force_unlock("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    down = Leases(DownStore(machine.store, lambda op, _: op == "read"), machine.world)
    unread = await down.force_unlock("01ARZ3NDEKTSV4RRFFQ69G5FAV")

    assert [d.code for d in result.diagnostics] == [code]
    assert [d.code for d in unread.diagnostics] == ["state_lock_read_error"]
    assert list(machine.store.objects) == [lease_key("cluster", 1)]


async def test_a_record_that_cannot_be_read_is_followed_when_nothing_moves() -> None:
    machine = _Machine()
    machine.store.objects[lease_key("cluster", 1)] = b"garbage"
    with pytest.raises(StateLockHeldError):
        async with _hold(machine.leases):
            pass
    machine.world.advance(30)

    async with _hold(machine.leases) as lease:
        assert (lease.epoch, lease.fence_needed) == (2, True)


async def test_a_beat_that_cannot_be_written_does_not_end_the_work() -> None:
    machine = _Machine()
    down = DownStore(machine.store, lambda op, key: op == "replace" and "beat" in key)
    leases = Leases(down, machine.world, sleep=machine.world.sleep)
    async with _hold(leases) as lease:
        await anyio.wait_all_tasks_blocked()
        machine.world.advance(10)
        await anyio.wait_all_tasks_blocked()
        await leases.check(lease)

    assert await machine.leases.holder() is not None


@given(
    st.builds(
        Sighting,
        epoch=st.integers(1, 100),
        ttl_s=st.integers(1, 60),
        released=st.booleans(),
        fence_owed=st.booleans(),
        forced=st.booleans(),
        holder_gone=st.booleans(),
        quiet_s=st.floats(0, 120),
    )
)
def test_a_lease_is_taken_only_for_one_of_the_four_reasons(seen: Sighting) -> None:
    quiet = seen.quiet_s >= seen.ttl_s
    decision = decide(seen)

    if seen.released or seen.forced or seen.holder_gone or quiet:
        owed = seen.fence_owed or not seen.released
        assert decision == Takeable(epoch=seen.epoch + 1, fence_needed=owed)
    else:
        assert decision == Held(epoch=seen.epoch)


async def test_a_fence_that_is_owed_is_left_to_the_next_holder_until_it_is_paid() -> None:
    """One that took over, and ended before it had fenced, leaves the paused holder able to write."""
    store, slow, fast = MemoryStore(), StillWorld(host="slow"), StillWorld(host="fast")
    paused = Leases(store, slow, sleep=slow.sleep)
    leases = Leases(store, fast, sleep=fast.sleep)
    async with _hold(paused) as lost:
        await paused.force_unlock(lost.lock_id)
        async with _hold(leases) as hasty:
            assert hasty.fence_needed
        async with _hold(leases) as careful:
            assert careful.fence_needed
            leases.fenced(careful)
        async with _hold(leases) as after:
            assert not after.fence_needed
