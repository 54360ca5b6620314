"""What every object store gives; the guarantees are those of `agentctl.domain.storage.protocol`."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from agentctl.adapters.backends.local import TEMPORARY_AGE_MAX_S, TEMPORARY_PREFIX, LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.open import open_store
from agentctl.adapters.backends.probe import probe
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.domain.storage.protocol import ObjectStore, UnavailableError, UnsuitableError
from agentctl.testing.crash import CrashingStore

Connect = Callable[[], ObjectStore]


@pytest.fixture(
    params=[
        "local",
        "memory",
        "wrapped",
        pytest.param("moto", marks=pytest.mark.slow),
        pytest.param("seaweed", marks=pytest.mark.slow),
    ]
)
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    """Opens further connections to one storage root."""
    opened: list[ObjectStore] = []
    make = _connections(request, tmp_path)

    def connect() -> ObjectStore:
        opened.append(make())
        return opened[-1]

    yield connect
    for store in opened:
        await store.aclose()


def _connections(request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    if request.param == "local":
        return lambda: LocalStore(tmp_path / "root")
    if request.param in {"moto", "seaweed"}:
        root = request.getfixturevalue(f"{request.param}_root")
        assert isinstance(root, S3Root)
        return lambda: S3Store(root)
    memory = MemoryStore()
    if request.param == "wrapped":
        return lambda: CrashingStore(memory.connect())
    return memory.connect


async def test_an_object_is_read_as_it_was_written(connect: Connect) -> None:
    store = connect()

    assert await store.create("a/b c/ä.json", b"\x00\xff") is True

    found = await connect().read("a/b c/ä.json")
    assert found is not None
    assert (found.key, found.data) == ("a/b c/ä.json", b"\x00\xff")


async def test_what_is_not_there_reads_as_none(connect: Connect) -> None:
    store = connect()
    await store.create("a/b", b"1")

    assert await store.read("a/c") is None
    assert await store.read("a") is None
    assert await store.read("a/b/c") is None


async def test_an_object_that_exists_is_not_created_again(connect: Connect) -> None:
    store, same = connect(), b"same"
    await store.create("k", same)

    assert await store.create("k", same) is False
    assert await connect().create("k", b"other") is False
    found = await store.read("k")
    assert found is not None
    assert found.data == b"same"


async def test_of_many_concurrent_creates_exactly_one_wins(connect: Connect) -> None:
    won: list[int] = []

    async def attempt(number: int) -> None:
        if await connect().create("race/1", b"%d" % number):
            won.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(24):
            tasks.start_soon(attempt, number)

    assert len(won) == 1
    found = await connect().read("race/1")
    assert found is not None
    assert found.data == b"%d" % won[0]


async def test_a_replacement_is_seen_whole(connect: Connect) -> None:
    store, texts = connect(), [bytes([65 + n]) * 50_000 for n in range(8)]
    seen: set[bytes] = set()
    await store.replace("k", texts[0])

    async def write() -> None:
        for text in texts:
            await store.replace("k", text)

    async def look() -> None:
        other = connect()
        for _ in range(20):
            found = await other.read("k")
            assert found is not None
            seen.add(found.data)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        tasks.start_soon(look)

    assert seen <= set(texts)


async def test_a_deleted_object_is_gone_and_deleting_again_is_no_error(connect: Connect) -> None:
    store = connect()
    await store.create("a/k", b"1")

    await store.delete("a/k")
    await store.delete("a/k")
    await store.delete("never/there")

    assert await connect().read("a/k") is None
    assert await store.list("a/") == ()
    assert await store.create("a/k", b"2") is True


async def test_listings_are_by_prefix_in_order_of_bytes(connect: Connect) -> None:
    store = connect()
    for key in (
        "log/2",
        "log/10",
        "log/1.beat",
        "log.x",
        "logs/1",
        "log/sub/1",
        "é",
        "z",
        "\U0001f600",
    ):
        await store.create(key, b"")

    assert await store.list("log/") == ("log/1.beat", "log/10", "log/2", "log/sub/1")
    assert await store.list("log/1") == ("log/1.beat", "log/10")
    assert await store.list("log/", after="log/10") == ("log/2", "log/sub/1")
    assert await store.list("none/") == ()
    assert (await store.list(""))[-3:] == ("z", "é", "\U0001f600")


async def test_a_listing_goes_on_behind_any_key(connect: Connect) -> None:
    """Also where a folder is called as a file begins: servers with folders order those otherwise."""
    store = connect()
    keys = ["a.c", "a-x", "a/b.x", "a/b-y/1", "a/b/c", "a/b/c.d", "a/c", "ab/1", "b"]
    for key in keys:
        await store.create(key, b"")

    for prefix in ("", "a", "a/", "a/b", "a/b/"):
        wanted = sorted((k for k in keys if k.startswith(prefix)), key=str.encode)
        for after in ("", "a", "a.c", "a/b", "a/b.x", "a/b/c", "a/c", "ab", "b"):
            found = await store.list(prefix, after=after)
            assert found == tuple(k for k in wanted if k > after), (prefix, after)


async def test_folders_are_what_keys_lie_below(connect: Connect) -> None:
    store = connect()
    for key in ("a/b/1", "a/b.x/1", "a/é/1", "a/file", "top"):
        await store.create(key, b"")

    assert await store.folders("") == ("a",)
    assert await store.folders("a/") == ("b", "b.x", "é")
    assert await store.folders("none/") == ()


async def test_what_lies_below_a_prefix_is_measured(connect: Connect) -> None:
    store = connect()
    await store.create("a/1", b"x" * 1000)
    await store.create("a/b/2", b"y" * 234)
    await store.create("ab", b"z")

    assert await store.size_bytes("a/") == 1234
    assert await store.size_bytes("none/") == 0


async def test_a_clock_is_that_of_the_storage_where_it_has_one(connect: Connect) -> None:
    store = connect()

    told = await store.clock()

    has_one = isinstance(store, S3Store)
    assert (told is not None) == has_one
    assert told is None or abs((datetime.now(UTC) - told).total_seconds()) < 5


async def test_a_store_that_was_closed_is_opened_by_the_next_call(connect: Connect) -> None:
    store = connect()
    await store.create("k", b"1")
    await store.aclose()
    await store.aclose()

    found = await store.read("k")
    assert found is not None
    assert found.data == b"1"


async def test_a_listing_shows_ones_own_writes_from_any_connection(connect: Connect) -> None:
    await connect().create("log/1", b"")
    await connect().replace("log/2", b"")

    assert await connect().list("log/") == ("log/1", "log/2")


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.hidden", ".", "a\\b", "a\0"]
)
async def test_a_key_that_could_leave_the_root_is_a_bug(connect: Connect, key: str) -> None:
    store = connect()

    with pytest.raises(AssertionError):
        await LocalStore(Path("/nowhere")).read(key)
    if isinstance(store, MemoryStore):
        with pytest.raises(AssertionError):
            await store.create(key, b"")


async def test_a_store_that_excludes_passes_the_probe_and_is_left_clean(connect: Connect) -> None:
    assert await probe(connect(), connect()) is None

    assert await connect().list("") == ()


class _ForgetfulStore(MemoryStore):
    """Creates over what is there, as some object stores do."""

    async def create(self, key: str, data: bytes) -> bool:
        await self.replace(key, data)
        return True


async def test_a_store_that_lets_two_create_one_object_is_refused() -> None:
    store = _ForgetfulStore()

    refused = await probe(store, store)

    assert refused is not None
    assert refused.code == "storage_probe_failed"
    assert refused.severity == "error"


async def test_two_stores_that_do_not_share_objects_are_refused() -> None:
    refused = await probe(MemoryStore(), MemoryStore())

    assert refused is not None
    assert refused.code == "storage_probe_failed"


# Local disk only, from here on.


CREATE = (
    "import sys, anyio\n"
    "from pathlib import Path\n"
    "from agentctl.adapters.backends.local import LocalStore\n"
    "store, number = LocalStore(Path(sys.argv[1])), sys.argv[2].encode()\n"
    "sys.stdin.read()\n"  # all wait for the same end of input
    "print(anyio.run(store.create, 'race/1', number))\n"
)


def test_of_many_processes_exactly_one_creates(tmp_path: Path) -> None:
    runners = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for runner in runners:
        assert runner.stdin is not None
        runner.stdin.close()
        runner.stdin = None
    told = [runner.communicate()[0].strip() for runner in runners]

    assert sorted(told) == ["False"] * 7 + ["True"]
    assert (tmp_path / "race/1").read_bytes() == str(told.index("True")).encode()


async def test_a_process_killed_within_a_create_leaves_nothing_that_is_listed(
    tmp_path: Path,
) -> None:
    program = (
        "import os, signal, sys, anyio\n"
        "from pathlib import Path\n"
        "from agentctl.adapters.backends import local\n"
        "os.link = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "anyio.run(local.LocalStore(Path(sys.argv[1])).create, 'log/1', b'torn')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = await to_thread.run_sync(lambda: subprocess.run(command, check=False))
    store = LocalStore(tmp_path)

    assert ended.returncode == -9
    assert [p.name[: len(TEMPORARY_PREFIX)] for p in (tmp_path / "log").iterdir()] == [
        TEMPORARY_PREFIX
    ]
    assert await store.list("") == ()
    assert await store.read("log/1") is None
    assert await store.create("log/1", b"whole") is True


async def test_old_temporary_files_are_swept_and_young_ones_are_left(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    old, young = folder / f"{TEMPORARY_PREFIX}1-old", folder / f"{TEMPORARY_PREFIX}1-young"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    long_ago = time.time() - TEMPORARY_AGE_MAX_S - 60
    os.utime(old, (long_ago, long_ago))

    await LocalStore(tmp_path).create("log/1", b"")

    assert sorted(p.name for p in folder.iterdir()) == [young.name, "1"]


async def test_a_disk_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(UnavailableError):
        await LocalStore(tmp_path / "file").create("k", b"")


async def test_a_file_system_without_hard_links_is_unsuitable_and_the_probe_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = LocalStore(tmp_path)

    with pytest.raises(UnsuitableError):
        await store.create("k", b"")
    refused = await probe(store, store)
    assert refused is not None
    assert refused.code == "storage_probe_failed"


def test_a_storage_root_is_opened_by_path_or_file_uri(tmp_path: Path) -> None:
    base = tmp_path.resolve()

    assert open_store(".", base).uri == base.as_uri()
    assert open_store(" sub/ ", base).uri == (base / "sub").as_uri()
    assert open_store((base / "a b").as_uri() + "/", Path("/")).uri == (base / "a b").as_uri()
    for refused in (
        "",
        "  ",
        "s3://",
        "s3:///x",
        "s3://b/a//b",
        "s3://b/.x",
        "ftp://h/x",
        "file://host/x",
    ):
        with pytest.raises(UnsuitableError):
            open_store(refused, base)
