"""The records of playbooks and the order of their tasks."""

import anyio
import msgspec
import pytest

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.engine.sandboxes.errors import AlreadyExistsError, InvalidError, NotFoundError
from agentctl.engine.sandboxes.store import Store
from agentctl.testing import sandbox_records as make
from agentctl.testing.sandbox_records import SteppingClock


async def a_playbook(store: Store, *tasks: str) -> None:
    await store.create_playbook(make.playbook())
    for task in tasks:
        await store.create_playbook_task(make.task(task))


async def order(store: Store) -> list[str]:
    return [task.id for task in await store.list_playbook_tasks("pbk-1")]


async def test_a_playbook_is_kept_changed_and_taken_away_with_its_tasks(
    store: Store, clock: SteppingClock
) -> None:
    await a_playbook(store, "a")
    clock.advance(1)
    wanted = make.playbook(name="nightly", become=True, file_path="p.yml", created_at="x")
    kept = await store.update_playbook(msgspec.structs.replace(wanted, created_at=make.instant(9)))

    assert kept == msgspec.structs.replace(
        wanted, created_at=make.STARTED, updated_at=make.instant(1)
    )
    assert await store.get_playbook_by_name("nightly") == kept
    assert await store.list_playbooks() == (kept,)
    await store.delete_playbook("pbk-1")
    with pytest.raises(NotFoundError):
        await store.get_playbook_task("a")
    with pytest.raises(NotFoundError):
        await store.delete_playbook("pbk-1")
    with pytest.raises(NotFoundError):
        await store.update_playbook(kept)


async def test_a_playbooks_name_is_there_once(store: Store) -> None:
    await store.create_playbook(make.playbook("a", name="x"))
    await store.create_playbook(make.playbook("b", name="y"))

    with pytest.raises(AlreadyExistsError):
        await store.create_playbook(make.playbook("c", name="x"))
    with pytest.raises(AlreadyExistsError, match="a playbook with name x already"):
        await store.update_playbook(make.playbook("b", name="x"))
    by_name = ListOptions(order_by="name", asc=True)
    assert [p.name for p in await store.list_playbooks(by_name)] == ["x", "y"]


async def test_tasks_stand_in_the_order_in_which_they_came(store: Store) -> None:
    await a_playbook(store)
    assert await store.get_next_task_position("pbk-1") == 0

    first = await store.create_playbook_task(make.task("z", params={"n": 1, "deep": [{"a": None}]}))
    far = await store.create_playbook_task(make.task("far", position=7))
    last = await store.create_playbook_task(make.task("a"))

    assert (first.position, far.position, last.position) == (0, 7, 8)
    assert await store.list_playbook_tasks("pbk-1") == (first, far, last)
    assert await store.get_playbook_task("z") == first
    assert await store.get_next_task_position("pbk-1") == 9
    with pytest.raises(AlreadyExistsError, match="playbook_id pbk-1, position 7"):
        await store.create_playbook_task(make.task("other", position=7))
    with pytest.raises(NotFoundError):
        await store.create_playbook_task(make.task("other", playbook_id="none"))


async def test_tasks_that_come_at_once_each_have_their_own_position(store: Store) -> None:
    await a_playbook(store)
    positions: list[int] = []

    async def add(number: int) -> None:
        task = await store.create_playbook_task(make.task(f"t{number}"))
        positions.append(task.position)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(16):
                tasks.start_soon(add, number)

    assert sorted(positions) == list(range(16))


async def test_a_task_is_changed_where_it_stands(store: Store) -> None:
    await a_playbook(store, "a", "b")
    wanted = make.task("b", position=1, module="load", params={})

    assert await store.update_playbook_task(wanted) == wanted
    assert await store.get_playbook_task("b") == wanted
    with pytest.raises(InvalidError):
        await store.update_playbook_task(make.task("b", position=5))
    with pytest.raises(InvalidError):
        await store.update_playbook_task(make.task("b", position=1, playbook_id="other"))
    await store.delete_playbook_task("b")
    with pytest.raises(NotFoundError):
        await store.update_playbook_task(wanted)
    with pytest.raises(NotFoundError):
        await store.delete_playbook_task("b")


async def test_a_new_order_is_taken_as_a_whole(store: Store) -> None:
    await a_playbook(store, "a", "b", "c")
    await store.create_playbook_task(make.task("far", position=40))

    await store.reorder_playbook_tasks("pbk-1", ["far", "c", "a", "b"])

    assert await order(store) == ["far", "c", "a", "b"]
    assert [t.position for t in await store.list_playbook_tasks("pbk-1")] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (["a", "b"], "c is missing"),
        ([], "a is missing"),
        (["a", "b", "c", "theirs"], "theirs is no task of it"),
        (["a", "b", "theirs"], "theirs is no task of it"),
        (["a", "b", "c", "none"], "none is no task of it"),
        (["a", "b", "c", "a"], "a twice"),
        (["a", "b", "b"], "c is missing"),
    ],
)
async def test_an_order_that_is_no_permutation_changes_nothing(
    store: Store, wanted: list[str], why: str
) -> None:
    """Acceptance case 21: a missing, foreign or duplicate id fails the whole call."""
    await a_playbook(store, "a", "b", "c")
    await store.create_playbook(make.playbook("pbk-2"))
    await store.create_playbook_task(make.task("theirs", playbook_id="pbk-2"))
    before = await store.list_playbook_tasks("pbk-1")

    with pytest.raises(InvalidError, match=why):
        await store.reorder_playbook_tasks("pbk-1", wanted)
    assert await store.list_playbook_tasks("pbk-1") == before


async def test_an_order_of_no_tasks_and_of_no_playbook(store: Store) -> None:
    await a_playbook(store)
    await store.reorder_playbook_tasks("pbk-1", [])

    with pytest.raises(NotFoundError):
        await store.reorder_playbook_tasks("none", [])


async def test_orders_and_new_tasks_at_once_leave_each_position_once(store: Store) -> None:
    await a_playbook(store, "a", "b", "c")

    async def turn(ids: list[str]) -> None:
        try:
            await store.reorder_playbook_tasks("pbk-1", ids)
        except InvalidError:
            return  # a task came between

    async def add(number: int) -> None:
        await store.create_playbook_task(make.task(f"t{number}"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(turn, ["c", "a", "b"])
                tasks.start_soon(add, number)
                tasks.start_soon(turn, ["b", "c", "a"])

    kept = await store.list_playbook_tasks("pbk-1")
    assert [task.position for task in kept] == list(range(9))
