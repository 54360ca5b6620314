"""The tools of the MCP server, as a model is told of them and as the session names them."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from agentctl.canonical import digest_of
from agentctl.faces.agent.model import Tool


class ToolConnection(Protocol):
    """A connection as the loop needs it; `agentctl.faces.mcp_client` has the real one."""

    async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
        """Returns whether the tool answered with an error, and its structured result.

        Raises:
            ServerLostError: the connection is gone.
        """
        ...


def catalogue(listed: Iterable[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Returns the tools as a model sees them: name, description and input schema."""
    return tuple(
        Tool(
            name=tool["name"],
            description=tool.get("description", ""),
            input_schema=tool["inputSchema"],
        )
        for tool in listed
    )


def catalogue_digest(tools: Iterable[Tool]) -> str:
    """Returns the SHA-256 over all that a model is told of the tools."""
    return digest_of([{"n": t.name, "d": t.description, "s": dict(t.input_schema)} for t in tools])
