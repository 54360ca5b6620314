"""The MCP server: the registry's tools, resources and prompts over the official SDK.

It serves both protocol revisions, keeps no state of a connection, and hands every call to the
door as an agent. It has no signer: whatever credential started the process, nothing here consents.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import mcp_types as types
import msgspec
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from agentctl import __version__
from agentctl.faces.mcp_server.doorway import Context, Doorway, Doorways, doorway_of
from agentctl.faces.mcp_server.narrow import result_of
from agentctl.faces.mcp_server.projection import (
    operation_for,
    tool_list,
    tools,
    unknown_arguments,
    with_defaults,
)
from agentctl.faces.mcp_server.resources import (
    PAGE_CHARACTERS,
    RESOURCES,
    TEMPLATES,
    UnknownResourceError,
    read_resource,
    split_offset,
)
from agentctl.faces.prompting.reader import PromptError, fill_prompt, prompt_names, read_prompt
from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS
from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope, Notify

logger = logging.getLogger(__name__)

ARGUMENT_BYTES_MAX: Final = 1_048_576
INSTRUCTIONS: Final = (
    "Tools that look change nothing; those that try work in drafts; those that are real make an "
    "Op. Start with `status`; the prompt `agent/operate` says how to work."
)


def make_server(door: Doorways, *, toolsets: frozenset[str] = frozenset()) -> "Server[Any]":
    """Returns the server over *door*; a transport is the caller's business.

    Args:
        door: of the one agent who connects, or `PerRequest` where each request says who.
        toolsets: of `projection.TOOLSETS`, beside the agent role's tools.
    """
    return Server(
        "agentctl",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools(toolsets),
        on_call_tool=_call_tool(door, toolsets),
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource(door),
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
    )


async def serve_stdio(door: Doorway, *, toolsets: frozenset[str] = frozenset()) -> None:
    """Serves one client over this process's stdin and stdout, until it hangs up."""
    server = make_server(door, toolsets=toolsets)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _list_tools(
    toolsets: frozenset[str],
) -> Callable[[Context, types.PaginatedRequestParams | None], Awaitable[types.ListToolsResult]]:
    async def handle(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(tool_list(toolsets)))

    return handle


def _call_tool(
    doorways: Doorways, toolsets: frozenset[str]
) -> Callable[[Context, types.CallToolRequestParams], Awaitable[types.CallToolResult]]:
    async def handle(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        name, given = params.name, dict(params.arguments or {})
        try:
            door = await doorway_of(doorways, context)
            return await _called(door, name, given, toolsets, _progress(context))
        except Exception:
            logger.exception("a tool failed", extra={"tool": name})
            bug = refused(
                "internal_error",
                name,
                "this is a bug in agentctl; whether anything was done, `status` and `ops` tell",
                remedy="Tell your human; the trace is on the server's stderr.",
            )
            return _answer(bug, name, {})

    return handle


async def _called(
    door: Doorway, name: str, given: dict[str, Any], toolsets: frozenset[str], notify: Notify
) -> types.CallToolResult:
    if name not in tools(toolsets):
        return _answer(await _no_tool(door, name, given, toolsets), name, given)
    refusal = _refused_here(name, given)
    if refusal is not None:
        return _answer(refusal, name, given)
    arguments = with_defaults(name, given)
    operation = operation_for(name, arguments).name
    return _answer(await door(operation, arguments, notify=notify), operation, arguments)


def _refused_here(name: str, given: Mapping[str, object]) -> Envelope | None:
    """What this face does not take, whatever the operation behind it would."""
    unknown = unknown_arguments(name, given)
    if unknown:
        return refused(
            "invalid_arguments", f"$.{unknown[0]}", f"`{name}` has no argument `{unknown[0]}`"
        )
    if len(msgspec.json.encode(given)) > ARGUMENT_BYTES_MAX:
        return refused(
            "invalid_arguments",
            "$",
            f"the arguments are larger than {ARGUMENT_BYTES_MAX:,} bytes",
            remedy="Edit large files in parts, with `old` and `new` or a diff.",
        )
    return None


async def _no_tool(
    door: Doorway, name: str, arguments: Mapping[str, object], toolsets: frozenset[str]
) -> Envelope:
    """What is no tool is refused; an attempt to consent goes to the door, which records it."""
    operation = OPERATIONS.get(name)
    human_only = operation is not None and operation.operation_class == "human_only"
    if human_only or name in CONSENT_WORDS:
        return await door(name, arguments)
    return refused(
        "unknown_operation",
        "$.name",
        "there is no tool of that name",
        remedy=f"The tools are: {', '.join(tools(toolsets))}.",
    )


def _progress(context: Context) -> Notify:
    async def notify(event: Any) -> None:  # noqa: ANN401  # an ApplyEvent, which a face passes on
        await context.session.report_progress(
            float(event.steps_done), float(event.steps_total) or None, str(event.kind)
        )

    return notify


def _answer(
    envelope: Envelope, operation: str, arguments: Mapping[str, object]
) -> types.CallToolResult:
    plain = result_of(envelope, operation=operation, arguments=arguments)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=msgspec.json.encode(plain).decode())],
        structured_content=plain,
        is_error=not envelope.ok,
    )


async def _list_resources(
    _context: Context, _params: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=list(RESOURCES))


async def _list_templates(
    _context: Context, _params: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=list(TEMPLATES))


def _read_resource(
    doorways: Doorways,
) -> Callable[[Context, types.ReadResourceRequestParams], Awaitable[types.ReadResourceResult]]:
    async def handle(
        context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        door = await doorway_of(doorways, context)
        try:
            text = await read_resource(uri, door)
        except UnknownResourceError as unknown:
            raise MCPError(code=types.INVALID_PARAMS, message=str(unknown)) from unknown
        return types.ReadResourceResult(contents=_pages(uri, text))

    return handle


def _pages(uri: str, text: str) -> list[types.TextResourceContents | types.BlobResourceContents]:
    """One page of a resource's text, and where the next one is."""
    base, offset = split_offset(uri)
    page = text[offset : offset + PAGE_CHARACTERS]
    contents: list[types.TextResourceContents | types.BlobResourceContents] = [
        types.TextResourceContents(uri=uri, mime_type="application/json", text=page)
    ]
    end = offset + len(page)
    if end < len(text):
        following = f"{base}?offset={end}"
        told = f"Characters {offset} to {end} of {len(text)}. The rest: {following}"
        contents.append(
            types.TextResourceContents(uri=following, mime_type="text/plain", text=told)
        )
    return contents


async def _list_prompts(
    _context: Context, _params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
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


async def _get_prompt(
    _context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult:
    try:
        prompt = read_prompt(params.name)
        text = fill_prompt(prompt, params.arguments or {})
    except PromptError as unknown:
        raise MCPError(code=types.INVALID_PARAMS, message=str(unknown)) from unknown
    content = types.TextContent(type="text", text=text)
    return types.GetPromptResult(
        description=prompt.purpose, messages=[types.PromptMessage(role="user", content=content)]
    )
