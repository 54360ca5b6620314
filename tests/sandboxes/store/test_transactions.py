"""Several operations as one, on both databases."""

import anyio
import anyio.lowlevel
import pytest

from agentctl.engine.sandboxes.errors import AlreadyExistsError, InvalidError, NotFoundError
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.testing import sandbox_records as make
from agentctl.testing.sandbox_records import SteppingClock


class OfTheBodyError(Exception):
    """What the body of a transaction fails with."""


async def test_what_is_done_together_is_kept_together(store: Store) -> None:
    async with store.with_tx() as tx:
        await tx.create_sandbox(make.sandbox())
        await tx.create_snapshot(make.snapshot())
        assert await tx.get_sandbox("sbx-1") == make.sandbox()

    assert len(await store.list_snapshots("sbx-1")) == 1


@pytest.mark.parametrize("failure", [OfTheBodyError("no"), OSError("disk"), UnicodeError("text")])
async def test_a_body_that_fails_leaves_no_partial_rows(store: Store, failure: Exception) -> None:
    """Acceptance case 19; the failure comes out as it is."""

    async def body() -> None:
        async with store.with_tx() as tx:
            await tx.create_sandbox(make.sandbox())
            await tx.create_snapshot(make.snapshot())
            await tx.create_playbook(make.playbook())
            await tx.create_playbook_task(make.task())
            raise failure

    with pytest.raises(type(failure)) as raised:
        await body()
    assert raised.value is failure
    assert await store.list_sandboxes() == ()
    assert await store.list_playbooks() == ()


async def test_a_refusal_that_is_let_through_undoes_everything(store: Store) -> None:
    """Acceptance case 19."""
    await store.create_sandbox(make.sandbox())

    async def body() -> None:
        async with store.with_tx() as tx:
            await tx.create_snapshot(make.snapshot())
            await tx.create_snapshot(make.snapshot())

    with pytest.raises(AlreadyExistsError):
        await body()
    assert await store.list_snapshots("sbx-1") == ()


async def test_a_refusal_that_is_caught_leaves_the_rest(store: Store) -> None:
    async with store.with_tx() as tx:
        await tx.create_sandbox(make.sandbox())
        with pytest.raises(AlreadyExistsError):
            await tx.create_sandbox(make.sandbox())
        with pytest.raises((InvalidError, NotFoundError)):
            await tx.get_sandbox("a\0b")
        with pytest.raises(NotFoundError):
            await tx.create_snapshot(make.snapshot(sandbox_id="none"))
        await tx.create_snapshot(make.snapshot())

    assert len(await store.list_snapshots("sbx-1")) == 1


async def test_a_body_that_is_cancelled_leaves_nothing_and_frees_its_locks(store: Store) -> None:
    """Acceptance case 19, by cancellation."""
    with anyio.CancelScope() as scope:
        async with store.with_tx() as tx:
            await tx.create_sandbox(make.sandbox())
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    assert scope.cancelled_caught
    with anyio.fail_after(10):
        assert await store.list_sandboxes() == ()
        await store.create_sandbox(make.sandbox())


async def test_an_operation_that_is_cancelled_at_any_moment_is_done_or_not_done(
    store: Store,
) -> None:
    for checkpoints in range(0, 60, 3):
        name = f"s{checkpoints}"
        async with anyio.create_task_group() as tasks:

            async def go(name: str = name, scope: anyio.CancelScope = tasks.cancel_scope) -> None:
                async with store.with_tx() as tx:
                    await tx.create_sandbox(make.sandbox(name))
                    await tx.create_snapshot(make.snapshot(name, sandbox_id=name))
                scope.cancel()

            tasks.start_soon(go)
            for _ in range(checkpoints):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    with anyio.fail_after(10):
        for sandbox in await store.list_sandboxes():
            assert len(await store.list_snapshots(sandbox.id)) == 1
        await store.create_sandbox(make.sandbox("last"))


async def test_what_is_not_committed_is_nobody_elses_to_see(
    database_url: str, clock: SteppingClock
) -> None:
    config = StoreConfig(url=database_url)
    first, second = await open_store(config, clock=clock), await open_store(config, clock=clock)

    async with first.with_tx() as tx:
        await tx.create_sandbox(make.sandbox())
        assert await second.list_sandboxes() == ()
    assert len(await second.list_sandboxes()) == 1
    await first.close()
    await second.close()


async def test_within_a_transaction_the_store_itself_is_not_used(store: Store) -> None:
    """The passed handle must be used: the store itself would wait for ever."""
    async with store.with_tx() as tx:
        await tx.create_sandbox(make.sandbox())
        with pytest.raises(AssertionError, match="everything goes through its handle"):
            await store.create_playbook(make.playbook())
        with pytest.raises(AssertionError):
            await store.list_sandboxes()

    await store.create_playbook(make.playbook())


async def test_tasks_that_share_a_transaction_take_turns(store: Store) -> None:
    async with store.with_tx() as tx:
        await tx.create_playbook(make.playbook())
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(tx.create_playbook_task, make.task(f"t{number}"))

    kept = await store.list_playbook_tasks("pbk-1")
    assert [task.position for task in kept] == list(range(8))


async def test_transactions_of_one_store_at_once_are_each_whole(store: Store) -> None:
    async def both(number: int) -> None:
        async with store.with_tx() as tx:
            await tx.create_sandbox(make.sandbox(f"s{number}"))
            await tx.create_snapshot(make.snapshot(f"n{number}", sandbox_id=f"s{number}"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(both, number)

    assert len(await store.list_sandboxes()) == 20
