"""Commits of the ledger beside the raw writes that they cannot do without, in one run.

``python -m benchmarks.ledger [COUNT]``. On a disk the raw write is a new file of the same bytes,
synced, and its name synced in its folder: what any durable new object costs. On S3 it is one
conditional PUT of the same bytes over the same connection. Raw writes and commits take turns, so
that both see the same machine. The bar is 2 times, for the median and for the 99th percentile.
"""

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import msgspec

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.s3 import S3Store
from agentctl.domain.ledger.codec import ledger_key
from agentctl.domain.ledger.envelope import ChainHead
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.leases import Leases
from agentctl.engine.ledger import Head, Ledger
from agentctl.engine.world import SystemWorld
from agentctl.testing.servers import ObjectServer, moto_server, seaweed_server

BAR: Final = 2.0
WARM_COUNT: Final = 20
NOTHING: Final = ChainHead(length=0, head=None)

Raw = Callable[[int, bytes], Awaitable[None]]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How long one kind of write took, in milliseconds."""

    median: float
    p99: float
    per_s: float


def main() -> None:
    """Measures and prints a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    sys.stdout.write(
        f"{count} commits each\n\n"
        "| store | | per second | median ms | p99 ms | median, times raw | p99, times raw |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    with tempfile.TemporaryDirectory(prefix="agentctl-bench-", dir=_disk()) as folder:
        _tell("disk", *anyio.run(_on_disk, Path(folder), count))
    for make in (seaweed_server, moto_server):
        with make() as server:
            os.environ.update(server.environ)
            _tell(server.name, *anyio.run(_on_server, server, count))


def _disk() -> str:
    """Returns a folder on a disk: what is synced to memory costs nothing."""
    return os.environ.get("AGENTCTL_BENCH_FOLDER", str(Path.cwd()))


async def _on_disk(folder: Path, count: int) -> tuple[Figures, Figures]:
    store = LocalStore(folder / "root")
    raw_folder = folder / "raw"
    raw_folder.mkdir()

    async def raw(number: int, data: bytes) -> None:
        def write() -> None:
            _durably(raw_folder / f"{number:020}.json", data)

        await anyio.to_thread.run_sync(write)

    return await _measured(store, raw, count)


async def _on_server(server: ObjectServer, count: int) -> tuple[Figures, Figures]:
    store, beside = S3Store(server.new_root()), S3Store(server.new_root())

    async def raw(number: int, data: bytes) -> None:
        assert await beside.create(f"raw/{number:020}.json", data)

    try:
        return await _measured(store, raw, count)
    finally:
        await store.aclose()
        await beside.aclose()


async def _measured(store: ObjectStore, raw: Raw, count: int) -> tuple[Figures, Figures]:
    """Returns the figures of raw writes and of commits."""
    raws: list[float] = []
    commits: list[float] = []
    gc.collect()
    async with _committing(store) as commit:
        for number in range(1, count + WARM_COUNT + 1):
            began = time.perf_counter()
            head = await commit()
            done = time.perf_counter()
            found = await store.read(ledger_key(head.seq))
            assert found is not None
            before = time.perf_counter()
            await raw(number, found.data)
            raws.append(time.perf_counter() - before)
            commits.append(done - began)
    return _figures(raws[WARM_COUNT:]), _figures(commits[WARM_COUNT:])


@asynccontextmanager
async def _committing(store: ObjectStore) -> AsyncIterator[Callable[[], Awaitable[Head]]]:
    world = SystemWorld()
    ledger = Ledger(store, world)
    leases = Leases(store, world, before_release=ledger.settle_copy)
    async with leases.hold("cluster", principal="bench", operation="apply") as lease:
        base: Head | None = None

        async def commit() -> Head:
            nonlocal base
            base = await ledger.commit(
                base=base, kind="apply", op=None, lease=lease, cluster_id="c", state=State(),
                audit=NOTHING, principals=NOTHING, source=None,
            )  # fmt: skip
            return base

        yield commit


def _durably(path: Path, data: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _figures(times_s: list[float]) -> Figures:
    ordered = sorted(times_s)
    return Figures(
        median=statistics.median(ordered) * 1000,
        p99=ordered[int(len(ordered) * 0.99)] * 1000,
        per_s=len(ordered) / sum(ordered),
    )


def _tell(name: str, raw: Figures, commits: Figures) -> None:
    median, p99 = commits.median / raw.median, commits.p99 / raw.p99
    sys.stdout.write(
        f"| {name} | raw | {raw.per_s:.0f} | {raw.median:.2f} | {raw.p99:.2f} | | |\n"
        f"| | commit | {commits.per_s:.0f} | {commits.median:.2f} | {commits.p99:.2f} "
        f"| {_mark(median)} | {_mark(p99)} |\n"
    )


def _mark(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio <= BAR else f"**{ratio:.2f}**"


if __name__ == "__main__":
    main()
