"""Stored reads that policy makes tools of their own, asked of the door for each principal."""

from typing import Final

import mcp_types as types
import msgspec

from agentctl.faces.mcp_server.doorway import Doorway
from agentctl.faces.mcp_server.projection import ENVELOPE_SCHEMA, seen_bytes
from agentctl_tools.promoted import PromotedList

PREFIX: Final = "q_"
CATALOGUE_BYTES_MAX: Final = 14_000
"""Of all that a model sees of a principal's tools; what does not fit is run by `run_query`."""


def is_promoted(name: str) -> bool:
    """Returns whether a tool of that name could only be a promoted query."""
    return name.startswith(PREFIX)


async def promoted_tools(door: Doorway, *, used_bytes: int) -> tuple[types.Tool, ...]:
    """Returns the promoted queries of the caller, by name, as far as they fit beside the others."""
    listed = (await door("promoted_queries", {})).data
    found: list[types.Tool] = []
    for one in listed.tools if isinstance(listed, PromotedList) else ():
        tool = types.Tool(
            name=one.tool,
            description=one.describe,
            input_schema=one.schema,
            output_schema=ENVELOPE_SCHEMA,
            annotations=types.ToolAnnotations(
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=False,
            ),
        )
        used_bytes += seen_bytes(tool) + 1
        if used_bytes > CATALOGUE_BYTES_MAX:
            break
        found.append(tool)
    return tuple(found)


async def promoted_query(door: Doorway, tool: str) -> str | None:
    """Returns the query behind a tool's name, where the caller may run it."""
    listed = (await door("promoted_queries", {"tool": tool})).data
    if not isinstance(listed, PromotedList) or not listed.tools:
        return None
    return listed.tools[0].query


def mark_of(tools: tuple[types.Tool, ...]) -> str:
    """Returns what differs when the tools of a principal do."""
    return msgspec.json.encode([(t.name, t.description, t.input_schema) for t in tools]).decode()
