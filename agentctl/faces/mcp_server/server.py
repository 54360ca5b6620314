"""The MCP server: the registry's tools, resources and prompts over the official SDK.

It serves both protocol revisions, keeps no state of a connection, and hands every call to the
door as an agent. It has no signer: whatever credential started the process, nothing here consents.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import mcp_types as types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from agentctl import __version__
from agentctl.faces.mcp_server.calling import call_tool
from agentctl.faces.mcp_server.completing import Completing
from agentctl.faces.mcp_server.doorway import Context, Doorway, Doorways, doorway_of
from agentctl.faces.mcp_server.limits import DEFAULTS, Limits, require_look
from agentctl.faces.mcp_server.listing import tools_of
from agentctl.faces.mcp_server.projection import input_schema_of
from agentctl.faces.mcp_server.prompting import get_prompt, list_prompts
from agentctl.faces.mcp_server.resources import (
    PAGE_CHARACTERS,
    RESOURCES,
    TEMPLATES,
    UnknownResourceError,
    read_resource,
    split_offset,
)
from agentctl.faces.mcp_server.runtime import DEADLINE_S, lifespan_of, runtime_of
from agentctl.faces.mcp_server.subscribing import POLL_S, Following, Listening, is_followed

INSTRUCTIONS: Final = (
    "Tools that look change nothing; those that try work in drafts; those that are real make an "
    "Op. Start with `status`; the prompt `agent/operate` says how to work."
)


class _Server(Server[Any]):
    """Says in the older revision too that the list of tools may change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Returns what the handshake tells."""
        told = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(told, experimental_capabilities, extensions)


def make_server(
    door: Doorways,
    *,
    toolsets: frozenset[str] = frozenset(),
    limits: Limits = DEFAULTS,
    deadline_s: float = DEADLINE_S,
    poll_s: float = POLL_S,
) -> "Server[Any]":
    """Returns the server over *door*; a transport is the caller's business.

    Args:
        door: of the one agent who connects, or `PerRequest` where each request says who.
        toolsets: of `projection.TOOLSETS`, beside the agent role's tools.
        limits: the quotas of each principal.
        deadline_s: after which a call that changes something answers, though the change runs on.
        poll_s: how often it is seen what subscribers want to hear of.
    """
    following = Following(door, toolsets, poll_s=poll_s)
    return _Server(
        "agentctl",
        version=__version__,
        instructions=INSTRUCTIONS,
        lifespan=lifespan_of(limits, deadline_s=deadline_s),
        on_list_tools=_list_tools(door, toolsets, following),
        on_call_tool=call_tool(door, toolsets),
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource(door),
        on_subscribe_resource=following.subscribe,
        on_unsubscribe_resource=following.unsubscribe,
        on_subscriptions_listen=Listening(door, toolsets, poll_s=poll_s),
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=Completing(door),
        get_tool_input_schema=input_schema_of,
    )


async def serve_stdio(door: Doorway, *, toolsets: frozenset[str] = frozenset()) -> None:
    """Serves one client over this process's stdin and stdout, until it hangs up."""
    server = make_server(door, toolsets=toolsets)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _list_tools(
    doorways: Doorways, toolsets: frozenset[str], following: Following
) -> Callable[[Context, types.PaginatedRequestParams | None], Awaitable[types.ListToolsResult]]:
    async def handle(
        context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        door = await doorway_of(doorways, context)
        require_look(runtime_of(context).quotas, door.principal)
        if is_followed(context):
            await following.watched(context)
        return types.ListToolsResult(tools=list(await tools_of(door, toolsets)))

    return handle


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
        require_look(runtime_of(context).quotas, door.principal)
        try:
            text = await read_resource(uri, door)
        except UnknownResourceError as unknown:
            raise MCPError(
                code=types.INVALID_PARAMS, message=str(unknown), data={"uri": uri}
            ) from unknown
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
