"""How late an event loop is while point reads of a graph come in at a fixed rate.

``python -m benchmarks.graph_loop [--nodes N] [--rate N] [--seconds S]``. Reads come by the clock, not
one after another, as those of many clients do: one that is late makes no room for the next. A probe
sleeps a millisecond at a time, and says how much later than that it is woken; beside it the same
without any read, which is what the machine adds. The bar is 10 ms at the 99th percentile.
Source: ``spec/graph-engine.md`` 1.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import anyio
import msgspec

from agentctl.faces.http.listener import SWITCH_S
from benchmarks.graph_data import Data, made, write_parquet
from benchmarks.graph_ours import Ours

PROBE_S: Final = 0.001


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen in one run."""

    reads: int
    seconds: float
    late_ms: tuple[float, ...]
    """How late the probe was woken each time, in milliseconds."""

    def at(self, percent: int) -> float:
        """Returns a percentile of the lateness, in milliseconds."""
        return statistics.quantiles(self.late_ms, n=100, method="inclusive")[percent - 1]


async def main() -> None:
    """Loads a graph, and measures without reads and with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=500_000)
    parser.add_argument("--rate", type=int, default=1_000, help="reads a second")
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sys.setswitchinterval(SWITCH_S)  # as a server does
        data = made(given.nodes, given.edges)
        ours = await _loaded(folder, data)
        for _ in range(200):
            await ours.ask("hops_1", {"one": data.name(0)})
        lines = ["| | reads a second | p50 ms | p99 ms | most ms |", "|---|---|---|---|---|"]
        for what, rate in (("no reads", 0), ("one hop from a node, by key", given.rate)):
            lag = await _measured(ours, data, rate=rate, seconds=given.seconds)
            lines.append(
                f"| {what} | {lag.reads / lag.seconds:,.0f} | {lag.at(50):.2f} | {lag.at(99):.2f} "
                f"| {max(lag.late_ms):.1f} |"
            )
    sys.stdout.write("\n".join(lines) + "\n")


async def _loaded(folder: Path, data: Data) -> Ours:
    people, knows = write_parquet(data, folder)
    ours = Ours(folder / "ours")
    await ours.create()
    await ours.load_parquet(people, knows)
    return ours


async def _measured(ours: Ours, data: Data, *, rate: int, seconds: float) -> Lag:
    late: list[float] = []
    reads = 0
    over = anyio.Event()

    async def probe() -> None:
        while not over.is_set():
            due = anyio.current_time() + PROBE_S
            await anyio.sleep(PROBE_S)
            late.append((anyio.current_time() - due) * 1000)

    async def read(number: int) -> None:
        nonlocal reads
        await ours.ask("hops_1", {"one": data.name(number * 7919 % data.nodes.num_rows)})
        reads += 1

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(probe)
        async with anyio.create_task_group() as readers:
            sent = 0
            while (spent := anyio.current_time() - began) < seconds:
                while sent < rate * spent:
                    readers.start_soon(read, sent)
                    sent += 1
                await anyio.sleep(PROBE_S)
        over.set()
    return Lag(reads=reads, seconds=anyio.current_time() - began, late_ms=tuple(late))


if __name__ == "__main__":
    anyio.run(main)
