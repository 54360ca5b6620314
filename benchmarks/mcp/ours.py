"""The product's MCP server over HTTP, as a process: `python -m benchmarks.mcp.ours FOLDER`.

It is the app that `agentctl serve` mounts, with one token that is checked at each request.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio

from agentctl.domain.policy.caller import Caller
from agentctl.faces.cli.compose import compose
from agentctl.faces.mcp_server.streamable import Bearer, mcp_app
from agentctl_tools.callers import agent_of
from agentctl_tools.entrance import Entrance
from benchmarks.mcp.bare import serve_app

SECRET: Final = "benchmark"  # noqa: S105  # of a server that holds nothing


@asynccontextmanager
async def entrance(folder: Path) -> AsyncIterator[Entrance]:
    """Opens the door of a cluster's folder, with its agent as caller."""
    composition = compose()
    try:
        cluster = await composition.open(folder)
        agent = await agent_of(cluster, keys=composition.key_texts())
        assert isinstance(agent, Caller), agent
        yield Entrance(cluster, agent)
    finally:
        await composition.aclose()


async def _serve(folder: Path) -> None:
    async with entrance(folder) as door:
        bearer = Bearer(door=door, principal=door.principal)

        async def bearer_of(secret: str) -> Bearer | None:
            return bearer if secret == SECRET else None

        await serve_app(mcp_app(bearer_of, url="http://127.0.0.1:0/mcp"))


if __name__ == "__main__":
    anyio.run(_serve, Path(sys.argv[1]))
