"""Hosts and what is reserved of them, however many ask at once."""

import anyio
import pytest

from agentctl.domain.sandbox.hosts import Needs
from agentctl.domain.sandbox.records import HostResources
from agentctl.engine.sandboxes.errors import (
    AlreadyExistsError,
    CapacityError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.testing import sandbox_records as make
from agentctl.testing.sandbox_records import SteppingClock

NEEDS = Needs(vcpus=1, memory_mb=1024, storage_mb=1024)


def reserved(host: HostResources) -> tuple[int, int, int]:
    return host.reserved_cpus, host.reserved_memory_mb, host.reserved_storage_mb


async def test_many_at_once_never_take_more_than_there_is(
    database_url: str, clock: SteppingClock
) -> None:
    """Acceptance case 25: N concurrent creates, here of two stores, never exceed the capacity."""
    outcomes: list[str] = []
    config = StoreConfig(url=database_url)
    first, second = await open_store(config, clock=clock), await open_store(config, clock=clock)
    await first.upsert_host(make.host("a", total_cpus=3))
    await first.upsert_host(make.host("b", total_memory_mb=2048))

    async def create(store: Store, number: int) -> None:
        try:
            async with store.with_tx() as tx:
                host = await tx.reserve_host(f"sbx-{number}", NEEDS)
                await tx.create_sandbox(make.sandbox(f"sbx-{number}", host_name=host.name))
            outcomes.append(host.name)
        except CapacityError:
            outcomes.append("none")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(14):
                tasks.start_soon(create, first if number % 2 else second, number)

    assert sorted(outcomes) == ["a"] * 3 + ["b"] * 2 + ["none"] * 9
    assert [reserved(h) for h in await second.list_hosts()] == [
        (3, 3 * 1024, 3 * 1024),
        (2, 2 * 1024, 2 * 1024),
    ]
    assert len(await first.list_sandboxes()) == 5
    await first.close()
    await second.close()


async def test_where_no_host_has_room_each_says_what_it_lacks(
    store: Store, clock: SteppingClock
) -> None:
    """Acceptance case 25: none with capacity, a clear error; a stale heartbeat is excluded."""
    await store.upsert_host(make.host("full", total_cpus=0))
    await store.upsert_host(make.host("lost"))
    clock.advance(91)
    await store.heartbeat_host("full")

    with pytest.raises(CapacityError) as refused:
        await store.reserve_host("sbx-1", NEEDS)
    told = refused.value.diagnostic
    assert told.code == "sandbox_no_capacity"
    assert told.detail == (
        "full has 0 of 1 CPUs left; lost was last heard of at 2026-11-21T03:30:00.000Z."
    )
    assert isinstance(refused.value, ConflictError)

    await store.heartbeat_host("lost")
    assert (await store.reserve_host("sbx-1", NEEDS)).name == "lost"


async def test_without_hosts_there_is_no_room(store: Store) -> None:
    with pytest.raises(CapacityError) as refused:
        await store.reserve_host("sbx-1", NEEDS)
    assert refused.value.diagnostic.detail == "No host is known."


async def test_what_a_destroyed_sandbox_had_is_given_back_once(store: Store) -> None:
    await store.upsert_host(make.host())
    for name in ("a", "b"):
        await store.reserve_host(name, NEEDS)
        await store.create_sandbox(make.sandbox(name))

    await store.delete_sandbox("a")
    await store.delete_sandbox("a")
    assert reserved(await store.get_host("hst-1")) == (1, 1024, 1024)
    assert await store.release_host("a") is False

    assert await store.release_host("b") is True
    await store.update_sandbox_state("b", "DESTROYED")
    assert reserved(await store.get_host("hst-1")) == (0, 0, 0)


async def test_a_sandbox_reserves_once(store: Store) -> None:
    await store.upsert_host(make.host())
    await store.reserve_host("a", NEEDS)

    with pytest.raises(AlreadyExistsError):
        await store.reserve_host("a", NEEDS)
    assert reserved(await store.get_host("hst-1")) == (1, 1024, 1024)


async def test_nobody_gains_room_by_needing_less_than_nothing(store: Store) -> None:
    await store.upsert_host(make.host())

    with pytest.raises(InvalidError):
        await store.reserve_host("a", Needs(vcpus=-1, memory_mb=0, storage_mb=0))
    assert reserved(await store.get_host("hst-1")) == (0, 0, 0)


async def test_what_a_host_says_of_itself_leaves_what_is_reserved(store: Store) -> None:
    await store.upsert_host(make.host(reserved_cpus=3))
    await store.reserve_host("a", NEEDS)
    grown = make.host(total_cpus=16, address="10.0.0.9", updated_at=make.instant(5))
    await store.upsert_host(grown)

    kept = await store.get_host("hst-1")
    assert reserved(kept) == (1, 1024, 1024)
    assert (kept.total_cpus, kept.address, kept.updated_at) == (
        16,
        "10.0.0.9",
        make.instant(5),
    )
    with pytest.raises(AlreadyExistsError):
        await store.upsert_host(make.host("other", name="hst-1"))
    with pytest.raises(NotFoundError):
        await store.heartbeat_host("other")


async def test_a_reservation_whose_sandbox_was_not_made_is_undone_with_it(store: Store) -> None:
    await store.upsert_host(make.host())
    await store.create_sandbox(make.sandbox("old", sandbox_name="taken"))

    async def create() -> None:
        async with store.with_tx() as tx:
            await tx.reserve_host("new", NEEDS)
            await tx.create_sandbox(make.sandbox("new", sandbox_name="taken"))

    with pytest.raises(AlreadyExistsError):
        await create()
    assert reserved(await store.get_host("hst-1")) == (0, 0, 0)
