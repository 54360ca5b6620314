"""How long loads take beside the raw writes, and how much memory they take.

Run as ``python -m tests.graph.loads.loads_bench [nodes] [edges] [folder]``; no test.
"""

import asyncio
import itertools
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import lance
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from agentctl.graph.loads.sources import (
    ColumnMapping,
    NdjsonSource,
    ParquetSource,
    Progress,
    Source,
)
from tests.graph.loads.loads_rig import Graph

SCHEMA = """
node Person { slug: String @key  age: I32?  city: String? }
edge Knows: Person -> Person { since: I32? }
"""
STRIDE = 7_919


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Memory:
    """The most memory of its own that this process had, in MiB, looked at every 50 ms."""

    def __init__(self) -> None:
        self.most = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._done.set()
        self._thread.join()
        return self.most

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.most = max(self.most, own_mib())


def own_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def nodes(count: int) -> Iterator[bytes]:
    for n in range(count):
        yield b'{"type":"Person","data":{"slug":"person-%d","age":%d,"city":"c%d"}}\n' % (
            n,
            n % 90,
            n % 1000,
        )


def edges(count: int, of: int) -> Iterator[bytes]:
    for n in range(count):
        yield b'{"edge":"Knows","from":"person-%d","to":"person-%d","data":{"since":%d}}\n' % (
            n % of,
            n * STRIDE % of,
            n % 2000,
        )


def tables(node_count: int, edge_count: int) -> tuple[pa.Table, pa.Table]:
    numbers = range(node_count)
    people = pa.table(
        {
            "slug": [f"person-{n}" for n in numbers],
            "age": pa.array([n % 90 for n in numbers], pa.int32()),
            "city": [f"c{n % 1000}" for n in numbers],
        }
    )
    numbers = range(edge_count)
    knows = pa.table(
        {
            "from": [f"person-{n % node_count}" for n in numbers],
            "to": [f"person-{n * STRIDE % node_count}" for n in numbers],
            "since": pa.array([n % 2000 for n in numbers], pa.int32()),
        }
    )
    return people, knows


def timed(name: str, wall: float, cpu: float) -> tuple[float, float]:
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    say(f"{name:44} {wall:8.2f} s wall {cpu:8.2f} s of CPU")
    return wall, cpu


def raw(folder: Path, people: pa.Table, knows: pa.Table) -> None:
    """The same rows written and indexed through Lance alone."""
    people = people.add_column(0, "id", people["slug"])
    ids = pa.array([f"{n:026d}" for n in range(len(knows))])
    knows = knows.rename_columns(["src", "dst", "since"]).add_column(0, "id", ids)
    for name, table, columns in (("p", people, ["id"]), ("k", knows, ["src", "dst"])):
        made = lance.write_dataset(table, str(folder / name), enable_stable_row_ids=True)
        for column in columns:
            made.create_scalar_index(column, "BTREE")


def decoded(lines: Iterator[bytes]) -> int:
    class Data(msgspec.Struct, forbid_unknown_fields=True):
        slug: str | None = None
        age: int | None = None
        city: str | None = None
        since: int | None = None

    class Line(
        msgspec.Struct, forbid_unknown_fields=True, rename={"source": "from", "target": "to"}
    ):
        data: Data
        type: str | None = None
        edge: str | None = None
        source: str | None = None
        target: str | None = None

    decode = msgspec.json.Decoder(Line).decode
    return sum(isinstance(decode(line), Line) for line in lines)


async def loaded(name: str, folder: Path, *sources: Source) -> tuple[float, float]:
    graph = Graph(folder)
    await graph.create(SCHEMA)
    phases: dict[str, float] = {}

    def tell(progress: Progress) -> None:
        phases[progress.phase] = time.perf_counter()

    began, cpu, memory = time.perf_counter(), time.process_time(), Memory()
    base = own_mib()
    outcome = await graph.load_from(*sources, progress=tell)
    assert outcome.commit is not None, outcome.diagnostics
    figures = timed(name, began, cpu)
    ended = ", ".join(f"{p} until {at - began:.1f} s" for p, at in phases.items())
    say(f"    {outcome.rows}; own memory {base:.0f} to {memory.stop():.0f} MiB; {ended}")
    return figures


async def main(node_count: int, edge_count: int, folder: Path) -> None:
    say(f"{node_count:,} nodes, {edge_count:,} edges, load {os.getloadavg()[0]:.0f}")
    if edge_count <= 1_000_000:
        people, knows = tables(node_count, edge_count)
        wall, cpu = time.perf_counter(), time.process_time()
        raw(folder, people, knows)
        _, raw_cpu = timed("raw Lance writes and index builds", wall, cpu)
        lines = list(itertools.chain(nodes(node_count), edges(edge_count, node_count)))
        wall, cpu = time.perf_counter(), time.process_time()
        decoded(iter(lines))
        _, decode_cpu = timed("one typed decode of each line", wall, cpu)
        pq.write_table(people, folder / "p.parquet")
        pq.write_table(knows, folder / "k.parquet")
        del people, knows
        _, cpu = await loaded("load from NDJSON", folder / "ndjson", NdjsonSource(lines=lines))
        say(f"    {cpu / (raw_cpu + decode_cpu):.2f} times raw and decode, in CPU")
        del lines
        _, cpu = await loaded(
            "load from Parquet",
            folder / "parquet",
            ParquetSource(path=folder / "p.parquet", mapping=ColumnMapping(type="Person")),
            ParquetSource(path=folder / "k.parquet", mapping=ColumnMapping(edge="Knows")),
        )
        say(f"    {cpu / raw_cpu:.2f} times raw, in CPU")
    else:
        lazy = itertools.chain(nodes(node_count), edges(edge_count, node_count))
        await loaded("load from NDJSON", folder / "ndjson", NdjsonSource(lines=lazy))
    graph = Graph(folder / "ndjson")
    wall, cpu, memory = time.perf_counter(), time.process_time(), Memory()
    found = await graph.digest()
    timed(f"digest {found[:12]} of the whole export", wall, cpu)
    say(f"    own memory to {memory.stop():.0f} MiB")
    wall, cpu, memory = time.perf_counter(), time.process_time(), Memory()
    report = await graph.graphs.verify("g")
    timed(f"verify, {report.problem_count} problems in {report.rows:,} rows", wall, cpu)
    say(f"    own memory to {memory.stop():.0f} MiB")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    say(f"    most of all, pages of files too: {most} MiB")


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[1:3]] or [100_000, 500_000]
    place = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory(dir=place) as made:
        asyncio.run(main(counts[0], counts[1], Path(made)))
