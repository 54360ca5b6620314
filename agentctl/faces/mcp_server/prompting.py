"""The prompts of ``agentctl_prompts`` over MCP."""

import mcp_types as types
from mcp.shared.exceptions import MCPError

from agentctl.faces.mcp_server.doorway import Context
from agentctl.faces.prompting.reader import PromptError, fill_prompt, prompt_names, read_prompt


async def list_prompts(
    _context: Context, _params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    """Returns all prompts, by name."""
    prompts = [read_prompt(name) for name in prompt_names()]
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
        prompt = read_prompt(params.name)
        text = fill_prompt(prompt, params.arguments or {})
    except PromptError as unknown:
        raise MCPError(code=types.INVALID_PARAMS, message=str(unknown)) from unknown
    content = types.TextContent(type="text", text=text)
    return types.GetPromptResult(
        description=prompt.purpose, messages=[types.PromptMessage(role="user", content=content)]
    )
