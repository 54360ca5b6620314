"""What ought not to grow with the graph: branches, merges of a few rows, reads from one node.

The same graph in several sizes, five edges to a node; and merges of more and more rows in one of them,
whose cost ought to follow the change.
"""

import functools
import itertools
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from agentctl.graph.adjacency.ranks import IDS_OF_A_WALK
from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query
from agentctl.graph.threads import in_thread
from benchmarks.graph_data import Data, made, write_parquet
from benchmarks.graph_ours import GRAPH, Ours
from benchmarks.graph_timing import Call, medians, once, shown

NODE_COUNTS: Final = (1_000, 10_000, 100_000)
LARGE: Final = 1_000_000
EDGES_OF_A_NODE: Final = 5
MERGED: Final = 100
CHANGED: Final = (10, 100, 1_000, 10_000)
CHANGED_NODES: Final = 100_000
"""Nodes of the graph that merges of more and more rows are made in, at most."""
MERGE_COUNT: Final = 3
"""How often a merge is timed; the median counts."""
TURNS: Final = 3

WAYS: Final[Mapping[str, ExecutorName]] = {"by CSR": "csr", "by index": "index"}


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what something takes in each size, in milliseconds."""

    what: str
    ms: Mapping[str, float]
    bar: str = ""


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """One graph of ours."""

    data: Data
    ours: Ours


async def growing_rows(place: Path, counts: Sequence[int]) -> list[Growth]:
    """Measures the same in graphs of several numbers of nodes."""
    found: dict[str, dict[str, float]] = {}
    for count in counts:
        async with loaded(place, count) as graph:
            rows = graph.data.nodes.num_rows + graph.data.edges.num_rows
            for what, ms in (await _of_one(graph)).items():
                found.setdefault(what, {})[f"{rows:,} rows"] = ms
    bars = {"branch": "2 ms"}
    return [Growth(what=w, ms=ms, bar=bars.get(w, "flat")) for w, ms in found.items()]


async def changing_rows(place: Path, nodes: int) -> list[Growth]:
    """Merges more and more rows in a graph of that many nodes, as many as both sides can change."""
    async with loaded(place, nodes) as graph:
        ms = {
            f"{count:,} changed": await merge_ms(graph, count)
            for count in CHANGED
            if 2 * count <= nodes
        }
    return [Growth(what="merge", ms=ms, bar="follows the change")]


async def _of_one(graph: Sized) -> dict[str, float]:
    # Branches come last: there are hundreds of them then.
    found = await _hops(graph)
    found |= {f"merge of {MERGED} changed rows": await merge_ms(graph, MERGED)}
    numbers = itertools.count(1)

    async def branch() -> None:
        await graph.ours.graphs.branch_create(GRAPH, f"b-{next(numbers)}", stamp=graph.ours.stamp())

    found |= await medians({"branch": branch}, turns=TURNS)
    return found


async def _hops(graph: Sized) -> dict[str, float]:
    """Reads on an open snapshot, in a worker thread, when all that reads build is built."""
    snapshot, caches = await graph.ours.snapshot(), ReadCaches()
    params = {"one": graph.data.name(graph.data.nodes.num_rows // 2)}
    calls: dict[str, Call] = {}
    for hops in (1, 2, 3):
        for said, way in WAYS.items():
            read = functools.partial(
                run_query,
                snapshot,
                graph.ours.query(f"hops_{hops}"),
                params,
                ReadOptions(executor=way),
                caches=caches,
            )
            if way == "csr" and hops == 1:
                settle(read, graph.data)
            name = f"{hops} hop{'s' if hops > 1 else ''} from one node, {said}"
            calls[name] = functools.partial(in_thread, read)
    return await medians(calls, turns=TURNS)


def settle(read: Callable[[], object], data: Data) -> None:
    """Reads as often as it takes until the order of the ids is kept."""
    for _ in range(data.nodes.num_rows // IDS_OF_A_WALK + 3):
        read()


async def merge_ms(graph: Sized, count: int) -> float:
    """Returns how long merges take of a branch with *count* changed rows into one with as many others."""
    ours, taken = graph.ours, list[float]()
    for turn in range(MERGE_COUNT):
        side = f"side-{count}-{turn}"
        await ours.graphs.branch_create(GRAPH, side, stamp=ours.stamp())
        for branch, first in ((side, 0), ("main", count)):
            names = [graph.data.name(first + n) for n in range(count)]
            params = {"names": names, "age": 100 + count + turn}
            await ours.graphs.mutate(
                GRAPH, ours.query("move"), params, branch=branch, stamp=ours.stamp()
            )
        merge = functools.partial(ours.graphs.merge, GRAPH, side, stamp=ours.stamp())
        report, ms = await once(merge)
        assert getattr(report, "outcome", None) == "merged", report
        taken.append(ms)
    return statistics.median(taken)


@asynccontextmanager
async def loaded(place: Path, nodes: int) -> AsyncIterator[Sized]:
    """Gives a graph of that many nodes, loaded from Parquet."""
    data = made(nodes, nodes * EDGES_OF_A_NODE)
    with tempfile.TemporaryDirectory(prefix="agentctl-bench-", dir=place) as name:
        ours = Ours(Path(name) / "ours")
        await ours.create()
        await ours.load_parquet(*write_parquet(data, Path(name)))
        yield Sized(data=data, ours=ours)


def tell_growth(title: str, rows: Sequence[Growth]) -> None:
    """Prints a table: a column for each size, and how many times the first the last one takes."""
    names = list(rows[0].ms)
    sys.stdout.write(f"\n### {title}\n\n| | {' | '.join(names)} | last ÷ first | bar |\n")
    sys.stdout.write(f"|---|{'---|' * (len(names) + 2)}\n")
    for row in rows:
        cells = " | ".join(shown(row.ms[name]) for name in names)
        growth = row.ms[names[-1]] / row.ms[names[0]]
        sys.stdout.write(f"| {row.what} | {cells} | {growth:.2f} | {row.bar} |\n")
    sys.stdout.flush()
