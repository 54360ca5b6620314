"""Our graphs beside bare Lance and numpy, and beside DuckDB, sqlite, Ladybug and NetworkX, in one run.

``python -m benchmarks.graph [--nodes N] [--edges N] [--only PART] [--large]``. Every contender holds
the same graph and gives the same answers, which are compared before anything is timed. A time is the median of
many calls that take turns. Nothing is judged here: the bar is told beside the ratio.
"""

import argparse
import functools
import importlib.util
import itertools
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import msgspec

from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query
from agentctl.graph.threads import in_thread
from benchmarks import graph_timing as timing
from benchmarks.graph_data import Data, made, write_lines, write_parquet
from benchmarks.graph_hops import array_rows
from benchmarks.graph_ours import GRAPH, Ours
from benchmarks.graph_raw import Raw, decode_lines, durable_in_a_new_folder, sizes
from benchmarks.graph_rivals import (
    Answer,
    Asked,
    DuckDb,
    DuckDbOnArrow,
    Ladybug,
    NetworkX,
    Rival,
    Sqlite,
)
from benchmarks.graph_sizes import (
    CHANGED_NODES,
    LARGE,
    NODE_COUNTS,
    changing_rows,
    growing_rows,
    settle,
    tell_growth,
)
from benchmarks.graph_timing import Call, Row, medians, once, shown

OURS: Final = "ours"
RIVALS: Final[tuple[tuple[str, Callable[[], Rival]], ...]] = (
    ("duckdb", DuckDb),
    ("duckdb", DuckDbOnArrow),
    ("sqlite3", Sqlite),
    ("ladybug", Ladybug),
    ("networkx", NetworkX),
)
"""By the module that each needs: one that is not installed is left out."""
SOURCE_COUNT: Final = 1_000
QUESTIONS: Final[Mapping[str, str]] = {
    "hops 1": "1 hop from one node",
    "hops 2": "2 hops from one node",
    "hops 3": "3 hops from one node",
    "reach": "1 to 3 hops from one node",
    "many": "2 hops from 1,000 nodes, counted",
    "aggregate": "filter and aggregate over all edges",
    "text": "top 10 by text",
    "vector": "top 10 by vector",
}
OPEN_WAYS: Final[Mapping[str, ExecutorName]] = {"ours by CSR": "csr", "ours by index": "index"}
BARS_OF_HOPS: Final = "0.3 ms by CSR, 1.3 × Lance by index"
BARS: Final[Mapping[str, str]] = {"aggregate": DuckDbOnArrow.name}
"""Of a question, whose time ours must not exceed, where that rival is there."""
PARTS: Final = ("arrays", "load", "reads", "writes", "sizes")


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts share."""

    data: Data
    asked: Asked
    ours: Ours
    raw: Raw
    folder: Path
    people: Path
    knows: Path
    lines: Path


async def main() -> None:
    """Measures each part and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=500_000)
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; all by default")
    parser.add_argument("--sizes", type=int, nargs="+", default=NODE_COUNTS, help="nodes each")
    parser.add_argument("--large", action="store_true", help="sizes up to 1M nodes and 5M edges")
    parser.add_argument("--turns", type=int, default=timing.turn_count, help="how often each runs")
    given = parser.parse_args()
    timing.turn_count = given.turns
    parts = given.only or PARTS
    sys.stdout.write(f"{machine()}; milliseconds\n")
    if set(parts) - {"sizes"}:
        await tell_of_one_graph(made(given.nodes, given.edges), parts)
    if "sizes" in parts:
        counts = (*given.sizes, LARGE) if given.large else tuple(given.sizes)
        folder = folder_of_all()
        tell_growth("In graphs of several sizes", await growing_rows(folder, counts))
        merged_in = min(CHANGED_NODES, max(counts))
        tell_growth("Merges of several sizes", await changing_rows(folder, merged_in))


async def tell_of_one_graph(data: Data, parts: Sequence[str]) -> None:
    """Prints the tables of what everybody is asked of one graph."""
    sys.stdout.write(f"{sizes(data)}\n")
    if "arrays" in parts:
        tell("Arrays of numbers", await array_rows(data))
    if set(parts) <= {"arrays", "sizes"}:
        return
    async with opened(data) as bench:
        rivals = [make() for name, make in RIVALS if importlib.util.find_spec(name)]
        if not {"load", "reads"} & set(parts):
            rivals = []
        loads = await load_rows(bench, rivals)
        if "load" in parts:
            tell("Load", loads)
        if "reads" in parts:
            tell("Reads", await read_rows(bench, rivals))
            tell("One read on an open snapshot", await warm_rows(bench))
        if "writes" in parts:
            tell("Writes", await write_rows(bench))


@asynccontextmanager
async def opened(data: Data) -> AsyncIterator[Bench]:
    """Gives an empty graph of ours, and the files that everybody loads, on a disk."""
    with tempfile.TemporaryDirectory(prefix="agentctl-bench-", dir=folder_of_all()) as name:
        folder = Path(name)
        people, knows = write_parquet(data, folder)
        lines = folder / "lines.jsonl"
        write_lines(data, lines)
        ours = Ours(folder / "ours")
        await ours.create()
        yield Bench(
            data=data,
            asked=asked_of(data),
            ours=ours,
            raw=Raw(folder, await ours.snapshot()),
            folder=folder,
            people=people,
            knows=knows,
            lines=lines,
        )


def folder_of_all() -> Path:
    """Returns the folder that graphs are made in: on a disk, unless told otherwise."""
    return Path(os.environ.get("AGENTCTL_BENCH_FOLDER", str(Path.cwd())))


def machine() -> str:
    """Returns when and on what this runs, for a heading."""
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    python = ".".join(map(str, sys.version_info[:3]))
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC).date().isoformat()}, Python {python},"
        f" {os.cpu_count()} × {models[0] if models else 'CPU'}, load {load:.1f} at the start"
    )


def asked_of(data: Data) -> Asked:
    """Returns the questions: the same people, word and vector for everybody."""
    count = min(SOURCE_COUNT, data.nodes.num_rows)
    step = max(1, data.nodes.num_rows // count)
    return Asked(
        one=data.name(data.nodes.num_rows // 2),
        many=tuple(data.name(place * step) for place in range(count)),
        word=str(data.nodes["about"][7].as_py()).split()[0],
        vector=tuple(float(x) for x in data.vectors[11]),
    )


async def load_rows(bench: Bench, rivals: Sequence[Rival]) -> list[Row]:
    """Loads the graph once by each way; ours stays with what it loaded last."""
    taken: dict[str, float] = {}
    for rival in rivals:
        load = functools.partial(rival.load, bench.data, bench.people, bench.knows)
        _, ms = await once(load)
        if rival.name != DuckDbOnArrow.name:  # which loads nothing
            taken[rival.name] = ms
    _, raw_ms = await once(lambda: bench.raw.load(bench.people, bench.knows))
    _, decode_ms = await once(lambda: decode_lines(bench.lines))
    parquet = Ours(bench.folder / "parquet")
    await parquet.create()
    _, parquet_ms = await once(lambda: parquet.load_parquet(bench.people, bench.knows))
    with bench.lines.open("rb") as file:
        _, lines_ms = await once(lambda: bench.ours.load(file))
    return [
        Row(
            what="from Parquet",
            ms={OURS: parquet_ms, "Lance": raw_ms, **taken},
            against="Lance",
            bar="2 × Lance",
        ),
        Row(
            what="from NDJSON, strict",
            ms={OURS: lines_ms, "Lance and a decode": raw_ms + decode_ms},
            bar="2 × Lance and a decode",
        ),
    ]


async def read_rows(bench: Bench, rivals: Sequence[Rival]) -> list[Row]:
    """Asks everybody everything: whole calls on the newest commit, ours by cost and by index."""
    ways: Mapping[str, ExecutorName] = {OURS: "auto", "ours by index": "index"}
    answers: dict[str, Mapping[str, Callable[[], Answer]]] = {
        name: bench.ours.answers(bench.asked, executor) for name, executor in ways.items()
    }
    await warmed(bench.ours, bench.asked)
    answers |= {rival.name: rival.answers(bench.asked) for rival in rivals}
    rows: list[Row] = []
    for question, said in QUESTIONS.items():
        calls = {name: own[question] for name, own in answers.items() if question in own}
        if not question.startswith("hops"):
            calls.pop("ours by index")
        await must_agree(question, calls)
        if question.startswith("hops"):
            calls["Lance"] = bench.raw.hops(bench.asked.one, int(question[-1]))
        against = BARS.get(question)
        against = against if against in calls else None
        bar = "" if against is None else f"1 × {against}"
        rows.append(Row(what=said, ms=await medians(calls), against=against, bar=bar))
    return rows


async def warmed(ours: Ours, asked: Asked) -> None:
    """Lets the adjacency be built, as the first deep read of a process does."""
    for call in ours.answers(asked, "csr").values():
        await call()


async def must_agree(question: str, calls: Mapping[str, Call]) -> None:
    """Compares the answers of everybody."""
    wanted, _ = await once(calls[OURS])
    for name, call in calls.items():
        found, _ = await once(call)
        assert found == wanted, (question, name)


async def warm_rows(bench: Bench) -> list[Row]:
    """Asks one open snapshot, in a worker thread: what a read takes where nothing is opened anew."""
    snapshot, caches = await bench.ours.snapshot(), ReadCaches()
    rows: list[Row] = []
    for question in ("hops 1", "hops 2", "hops 3", "reach", "many"):
        name = question.replace(" ", "_")
        params = {"one": bench.asked.one, "many": bench.asked.many}
        query = bench.ours.query(name)

        reads = {
            said: functools.partial(
                run_query, snapshot, query, params, ReadOptions(executor=way), caches=caches
            )
            for said, way in OPEN_WAYS.items()
        }
        if name == "hops_1":
            settle(reads["ours by CSR"], bench.data)
        calls: dict[str, Call] = {said: in_a_thread(read) for said, read in reads.items()}
        # The answer alone, without the way to a thread and back that each read of a server takes.
        calls["ours by CSR, no thread"] = reads["ours by CSR"]
        if name.startswith("hops"):
            calls["Lance"] = in_a_thread(bench.raw.hops(bench.asked.one, int(name[-1])))
        bar = "" if name == "many" else BARS_OF_HOPS
        rows.append(Row(what=QUESTIONS[question], ms=await medians(calls), bar=bar))
    return rows


def in_a_thread(act: Callable[[], object]) -> Call:
    """Returns the call of *act* in a worker thread, as every read is made."""
    return lambda: in_thread(act)


async def write_rows(bench: Bench) -> list[Row]:
    """Commits and branches."""
    ours, numbers = bench.ours, itertools.count(1)
    query = ours.query("meet")
    row = {
        "age": 33,
        "city": "city-000",
        "about": "new here",
        "taste": [float(x) for x in bench.data.vectors[0]],
    }

    async def commit() -> None:
        params = {"name": f"new-{next(numbers)}", "other": bench.asked.one, **row}
        await ours.graphs.mutate(GRAPH, query, params, stamp=ours.stamp())

    async def branch() -> None:
        await ours.graphs.branch_create(GRAPH, f"b-{next(numbers)}", stamp=ours.stamp())

    def folder() -> None:
        durable_in_a_new_folder(bench.folder / f"folder-{next(numbers)}", bytes(1_000))

    calls = {OURS: commit, "Lance and a file": bench.raw.commit(row, bench.asked.one)}
    return [
        Row(
            what="commit of one node and one edge",
            ms=await medians(calls),
            bar="1.5 × Lance and a file",
        ),
        Row(
            what="branch",
            ms=await medians({OURS: branch, "a file in a new folder": in_a_thread(folder)}),
            bar="2 ms",
        ),
    ]


def tell(title: str, rows: Sequence[Row]) -> None:
    """Prints a table: a column for each contender, the fastest in bold."""
    names = list(dict.fromkeys(name for row in rows for name in row.ms))
    sys.stdout.write(f"\n### {title}\n\n| | {' | '.join(names)} | ratio | bar |\n")
    sys.stdout.write(f"|---|{'---|' * (len(names) + 2)}\n")
    for row in rows:
        least = min(row.ms.values())
        cells = [
            ""
            if ms is None
            else f"**{shown(ms)}**"
            if ms == least and len(row.ms) > 1
            else shown(ms)
            for ms in (row.ms.get(name) for name in names)
        ]
        sys.stdout.write(f"| {row.what} | {' | '.join(cells)} | {ratio(row)} | {row.bar} |\n")
    sys.stdout.flush()


def ratio(row: Row) -> str:
    """Returns ours as a multiple of what it is to be compared with."""
    mine = next(iter(row.ms.values()))
    if row.against is not None:
        return f"{mine / row.ms[row.against]:.2f}"
    others = [ms for name, ms in row.ms.items() if not name.startswith(OURS)]
    return f"{mine / min(others):.2f}" if others else ""


if __name__ == "__main__":
    anyio.run(main)
