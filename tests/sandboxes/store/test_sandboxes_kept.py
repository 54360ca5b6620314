"""The records of sandboxes in the store, on both databases."""

import anyio
import msgspec
import pytest

from agentctl.domain.sandbox.listing import ListOptions, SandboxFilter
from agentctl.domain.sandbox.records import CLEAR, Sandbox, SandboxState
from agentctl.engine.sandboxes.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from agentctl.engine.sandboxes.store import Store
from agentctl.testing import sandbox_records as make
from agentctl.testing.sandbox_records import SteppingClock

FULL = make.sandbox(
    "sbx-full",
    provider="vm",
    network="default",
    ip_address="10.0.0.2",
    vcpus=2,
    memory_mb=4096,
    storage_mb=1 << 40,
    state="RUNNING",
    ttl_seconds=0,
    host_name="kvm-01",
    host_address="10.0.0.1",
)


@pytest.mark.parametrize("record", [make.sandbox(sandbox_name="Ünï-🦉\n'; --"), FULL])
async def test_a_sandbox_is_read_back_as_it_was_kept(store: Store, record: Sandbox) -> None:
    await store.create_sandbox(record)

    assert await store.get_sandbox(record.id) == record
    assert await store.get_sandbox_by_vm_name(record.sandbox_name) == record
    assert await store.list_sandboxes() == (record,)


async def test_a_name_in_use_is_refused_and_one_of_the_dead_is_free(store: Store) -> None:
    """Acceptance case 3: duplicate name, AlreadyExists."""
    await store.create_sandbox(make.sandbox("a", sandbox_name="mine"))
    second = make.sandbox("b", sandbox_name="mine")

    with pytest.raises(AlreadyExistsError) as refused:
        await store.create_sandbox(second)
    assert refused.value.diagnostic.code == "sandbox_record_exists"
    assert refused.value.diagnostic.message == "there is a sandbox with sandbox_name mine already"
    with pytest.raises(AlreadyExistsError, match="with id a already"):
        await store.create_sandbox(make.sandbox("a", sandbox_name="other"))

    await store.delete_sandbox("a")
    await store.create_sandbox(second)
    assert await store.get_sandbox_by_vm_name("mine") == second


async def test_of_many_that_take_one_name_at_once_one_has_it(store: Store) -> None:
    """Acceptance case 3, at once."""
    outcomes: list[str] = []

    async def take(number: int) -> None:
        try:
            await store.create_sandbox(make.sandbox(f"sbx-{number}", sandbox_name="mine"))
            outcomes.append("kept")
        except AlreadyExistsError:
            outcomes.append("refused")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(take, number)

    assert sorted(outcomes) == ["kept"] + ["refused"] * 11


async def test_what_was_never_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError) as refused:
        await store.get_sandbox("sbx-1")
    assert refused.value.diagnostic.code == "sandbox_record_not_found"
    with pytest.raises(NotFoundError):
        await store.get_sandbox_by_vm_name("sbx-1")
    with pytest.raises(NotFoundError):
        await store.update_sandbox(make.sandbox())
    with pytest.raises(NotFoundError):
        await store.update_sandbox_state("sbx-1", "STARTING")
    with pytest.raises(NotFoundError):
        await store.delete_sandbox("sbx-1")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
async def test_a_name_that_no_database_holds_is_refused(store: Store, name: str) -> None:
    await store.create_sandbox(make.sandbox())

    with pytest.raises((NotFoundError, InvalidError)):
        await store.get_sandbox(name)
    with pytest.raises(InvalidError) as refused:
        await store.create_sandbox(make.sandbox("b", sandbox_name=name))
    assert refused.value.diagnostic.code == "sandbox_record_invalid"
    assert len(await store.list_sandboxes()) == 1


async def test_a_sandbox_is_not_born_dead(store: Store) -> None:
    dead = make.sandbox(state="DESTROYED", deleted_at=make.STARTED)

    with pytest.raises(InvalidError):
        await store.create_sandbox(dead)


async def test_lists_hide_the_destroyed_unless_they_are_asked_for(store: Store) -> None:
    for name in ("a", "b"):
        await store.create_sandbox(make.sandbox(name))
    await store.delete_sandbox("a")

    async def names(wanted: SandboxFilter) -> set[str]:
        return {s.id for s in await store.list_sandboxes(wanted)}

    assert await names(SandboxFilter()) == {"b"}
    assert await names(SandboxFilter(deleted=True)) == {"a", "b"}
    assert await names(SandboxFilter(state="DESTROYED")) == {"a"}


async def test_a_filter_asks_for_everything_it_names(store: Store) -> None:
    await store.create_sandbox(make.sandbox("a", agent_id="ann", job_id="1", base_image="x@1"))
    await store.create_sandbox(make.sandbox("b", agent_id="ann", job_id="2", state="RUNNING"))
    await store.create_sandbox(make.sandbox("c", agent_id="bob", provider="vm"))
    asked = {
        "ab": SandboxFilter(agent_id="ann"),
        "b": SandboxFilter(agent_id="ann", job_id="2"),
        "a": SandboxFilter(base_image="x@1"),
        "c": SandboxFilter(vm_name="c", provider="vm"),
        "": SandboxFilter(state="RUNNING", agent_id="bob"),
    }

    found = {
        ids: "".join(sorted(s.id for s in await store.list_sandboxes(wanted)))
        for ids, wanted in asked.items()
    }
    assert found == {ids: ids for ids in asked}


async def test_a_list_comes_in_pages_that_leave_nothing_out(store: Store) -> None:
    for number in range(7):
        await store.create_sandbox(make.sandbox(f"s{number}"))
    pages = [
        await store.list_sandboxes(None, ListOptions(limit=3, offset=offset))
        for offset in (0, 3, 6, 9)
    ]

    assert [[s.id for s in page] for page in pages] == [
        ["s6", "s5", "s4"],
        ["s3", "s2", "s1"],
        ["s0"],
        [],
    ]


async def test_names_are_ordered_by_code_points_whatever_the_database_thinks(store: Store) -> None:
    names = ["b", "B", "a", "é", "_", "Z", "🦉", "~"]
    for name in names:
        await store.create_sandbox(make.sandbox(name))
    options = ListOptions(order_by="sandbox_name", asc=True)

    assert [s.id for s in await store.list_sandboxes(None, options)] == sorted(names)


@pytest.mark.parametrize(
    "order", ["id; DROP TABLE sandboxes; --", "(SELECT 1)", "ip", "created_at desc", "ID"]
)
async def test_an_order_that_is_none_is_refused(store: Store, order: str) -> None:
    """Acceptance case 20: an injection through order_by is rejected."""
    await store.create_sandbox(make.sandbox())

    with pytest.raises(InvalidError) as refused:
        await store.list_sandboxes(None, ListOptions(order_by=order))
    assert refused.value.diagnostic.code == "sandbox_record_invalid"
    assert refused.value.diagnostic.path == "order_by"
    assert len(await store.list_sandboxes()) == 1


async def test_values_are_values_and_never_part_of_a_statement(store: Store) -> None:
    """Acceptance case 20, through what is filtered by."""
    await store.create_sandbox(make.sandbox())

    wanted = SandboxFilter(agent_id="' OR 1=1; DROP TABLE sandboxes; --")
    assert await store.list_sandboxes(wanted) == ()
    assert len(await store.list_sandboxes()) == 1


async def test_an_update_replaces_what_may_change(store: Store, clock: SteppingClock) -> None:
    await store.create_sandbox(make.sandbox())
    clock.advance(5)

    wanted = make.sandbox(sandbox_name="renamed", ttl_seconds=60, storage_mb=3, host_name="h")
    kept = await store.update_sandbox(wanted)

    assert kept == msgspec.structs.replace(wanted, updated_at=make.instant(5))
    assert await store.get_sandbox("sbx-1") == kept


async def test_an_update_of_what_stays_or_of_what_moved_is_refused(store: Store) -> None:
    await store.create_sandbox(make.sandbox())
    await store.create_sandbox(make.sandbox("other"))

    with pytest.raises(InvalidError, match="base_image of a sandbox never changes"):
        await store.update_sandbox(make.sandbox(base_image="cluster@8"))
    with pytest.raises(AlreadyExistsError):
        await store.update_sandbox(make.sandbox(sandbox_name="other"))
    await store.update_sandbox_state("sbx-1", "STARTING")
    with pytest.raises(ConflictError):
        await store.update_sandbox(make.sandbox(ttl_seconds=1))
    await store.delete_sandbox("other")
    with pytest.raises(ConflictError):
        await store.update_sandbox(make.sandbox("other"))


async def test_a_move_keeps_the_address_unless_it_is_given_or_cleared(
    store: Store, clock: SteppingClock
) -> None:
    """Acceptance case 16, of a sandbox's address."""
    await store.create_sandbox(make.sandbox())
    clock.advance(1)

    moves: list[Sandbox] = []
    moves.append(await store.update_sandbox_state("sbx-1", "STARTING", ip_address="10.0.0.2"))
    moves.append(await store.update_sandbox_state("sbx-1", "RUNNING"))
    moves.append(await store.update_sandbox_state("sbx-1", "STOPPED", ip_address=CLEAR))

    assert [(s.state, s.ip_address) for s in moves] == [
        ("STARTING", "10.0.0.2"),
        ("RUNNING", "10.0.0.2"),
        ("STOPPED", None),
    ]
    assert await store.get_sandbox("sbx-1") == moves[-1]
    assert moves[-1].updated_at == make.instant(1)


async def test_a_move_that_the_table_has_not_is_a_conflict(store: Store) -> None:
    await store.create_sandbox(make.sandbox())

    with pytest.raises(ConflictError) as refused:
        await store.update_sandbox_state("sbx-1", "RUNNING")
    assert refused.value.diagnostic.code == "sandbox_record_conflict"
    assert refused.value.diagnostic.message == ("sandbox sbx-1 does not go from CREATED to RUNNING")
    assert (await store.get_sandbox("sbx-1")).state == "CREATED"


async def test_a_move_from_elsewhere_than_expected_is_a_conflict(store: Store) -> None:
    await store.create_sandbox(make.sandbox())

    with pytest.raises(ConflictError, match="is CREATED, not STARTING"):
        await store.update_sandbox_state("sbx-1", "ERROR", expected="STARTING")
    moved = await store.update_sandbox_state("sbx-1", "ERROR", expected="CREATED")
    assert moved.state == "ERROR"


async def test_of_many_that_move_a_sandbox_at_once_one_does(store: Store) -> None:
    await store.create_sandbox(make.sandbox(state="RUNNING"))
    outcomes: list[str] = []

    async def go(to: SandboxState) -> None:
        try:
            await store.update_sandbox_state("sbx-1", to, expected="RUNNING")
            outcomes.append(to)
        except ConflictError:
            outcomes.append("conflict")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(go, "STOPPED")
                tasks.start_soon(go, "ERROR")

    assert outcomes.count("conflict") == 7
    (winner,) = [o for o in outcomes if o != "conflict"]
    assert (await store.get_sandbox("sbx-1")).state == winner


async def test_destroying_again_changes_nothing(store: Store, clock: SteppingClock) -> None:
    await store.create_sandbox(make.sandbox())
    clock.advance(1)
    await store.delete_sandbox("sbx-1")
    first = await store.get_sandbox("sbx-1")
    clock.advance(1)
    await store.delete_sandbox("sbx-1")

    assert first.state == "DESTROYED"
    assert first.deleted_at == make.instant(1)
    assert await store.get_sandbox("sbx-1") == first
    with pytest.raises(ConflictError):
        await store.update_sandbox_state("sbx-1", "STARTING")
