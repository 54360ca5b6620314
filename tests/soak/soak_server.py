"""The product's MCP app for many principals, as a process that tells what it holds.

`python -m tests.soak.soak_server FOLDER CLIENTS`: a token ``soak-N`` stands for the agent of that
number. A line on stdin is answered on stdout with the numbers of tasks, open files and resident bytes.
Sessions that were left idle end after seconds in place of minutes, so that a run sees them end.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import Final

import anyio
import msgspec
import uvicorn

from agentctl.domain.policy.caller import Caller
from agentctl.faces.cli.compose import compose
from agentctl.faces.mcp_server import streamable
from agentctl_tools.callers import agent_of
from agentctl_tools.entrance import Entrance
from tests.conformance_mcp.fixture_server import bound

IDLE_S: Final = 5.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a process holds."""

    tasks: tuple[str, ...]
    """Whose each is, sorted."""
    files: int
    resident_bytes: int


def held() -> Held:
    """Returns what this process holds right now."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Held(
        tasks=tuple(
            sorted(
                str(getattr(task.get_coro(), "__qualname__", task)) for task in asyncio.all_tasks()
            )
        ),
        files=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        resident_bytes=resident * _PAGE_BYTES,
    )


async def serve(folder: Path, clients: int) -> None:
    """Serves until stdin ends."""
    streamable.SESSION_IDLE_S = IDLE_S  # type: ignore[misc]  # seconds, where the product has minutes
    composition = compose()
    cluster = await composition.open(folder)
    agent = await agent_of(cluster, keys=composition.key_texts())
    assert isinstance(agent, Caller), agent
    bearers: dict[str, streamable.Bearer] = {}
    for n in range(clients):
        caller = msgspec.structs.replace(agent, id=f"agent:local:soak-{n}")
        door = Entrance(cluster, caller)
        bearers[f"soak-{n}"] = streamable.Bearer(door=door, principal=door.principal)

    async def bearer_of(secret: str) -> streamable.Bearer | None:
        return bearers.get(secret)

    socket, url = bound()
    app = streamable.mcp_app(bearer_of, url=url)
    config = uvicorn.Config(app, log_level="critical", lifespan="on", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)

    async def answer() -> None:
        async for _ in anyio.wrap_file(sys.stdin):
            sys.stdout.write(msgspec.json.encode(held()).decode() + "\n")
            sys.stdout.flush()
        server.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await server.serve(sockets=[socket])
        tasks.cancel_scope.cancel()
    await composition.aclose()


if __name__ == "__main__":
    anyio.run(serve, Path(sys.argv[1]), int(sys.argv[2]))
