"""A server takes away what is over, at its start and every minute, and no sweep ends it. Sandboxes 5, cases 4 and 6."""

from pathlib import Path

import anyio
import pytest

from agentctl.engine import sandbox_sweep
from agentctl.engine.sandbox_sweep import EVERY_S
from agentctl.engine.sandboxed import LIFE
from agentctl_tools import sandbox_sweeping
from agentctl_tools.sandbox_sweeping import sweeping
from tests.sandboxes.tools.sandbox_desk import Desk, desk


class Minutes:
    """A sleep that ends when a test lets it, and says when a sweep is through."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._through, self._go = anyio.Event(), anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._through.set()
        await self._go.wait()
        self._go = anyio.Event()

    async def swept(self) -> None:
        """Waits until a sweep is through."""
        await self._through.wait()
        self._through = anyio.Event()

    async def pass_one(self) -> None:
        """Lets a minute pass, and waits for the sweep behind it."""
        self._go.set()
        await self.swept()


async def names(here: Desk) -> list[str]:
    return [one.name for one in (await here.must("sandbox_list")).sandboxes]


async def test_what_is_over_goes_at_the_start_and_at_a_later_minute(tmp_path: Path) -> None:
    minutes, told = Minutes(), list[str]()
    async with desk(tmp_path) as here:
        await here.must("sandbox_open", name="old")
        here.bench.world.advance(LIFE.total_seconds() + 1)
        await here.must("sandbox_open", name="young")

        async with sweeping(here.cluster, told.append, sleep=minutes.sleep):
            await minutes.swept()
            at_start = await names(here)
            here.bench.world.advance(LIFE.total_seconds() - 1)
            await minutes.pass_one()
            a_second_early = await names(here)
            here.bench.world.advance(2)
            await minutes.pass_one()
            at_last = await names(here)

        store = await here.cluster.history.store() if here.cluster.history is not None else None
        assert store is not None
        kept = await store.list_sandboxes()

    assert (at_start, a_second_early, at_last) == (["young"], ["young"], [])
    assert minutes.slept == [EVERY_S] * 3
    assert told == ["Took away 1 sandbox that had to go."] * 2
    assert kept == ()


async def test_a_sweep_that_fails_is_told_once_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes, told = Minutes(), list[str]()
    real = sandbox_sweep.sweep_sandboxes

    async def failing(_cluster: object) -> object:
        raise ValueError

    async with desk(tmp_path) as here:
        await here.must("sandbox_open", name="old")
        here.bench.world.advance(LIFE.total_seconds() + 1)
        monkeypatch.setattr(sandbox_sweeping, "sweep_sandboxes", failing)
        async with sweeping(here.cluster, told.append, sleep=minutes.sleep):
            await minutes.swept()
            await minutes.pass_one()
            while_failing = await names(here)
            monkeypatch.setattr(sandbox_sweeping, "sweep_sandboxes", real)
            await minutes.pass_one()

        assert while_failing == ["old"]
        assert await names(here) == []
        assert told == [
            "Sandboxes could not be swept: ValueError",
            "Took away 1 sandbox that had to go.",
        ]


async def test_what_fails_beside_the_sweep_fails_as_it_is(tmp_path: Path) -> None:
    minutes = Minutes()

    async with desk(tmp_path) as here:

        async def serve() -> None:
            async with sweeping(here.cluster, print, sleep=minutes.sleep):
                await minutes.swept()
                raise LookupError

        with pytest.raises(LookupError):
            await serve()


async def test_a_server_that_only_reads_sweeps_nothing(tmp_path: Path) -> None:
    minutes = Minutes()

    async with (
        desk(tmp_path, read_only=True) as here,
        sweeping(here.cluster, print, sleep=minutes.sleep),
    ):
        await anyio.wait_all_tasks_blocked()

    assert minutes.slept == []
