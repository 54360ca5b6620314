"""The prompts of ``agentctl_prompts`` over MCP: those for whoever connects.

The others are words of `agentctl agent run` to the model that it drives, and would tell another client
of what never happened to it.
"""

from typing import Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from agentctl.faces.mcp_server.doorway import Context
from agentctl.faces.prompting.reader import PromptError, fill_prompt, read_prompt

FOR_CLIENTS: Final = ("agent/ask_approval", "agent/operate")
"""Sorted."""


async def list_prompts(
    _context: Context, _params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    """Returns the prompts for clients, by name."""
    prompts = [read_prompt(name) for name in FOR_CLIENTS]
    return types.ListPromptsResult(
        prompts=[
            types.Prompt(
                name=prompt.name,
                description=prompt.purpose,
                arguments=[types.PromptArgument(name=s, required=True) for s in prompt.slots],
            )
            for prompt in prompts
        ]
    )


async def get_prompt(
    _context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult:
    """Returns one prompt with its slots filled."""
    try:
        prompt = read_prompt(params.name, among=FOR_CLIENTS)
        text = fill_prompt(prompt, params.arguments or {})
    except PromptError as unknown:
        raise MCPError(code=types.INVALID_PARAMS, message=str(unknown)) from unknown
    content = types.TextContent(type="text", text=text)
    return types.GetPromptResult(
        description=prompt.purpose, messages=[types.PromptMessage(role="user", content=content)]
    )
