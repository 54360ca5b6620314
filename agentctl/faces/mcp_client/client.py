"""A connection to an MCP server over stdio, as evals and the demo use it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from mcp import Client, StdioServerParameters

Era = Literal["auto", "legacy"]
"""`auto` speaks the newest revision that both know; `legacy` the handshake of 2025-11-25."""


class ToolConnection:
    """One connection; every call goes over the wire."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
        """Returns whether the tool answered with an error, and its structured result."""
        result = await self._client.call_tool(tool, dict(arguments))
        return bool(result.is_error), result.structured_content

    async def tools(self) -> list[dict[str, Any]]:
        """Returns the tools as the server lists them."""
        listed = await self._client.list_tools()
        return [t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in listed.tools]


@asynccontextmanager
async def connect(
    command: str, args: Sequence[str], *, env: Mapping[str, str] | None = None, era: Era = "auto"
) -> AsyncIterator[ToolConnection]:
    """Starts *command* and speaks MCP to it; it ends with the connection."""
    server = StdioServerParameters(
        command=command, args=list(args), env=None if env is None else dict(env)
    )
    async with Client(server, mode=era) as client:
        yield ToolConnection(client)
