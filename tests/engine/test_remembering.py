"""An answer is given again only while everything it was read from is as it was."""

import os
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from agentctl.adapters.backends import traces
from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.traces import tracing
from agentctl.adapters.keys.sshsig import verify
from agentctl.adapters.sources.directory import Folder
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.cluster import Cluster, open_cluster
from agentctl.engine.remembering import SECONDS_MAX, remembered
from agentctl.testing.clock import StillWorld
from agentctl.testing.graphs import MemoryGraphs

KEY = "__cluster/things/one"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes a change of just now for an old one, so that no test waits for the clock."""
    monkeypatch.setattr(traces, "SETTLED_NS", -(10**18))


def write_cluster(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "cluster.yaml").write_text("version: 1\n", encoding="utf-8")


async def opened(folder: Path, store: ObjectStore) -> tuple[Cluster, StillWorld]:
    write_cluster(folder)
    world = StillWorld()
    cluster = await open_cluster(
        Folder(folder),
        make_store=lambda _written, _base: store,
        make_graphs=lambda _store: MemoryGraphs(),
        world=world,
        verify=verify,
    )
    return cluster, world


class Asked:
    """Reads one object and one listing, and counts how often it had to."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.count = 0

    async def __call__(self) -> tuple[bytes | None, int]:
        self.count += 1
        found = await self.store.read(KEY)
        return found.data if found else None, len(await self.store.list("__cluster/things/"))


@pytest.mark.usefixtures("settled")
async def test_an_answer_is_given_again_until_an_object_is_written_replaced_or_removed(
    tmp_path: Path,
) -> None:
    store = LocalStore(tmp_path / "root")
    elsewhere = LocalStore(tmp_path / "root")
    cluster, _ = await opened(tmp_path / "folder", store)
    asked = Asked(store)

    async def answer() -> tuple[tuple[bytes | None, int], int]:
        return await remembered(cluster, "it", asked), asked.count

    told = [await answer(), await answer()]
    await elsewhere.create(KEY, b"1")
    told += [await answer(), await answer()]
    await elsewhere.replace(KEY, b"2")
    told += [await answer()]
    await elsewhere.create("__cluster/things/two", b"")
    told += [await answer()]
    await elsewhere.delete(KEY)
    told += [await answer(), await answer()]

    assert told == [
        ((None, 0), 1),
        ((None, 0), 1),
        ((b"1", 1), 2),
        ((b"1", 1), 2),
        ((b"2", 1), 3),
        ((b"2", 2), 4),
        ((None, 1), 5),
        ((None, 1), 5),
    ]


@pytest.mark.usefixtures("settled")
async def test_bytes_that_were_changed_in_place_behind_the_store_are_seen(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    cluster, _ = await opened(tmp_path / "folder", store)
    await store.create(KEY, b"1")
    asked = Asked(store)

    before = await remembered(cluster, "it", asked)
    os.utime(store.path_of(KEY), ns=(1, 1))
    store.path_of(KEY).write_bytes(b"X")
    after = await remembered(cluster, "it", asked)

    assert (before, after) == ((b"1", 1), (b"X", 1))


async def test_what_changed_a_moment_before_it_was_read_is_never_relied_on(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    await store.create(KEY, b"1")

    with tracing() as fresh:
        await store.read(KEY)
    with anyio.fail_after(5):
        while True:
            with tracing() as trace:
                await store.read(KEY)
            if trace.settled:
                break
            await anyio.lowlevel.checkpoint()

    assert not fresh.holds()
    assert trace.holds()


@pytest.mark.usefixtures("settled")
async def test_an_answer_ends_with_its_time_and_is_another_for_another_question(
    tmp_path: Path,
) -> None:
    store = LocalStore(tmp_path / "root")
    cluster, world = await opened(tmp_path / "folder", store)
    asked = Asked(store)

    await remembered(cluster, ("it", "anna"), asked)
    await remembered(cluster, ("it", "ben"), asked)
    both = asked.count
    world.advance(SECONDS_MAX)
    await remembered(cluster, ("it", "anna"), asked)
    world.set_now(world.now() - timedelta(hours=1))
    await remembered(cluster, ("it", "anna"), asked)

    assert (both, asked.count) == (2, 4)


@pytest.mark.usefixtures("settled")
async def test_a_file_beside_the_root_counts_too(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    cluster, _ = await opened(tmp_path / "folder", store)
    asked, beside = Asked(store), tmp_path / "key"

    await remembered(cluster, "it", asked, beside=lambda: (beside,))
    await remembered(cluster, "it", asked, beside=lambda: (beside,))
    beside.write_text("a key", encoding="utf-8")
    await remembered(cluster, "it", asked, beside=lambda: (beside,))

    assert asked.count == 2


@pytest.mark.usefixtures("settled")
async def test_who_asks_while_it_is_worked_out_waits_for_the_same_answer(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    cluster, _ = await opened(tmp_path / "folder", store)
    asked = Asked(store)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(remembered, cluster, "it", asked)

    assert asked.count == 1


async def test_a_root_without_stamps_is_read_each_time(tmp_path: Path) -> None:
    store = MemoryStore()
    cluster, _ = await opened(tmp_path / "folder", store)
    asked = Asked(store)

    for _ in range(3):
        await remembered(cluster, "it", asked)

    assert asked.count == 3
