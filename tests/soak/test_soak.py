"""Fifty clients, half badly behaved: nothing is left behind of tasks, files or memory.

Ten minutes under the long profile (`make check-long`), twenty seconds otherwise. What was held and how
long calls took is printed; the times are read by people, because a busy machine is no leak.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import pytest

from agentctl.testing.builders import folder_files
from agentctl.testing.sampling import LONG, seed_of_run
from agentctl.testing.shell import Shell, line_of
from tests.soak.soak_clients import LOOKS, Tally, bad, connected, good
from tests.soak.soak_server import IDLE_S, Held

CLIENTS: Final = 50
SOAK_S: Final = float(os.environ.get("AGENTCTL_SOAK_S", "600" if LONG else "20"))
WINDOWS: Final = 10
SETTLE_S: Final = IDLE_S + 25
GROWTH_MAX: Final = 24 * 1024 * 1024
"""Bytes that the server may hold at the end above what it held when half of the time was over."""


class Server:
    """The process under test."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self._process = process
        self.url = url

    def held(self) -> Held:
        """Returns what it holds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return msgspec.json.decode(line_of(self._process), type=Held)


@contextmanager
def serving(shell: Shell) -> Iterator[Server]:
    argv = [sys.executable, "-m", "tests.soak.soak_server", str(shell.folder), str(CLIENTS)]
    pipe: Any = subprocess.PIPE
    process = subprocess.Popen(
        argv,
        cwd=Path(__file__).parents[2],
        env=shell.env,
        stdin=pipe,
        stdout=pipe,
        encoding="utf-8",
    )
    try:
        yield Server(process, line_of(process).strip())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
async def test_half_of_the_clients_misbehave_and_nothing_is_left_behind(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    held: list[tuple[float, Held]] = []

    with serving(shell) as server:
        await warm(server.url)
        before = server.held()
        tally = Tally(began=time.monotonic(), times=[])
        with anyio.move_on_after(SOAK_S):
            async with anyio.create_task_group() as clients:
                for n in range(CLIENTS):
                    rng = random.Random(f"{seed_of_run()}:{n}")
                    clients.start_soon(good if n % 2 else bad, server.url, n, tally, rng)
                while True:
                    await anyio.sleep(SOAK_S / WINDOWS)
                    now = time.monotonic() - tally.began
                    held.append((now, await anyio.to_thread.run_sync(server.held)))
        after = await settled(server, before)
        tally.ended = time.monotonic() - tally.began

    record_property("evidence", "\n".join(told(tally, before, held, after)))
    assert tally.answered > CLIENTS, "the good clients were answered"
    assert tally.broken_off > CLIENTS, "the bad ones did their worst"
    assert after.tasks == before.tasks, (before, after)
    assert after.files <= before.files, (before, after)
    if LONG:
        half = held[len(held) // 2][1].resident_bytes
        assert after.resident_bytes - half <= GROWTH_MAX, (half, after)


async def warm(url: str) -> None:
    """Lets the server import, open and start what it holds for good, in both revisions."""
    for mode in ("auto", "legacy"):
        async with connected(url, "soak-1", mode) as client:
            for tool, arguments in LOOKS * 4:
                await client.call_tool(tool, arguments)
    await anyio.sleep(IDLE_S + 1)


async def settled(server: Server, before: Held) -> Held:
    """Returns what is held once all clients are gone and idle sessions have ended."""
    with anyio.move_on_after(SETTLE_S):
        while True:
            held = await anyio.to_thread.run_sync(server.held)
            if held.tasks == before.tasks and held.files <= before.files:
                return held
            await anyio.sleep(0.5)
    return server.held()


def told(
    tally: Tally,
    before: Held,
    held: list[tuple[float, Held]],
    after: Held,
) -> Iterator[str]:
    """Yields the run for people."""
    yield (
        f"soak of {SOAK_S:.0f} s, {CLIENTS} clients, half badly behaved: {tally.answered:,} calls "
        f"answered, {tally.broken_off:,} broken off, {tally.refused:,} refused"
    )
    yield "  seconds  tasks  files      MB  calls   p50 ms   p99 ms"
    begin = 0.0
    yield row(0.0, before, [])
    for at, what in held:
        times = sorted(took for when, took in tally.times if begin <= when < at)
        yield row(at, what, times)
        begin = at
    yield row(tally.ended, after, []) + "  after"


def row(at: float, held: Held, times: list[float]) -> str:
    """Returns one line of the table."""
    megabytes = held.resident_bytes / 1024 / 1024
    line = f"  {at:7.0f}  {len(held.tasks):5}  {held.files:5}  {megabytes:6.1f}  {len(times):5}"
    if not times:
        return line
    return f"{line}  {times[len(times) // 2]:7.1f}  {times[int(0.99 * len(times))]:7.1f}"
