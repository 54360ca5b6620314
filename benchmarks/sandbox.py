"""A sandbox over a cluster of many rows beside a copy of its files, in one run.

``python -m benchmarks.sandbox [--rows COUNT] [--turns COUNT] [--at-once COUNT]``. A copy of the storage
root is what a sandbox would cost without branches. Opening, and closing one in which rows were
loaded, take turns with the copy, so that all see the same machine. The bars of the issue are 0.25 s for
opening and closing together, and 1 MB of storage. Then as many as are asked for are open at once.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio
import msgspec

from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.gather import observe_graph
from agentctl.engine.lending import take_back
from agentctl.engine.sandboxed import Opening, inside, open_sandbox
from agentctl.testing.builders import Bench, folder_files, wanting

BAR_S: Final = 0.25
BAR_BYTES: Final = 1_000_000
GRAPHS: Final = ("first", "second", "third", "fourth")
ROW: Final = b'{"type": "Package", "data": {"name": "z", "version": "9"}}\n'


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One opening and closing, in seconds, and what it took of the storage."""

    opened_s: float
    closed_s: float
    written_closed_s: float
    """Of one in which a row was loaded."""
    bytes: int
    copied_s: float
    copied_bytes: int


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--at-once", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentctl-bench-", dir=Path.cwd()) as folder:
        anyio.run(_run, Path(folder), given.rows, given.turns, given.at_once)


async def _run(folder: Path, rows: int, turns: int, at_once: int) -> None:
    bench = Bench(folder, where="lance")
    cluster = await bench.begun(folder_files(*GRAPHS))
    applied = await apply(cluster, bench.sarah, wanting())
    assert applied.converged, applied.diagnostics
    each = rows // len(GRAPHS)
    for graph in GRAPHS:
        report, _ = await load(cluster, bench.sarah, graph, _lines(each), "append", "bench")
        assert report.commit, report.diagnostics
    found = [await _turn(bench, cluster, folder / "copy") for _ in range(turns)]
    together = _median(t.opened_s + t.closed_s for t in found)
    written = _median(t.written_closed_s for t in found)
    size = max(t.bytes for t in found)
    copied, copied_bytes = _median(t.copied_s for t in found), found[0].copied_bytes
    sys.stdout.write(
        f"{rows} rows in {len(GRAPHS)} graphs, {turns} turns\n\n"
        "| what | s | bytes | bar |\n|---|---|---|---|\n"
        f"| opening | {_median(t.opened_s for t in found):.3f} | {size:,} | {BAR_BYTES:,} bytes |\n"
        f"| closing | {_median(t.closed_s for t in found):.3f} | | |\n"
        f"| both | {together:.3f} | | {BAR_S} s: {together / BAR_S:.2f} × |\n"
        f"| closing after a load | {written:.3f} | | |\n"
        f"| copy of the files | {copied:.3f} | {copied_bytes:,} | |\n"
    )
    await _at_once(bench, cluster, at_once)


async def _turn(bench: Bench, cluster: Cluster, copy: Path) -> Turn:
    before, content = _size(bench.path), await _contents(cluster)
    began = time.perf_counter()
    sandbox = await _opened(bench, cluster)
    opened = time.perf_counter()
    size = _size(bench.path) - before
    ended = time.perf_counter()
    await take_back(cluster, sandbox, by="sarah", reason="closed")
    closed = time.perf_counter()
    sandbox = await _opened(bench, cluster)
    async with inside(cluster, sandbox) as inner:
        await load(inner, bench.sarah, GRAPHS[0], [ROW], "append", "bench")
    begun = time.perf_counter()
    await take_back(cluster, sandbox, by="sarah", reason="closed")
    gone = time.perf_counter()
    assert await _contents(cluster) == content, "the base moved"
    shutil.copytree(bench.path, copy)
    copied = time.perf_counter()
    copied_bytes = _size(copy)
    shutil.rmtree(copy)
    return Turn(
        opened_s=opened - began,
        closed_s=closed - ended,
        written_closed_s=gone - begun,
        bytes=size,
        copied_s=copied - gone,
        copied_bytes=copied_bytes,
    )


async def _at_once(bench: Bench, cluster: Cluster, count: int) -> None:
    before, content = _size(bench.path), await _contents(cluster)
    began = time.perf_counter()
    sandboxes = [await _opened(bench, cluster) for _ in range(count)]
    opened = time.perf_counter()
    size = _size(bench.path) - before
    for sandbox in sandboxes:
        async with inside(cluster, sandbox) as inner:
            await load(inner, bench.sarah, GRAPHS[1], [ROW], "append", "bench")
    written = time.perf_counter()
    for sandbox in sandboxes:
        await take_back(cluster, sandbox, by="sarah", reason="closed")
    closed = time.perf_counter()
    assert await _contents(cluster) == content, "the base moved"
    sys.stdout.write(
        f"\n{count} at once: opened in {opened - began:.1f} s, {size:,} bytes; a load in each"
        f" {written - opened:.1f} s; closed in {closed - written:.1f} s;"
        f" {_size(bench.path) - before:,} bytes more than before\n"
    )


async def _opened(bench: Bench, cluster: Cluster) -> str:
    return (await open_sandbox(cluster, bench.sarah, Opening(op="bench"))).sandbox


async def _contents(cluster: Cluster) -> list[object]:
    """Returns what each graph's `main` is, and the newest ledger object."""
    seen = [await observe_graph(cluster, graph) for graph in GRAPHS]
    head = await cluster.ledger.head()
    assert head is not None
    return [*((s.commit, s.content) for s in seen), head.object_digest]


def _lines(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield f'{{"type": "Package", "data": {{"name": "n{number}", "version": "1"}}}}\n'.encode()


def _size(path: Path) -> int:
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
