"""Eight writers and more contend for one ledger, and some order of single moments explains them.

They pause for longer than their lease lives, lose answers, are answered before their write arrives, and
have their clocks set. On memory and on a disk the histories run on a virtual clock; on a disk with
threads, on moto and on SeaweedFS they take the time that they take.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.domain.ledger.codec import encode_envelope, ledger_key
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.leases import Leases
from agentctl.engine.ledger import Ledger, LedgerUnreadableError
from agentctl.testing.contention import WRITERS, Trouble, contend
from agentctl.testing.sampling import LONG, sampled
from agentctl.testing.simulation.loop import run_virtually

IN_MEMORY = 600 if LONG else 40
ON_DISK = 250 if LONG else 10
IN_REAL_TIME = range(50)
"""Histories whose pauses are waited out; all under the long profile."""
PLANTED = 60
Connect = Callable[[], ObjectStore]
Evidence = Callable[[str, object], None]


class Seen:
    """What the histories of a test held."""

    def __init__(self) -> None:
        self.histories = self.operations = self.takeovers = self.pauses = 0

    def told(self, where: str) -> str:
        return (
            f"linearizability, {where}: {self.histories} histories of {WRITERS} writers,"
            f" {self.operations} operations, {self.takeovers} takeovers, {self.pauses} pauses"
        )


async def explained(
    connect: Connect, seed: int, seen: Seen, trouble: Trouble | None = None
) -> None:
    history, begin = await contend(connect, seed, trouble=trouble)
    fault = history.fault(begin)
    assert fault is None, f"seed {seed}: {fault}"
    seen.histories += 1
    seen.operations += len(history.operations)
    seen.takeovers += history.takeovers
    seen.pauses += history.pauses


def in_memory() -> Connect:
    objects: dict[str, bytes] = {}
    return lambda: MemoryStore(objects=objects)


def test_histories_in_memory_are_explained(record_property: Evidence) -> None:
    seen = Seen()

    for seed in range(IN_MEMORY):
        run_virtually(lambda seed=seed: explained(in_memory(), seed, seen))  # type: ignore[misc]

    assert seen.takeovers > IN_MEMORY
    record_property("evidence", seen.told("memory"))


def test_histories_on_a_disk_are_explained(tmp_path: Path, record_property: Evidence) -> None:
    seen = Seen()

    for seed in range(ON_DISK):
        root = tmp_path / str(seed)
        run_virtually(lambda seed=seed, root=root: explained(lambda: LocalStore(root), seed, seen))  # type: ignore[misc]

    assert seen.takeovers > ON_DISK
    record_property("evidence", seen.told("disk"))


@pytest.mark.slow
async def test_histories_of_threads_on_a_disk_are_explained(
    tmp_path: Path, record_property: Evidence
) -> None:
    seen = Seen()

    for seed in sampled(IN_REAL_TIME, 2, of="threads"):
        root = tmp_path / str(seed)
        await explained(lambda root=root: LocalStore(root), seed, seen)  # type: ignore[misc]

    record_property("evidence", seen.told("disk, with threads"))


async def on_server(root: S3Root, seen: Seen) -> None:
    for seed in sampled(IN_REAL_TIME, 1, of=root.bucket):
        below = S3Root(bucket=root.bucket, prefix=f"{root.prefix}{seed}/")
        await explained(lambda below=below: S3Store(below), seed, seen)  # type: ignore[misc]


@pytest.mark.slow
async def test_histories_on_moto_are_explained(
    moto_root: S3Root, record_property: Evidence
) -> None:
    seen = Seen()

    await on_server(moto_root, seen)

    record_property("evidence", seen.told("moto"))


@pytest.mark.slow
async def test_histories_on_seaweedfs_are_explained(
    seaweed_root: S3Root, record_property: Evidence
) -> None:
    seen = Seen()

    await on_server(seaweed_root, seen)

    record_property("evidence", seen.told("SeaweedFS"))


def some_history_fails() -> bool:
    for seed in range(PLANTED):
        try:
            run_virtually(lambda seed=seed: explained(in_memory(), seed, Seen()))  # type: ignore[misc]
        except (AssertionError, LedgerUnreadableError):
            return True
    return False


async def overwriting(store: MemoryStore, key: str, data: bytes) -> bool:
    await store.replace(key, data)
    return True


def test_a_store_that_ignores_create_only_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "create", overwriting)

    assert some_history_fails()


def test_a_takeover_that_hides_an_owed_fence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    acquire = Leases._acquire

    async def hiding(leases: Leases, *args: object, **more: object) -> object:
        taken = await acquire(leases, *args, **more)  # type: ignore[arg-type]
        leases._owed.clear()
        return taken[0], False

    monkeypatch.setattr(Leases, "_acquire", hiding)

    assert some_history_fails()


def test_a_commit_that_overwrites_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Ledger._append

    async def forcing(ledger: Ledger, envelope: object, lease: object) -> object:
        await ledger._store.replace(ledger_key(envelope.seq), encode_envelope(envelope))  # type: ignore[attr-defined,arg-type]
        return await append(ledger, envelope, lease)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "_append", forcing)

    assert some_history_fails()
