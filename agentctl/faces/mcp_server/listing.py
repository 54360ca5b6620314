"""The tools that one principal sees: the registry's, then the queries that policy promotes for it.

The registry's part is the same for everyone of one server, in one order; only promoted queries
differ, by principal and by nothing else. Where sandboxes are only read, what changes them is left out. Source: access-and-faces 3.3, ADR 19.
"""

import mcp_types as types

from agentctl.faces.mcp_server.doorway import Doorway
from agentctl.faces.mcp_server.projection import agent_bytes, tool_list, tools
from agentctl.faces.mcp_server.promoting import promoted_tools


async def tools_of(door: Doorway, toolsets: frozenset[str]) -> tuple[types.Tool, ...]:
    """Returns the tools of the caller, in one order."""
    promoted = await promoted_tools(door, used_bytes=agent_bytes())
    if not door.only_reads_sandboxes:
        return (*tool_list(toolsets), *promoted)
    known = tools(toolsets)
    kept = [t for t in tool_list(toolsets) if not all(o.recorded for o in known[t.name])]
    return (*kept, *promoted)
