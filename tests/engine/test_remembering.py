"""An answer is given again only while everything it was read from is as it was."""

import mmap
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


SECOND_NS = 10**9
LONG_AGO_NS = 1_700_000_000 * SECOND_NS + 123_456_789


def changed_at(monkeypatch: pytest.MonkeyPatch, *, modified_ns: int, changed_ns: int) -> None:
    """Lets every file have been changed then, as a file system tells it."""
    real = os.stat

    def stat(path: str) -> Any:
        found = real(path)
        told = dict.fromkeys(("st_dev", "st_ino", "st_size"))
        fields = {name: getattr(found, name) for name in told}
        return SimpleNamespace(**fields, st_mtime_ns=modified_ns, st_ctime_ns=changed_ns)

    monkeypatch.setattr(
        traces, "os", SimpleNamespace(stat=stat, path=os.path, fsencode=os.fsencode)
    )


@pytest.mark.parametrize(
    ("modified_ns", "changed_ns", "relied_on"),
    [
        (LONG_AGO_NS, LONG_AGO_NS, True),
        (SECOND_NS, LONG_AGO_NS, True),
        (LONG_AGO_NS // SECOND_NS * SECOND_NS, LONG_AGO_NS // SECOND_NS * SECOND_NS, False),
        (LONG_AGO_NS, time.time_ns() + 365 * 86_400 * SECOND_NS, False),
    ],
    ids=["long ago", "set by hand to a whole second", "a clock of whole seconds", "in the future"],
)
def test_a_stamp_is_relied_on_where_a_later_change_must_have_another(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    modified_ns: int,
    changed_ns: int,
    relied_on: object,
) -> None:
    changed_at(monkeypatch, modified_ns=modified_ns, changed_ns=changed_ns)

    with tracing() as trace:
        traces.note(tmp_path)

    assert trace.settled is relied_on


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("kind", [0x6969, 0x65735546, 0xFF534D42, 0x01021997, 0x4D44, None])
async def test_a_file_system_whose_stamps_another_machine_keeps_is_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int | None
) -> None:
    """NFS, FUSE, CIFS, 9p, FAT, and one that cannot be told; also where nothing is there yet."""
    monkeypatch.setattr(traces, "file_system_of", lambda _: kind)
    store = LocalStore(tmp_path / "root")
    cluster, _ = await opened(tmp_path / "folder", store)
    asked = Asked(store)

    await remembered(cluster, "it", asked)
    await remembered(cluster, "it", asked)

    assert asked.count == 2


def test_the_file_system_of_a_folder_in_memory_or_on_a_disk_is_known(tmp_path: Path) -> None:
    told = {traces.file_system_of(str(tmp_path)), traces.file_system_of("/proc")}

    assert 0x9FA0 in told
    assert len(told) == 2
    assert traces.file_system_of(str(tmp_path / "none")) is None


def set_back(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_by_another_name(path: Path) -> None:
    other = path.parents[2] / "other"
    other.hardlink_to(path)
    other.write_bytes(b"X")
    other.unlink()


def rename_over(path: Path) -> None:
    before = path.stat()
    other = path.parents[2] / "other"
    other.write_bytes(b"X")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"X")


def move_the_folder(path: Path) -> None:
    path.parent.rename(path.parents[1] / "away")
    path.parent.mkdir()
    path.write_bytes(b"X")


def by_a_link(path: Path) -> None:
    other = path.parents[2] / "other"
    other.write_bytes(b"X")
    path.unlink()
    path.symlink_to(other)


def in_a_map(path: Path) -> None:
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 1) as mapped:
        mapped[0] = ord("X")
        mapped.flush()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "change",
    [set_back, write_by_another_name, rename_over, append, move_the_folder, by_a_link, in_a_map],
)
async def test_a_file_that_is_other_than_it_was_is_read_again_however_it_was_changed(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    store = LocalStore(tmp_path / "root")
    cluster, _ = await opened(tmp_path / "folder", store)
    await store.create(KEY, b"1")

    async def data() -> bytes:
        found = await store.read(KEY)
        assert found is not None
        return found.data

    before = await remembered(cluster, "it", data)
    wait_for_a_tick(tmp_path)
    change(store.path_of(KEY))
    after = await remembered(cluster, "it", data)

    assert before == b"1"
    assert after in {b"X", b"1X"}


def wait_for_a_tick(folder: Path) -> None:
    """Waits until the file system's clock tells another time: `settled` did away with the wait."""
    probe = folder / "probe"
    probe.touch()
    began, deadline = probe.stat().st_ctime_ns, time.monotonic() + 5
    while probe.stat().st_ctime_ns == began:
        assert time.monotonic() < deadline
        probe.touch()


@pytest.mark.usefixtures("settled")
async def test_a_clock_that_is_set_ends_what_was_remembered(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    cluster, world = await opened(tmp_path / "folder", store)
    asked = Asked(store)
    counts = []

    for step_s in (0.0, -0.06, 0.06, 0.01):
        world.set_now(world.now() + timedelta(seconds=step_s))
        await remembered(cluster, "it", asked)
        await remembered(cluster, "it", asked)
        counts.append(asked.count)

    assert counts == [1, 2, 3, 3]


@pytest.mark.usefixtures("settled")
def test_two_threads_that_saw_one_file_differently_are_not_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = traces.Trace()
    real = os.stat

    def stat(path: str) -> os.stat_result:
        found = real(path)
        trace.stamps.setdefault(path, (1, 2, 3, 4, 5))  # Another one noted it meanwhile.
        return found

    monkeypatch.setattr(
        traces, "os", SimpleNamespace(stat=stat, path=os.path, fsencode=os.fsencode)
    )
    trace.note(tmp_path)

    assert not trace.holds()


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
