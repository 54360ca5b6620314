"""`status` over memory, stdio and HTTP, beside an empty tool with the same reply on the bare SDK.

Both are called by turns in one run, so that a busy machine disturbs both alike. The bars: at most 1.3
times over stdio and HTTP, at most 0.5 ms more in memory. Prints a table; nothing is judged here.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
import httpx2
import msgspec
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from agentctl.faces.mcp_server.server import make_server
from benchmarks.mcp.bare import bare_server
from benchmarks.mcp.ours import SECRET, entrance

CHUNK: Final = 10
"""Calls of one contender before it is the other's turn."""
CLIENTS: Final = 50
WARM_UP: Final = 5


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one contender took, in milliseconds."""

    ms: tuple[float, ...]
    wall_ms: float | None = None
    """From the first call to the end of the last, where calls overlapped."""

    def at(self, share: float) -> float:
        """Returns the time that *share* of the calls did not exceed."""
        ordered = sorted(self.ms)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    @property
    def per_second(self) -> float:
        """Calls in a second."""
        return 1000 * len(self.ms) / (self.wall_ms or sum(self.ms))


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Both contenders over one transport."""

    transport: str
    bar: str
    ours: Times
    bare: Times

    def row(self) -> str:
        """Returns the line of the table."""
        told = " | ".join(
            f"{t.at(0.5):.2f} | {t.at(0.99):.2f} | {t.per_second:.0f}"
            for t in (self.ours, self.bare)
        )
        ratio = self.ours.at(0.5) / self.bare.at(0.5)
        more = self.ours.at(0.5) - self.bare.at(0.5)
        return f"| {self.transport} | {told} | {ratio:.2f} | {more:+.2f} ms | {self.bar} |"


HEAD: Final = """\
| transport | status p50 ms | p99 ms | calls/s | bare p50 ms | p99 ms | calls/s | ratio | more | bar |
|---|---|---|---|---|---|---|---|---|---|"""


async def one_call(client: Client) -> float:
    """Returns what one call of `status` took, in milliseconds."""
    began = time.perf_counter()
    result = await client.call_tool("status", {})
    took_ms = 1000 * (time.perf_counter() - began)
    assert not result.is_error, result
    return took_ms


async def by_turns(transport: str, ours: Client, bare: Client, *, calls: int, bar: str) -> Pair:
    """Returns the times of both, called by turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for client in (ours, bare):
        for _ in range(WARM_UP):
            await one_call(client)
    for _ in range(max(calls // CHUNK, 1)):
        for is_ours, client in ((True, ours), (False, bare)):
            times[is_ours] += [await one_call(client) for _ in range(CHUNK)]
    return Pair(
        transport=transport,
        bar=bar,
        ours=Times(ms=tuple(times[True])),
        bare=Times(ms=tuple(times[False])),
    )


@asynccontextmanager
async def over_http(url: str) -> AsyncIterator[Client]:
    """Connects to a server over streamable HTTP, with the token."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport) as client:
            yield client


@contextmanager
def listening(module: str, *arguments: str, env: Mapping[str, str]) -> Iterator[str]:
    """Runs a server of this folder as a process; yields its URL."""
    process = subprocess.Popen(  # noqa: S603  # our own programs
        [sys.executable, "-m", module, *arguments], env=env, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert url, module
        yield url
    finally:
        process.terminate()
        process.communicate()


async def many(url: str, *, calls: int) -> Times:
    """Returns the times of `CLIENTS` clients, each of which makes *calls* at once with the others."""
    times: list[float] = []

    async def client_of_many(client: Client) -> None:
        times.extend([await one_call(client) for _ in range(calls)])

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(over_http(url)) for _ in range(CLIENTS)]
        began = time.perf_counter()
        async with anyio.create_task_group() as group:
            for client in clients:
                group.start_soon(client_of_many, client)
        wall_ms = 1000 * (time.perf_counter() - began)
    return Times(ms=tuple(times), wall_ms=wall_ms)


async def measure(folder: Path, env: Mapping[str, str], *, calls: int) -> None:
    """Measures all transports over the cluster of *folder*, and prints the table."""
    say = sys.stdout.write
    async with entrance(folder) as door:
        server = make_server(door)
        async with Client(server) as client:
            result = await client.call_tool("status", {})
        reply = msgspec.json.encode(result.structured_content)
        say(f"status replies {len(reply):,} bytes; {calls} calls each\n\n{HEAD}\n")
        for mode, told in (("auto", "memory"), ("legacy", "memory, framed")):
            async with (
                Client(server, mode=mode) as ours,
                Client(bare_server(reply), mode=mode) as bare,
            ):
                pair = await by_turns(told, ours, bare, calls=calls, bar="+0.5 ms")
            say(pair.row() + "\n")
    file = folder.parent / "reply.json"
    file.write_bytes(reply)
    say((await _stdio(folder, file, env, calls=calls)).row() + "\n")
    with (
        listening("benchmarks.mcp.ours", str(folder), env=env) as our_url,
        listening("benchmarks.mcp.bare", "http", str(file), env=env) as bare_url,
    ):
        async with over_http(our_url) as ours, over_http(bare_url) as bare:
            say((await by_turns("HTTP", ours, bare, calls=calls, bar="1.3")).row() + "\n")
        few = max(calls // CLIENTS, 2)
        pair = Pair(
            transport=f"HTTP, {CLIENTS} clients at once",
            bar="",
            ours=await many(our_url, calls=few),
            bare=await many(bare_url, calls=few),
        )
        say(pair.row() + "\n")


async def _stdio(folder: Path, file: Path, env: Mapping[str, str], *, calls: int) -> Pair:
    argv: Any = (
        ["-m", "agentctl", "mcp", "--config", str(folder)],
        ["-m", "benchmarks.mcp.bare", "stdio", str(file)],
    )
    servers = [StdioServerParameters(command=sys.executable, args=a, env=dict(env)) for a in argv]
    async with Client(servers[0]) as ours, Client(servers[1]) as bare:
        return await by_turns("stdio", ours, bare, calls=calls, bar="1.3")


def main() -> None:
    """Makes a cluster, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=400, help="of each contender and transport")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="agentctl-bench-") as root:
        home = Path(root)
        env = {**os.environ, "HOME": root, "XDG_CONFIG_HOME": f"{root}/.config"}
        os.environ |= {"HOME": root, "XDG_CONFIG_HOME": env["XDG_CONFIG_HOME"]}
        folder = home / "supply"
        init = [sys.executable, "-m", "agentctl", "init", str(folder), "--no-passphrase"]
        subprocess.run(init, env=env, check=True, capture_output=True)  # noqa: S603
        anyio.run(lambda: measure(folder, env, calls=given.calls))


if __name__ == "__main__":
    main()
