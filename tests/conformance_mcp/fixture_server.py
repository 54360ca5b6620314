"""The product's own MCP server with the names beside its own that the official conformance suite calls.

`dress` overlays the server of `mcp_app`: what the suite names is answered by the fixture,
everything else by the product's own handlers, over the product's transport, tokens, limits and middleware.
Run as `python -m tests.conformance_mcp.fixture_server FOLDER`, it serves a cluster's folder and
prints its address.
"""

import re
import socket
import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import anyio
import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.subscriptions import PromptsListChanged, ServerEvent, ToolsListChanged
from starlette.types import ASGIApp, Receive, Scope, Send

from agentctl.domain.policy.caller import Caller
from agentctl.faces.cli.compose import compose
from agentctl.faces.mcp_server.streamable import Bearer, mcp_app
from agentctl_tools.callers import agent_of
from agentctl_tools.entrance import Entrance
from tests.conformance_mcp.fixture_asking import prompt as asking_prompt
from tests.conformance_mcp.fixture_tools import TOOLS, said, tool_list
from tests.conformance_mcp.fixture_values import (
    NO_ARGUMENTS,
    PNG,
    PROMPTS,
    RESOURCES,
    TEMPLATES,
    embedded,
    image,
    text,
)

Context = ServerRequestContext[Any, Any]
Handle = Callable[[Context, Any], Awaitable[Any]]

OURS: Final = "test://"
SECRET: Final = "conformance"  # of a server that holds nothing
TRIGGERS: Final[dict[str, ServerEvent]] = {
    "test_trigger_tool_change": ToolsListChanged(),
    "test_trigger_prompt_change": PromptsListChanged(),
}


def dress(server: Server[Any]) -> None:
    """Makes *server* answer what the suite names besides what it answered before."""
    bus = _bus(server)
    overlays: dict[str, Callable[[Handle], Handle]] = {
        "tools/list": lambda own: _listing(own, "tools", [*tool_list(), *_triggers()]),
        "tools/call": lambda own: _calling(own, bus),
        "resources/list": lambda own: _listing(own, "resources", list(RESOURCES)),
        "resources/templates/list": lambda own: _listing(
            own, "resource_templates", list(TEMPLATES)
        ),
        "resources/read": _reading,
        "resources/subscribe": _following,
        "resources/unsubscribe": _following,
        "prompts/list": lambda own: _listing(own, "prompts", list(PROMPTS)),
        "prompts/get": _prompting,
        "completion/complete": _completing,
        "logging/setLevel": lambda _: _set_level,
    }
    for method, overlay in overlays.items():
        entry = server.get_request_handler(method)
        own = entry.handler if entry is not None else _unknown
        server.add_request_handler(method, _PARAMS[method], overlay(own))
    own_schema = server.get_tool_input_schema
    schemas = {tool.name: tool.input_schema for tool in tool_list()}
    server.get_tool_input_schema = lambda name: (
        schemas.get(name) or (own_schema(name) if own_schema is not None else None)
    )
    server.middleware.append(
        RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=server.name)
    )


_PARAMS: Final[dict[str, Any]] = {
    "tools/list": types.PaginatedRequestParams,
    "tools/call": types.CallToolRequestParams,
    "resources/list": types.PaginatedRequestParams,
    "resources/templates/list": types.PaginatedRequestParams,
    "resources/read": types.ReadResourceRequestParams,
    "resources/subscribe": types.SubscribeRequestParams,
    "resources/unsubscribe": types.UnsubscribeRequestParams,
    "prompts/list": types.PaginatedRequestParams,
    "prompts/get": types.GetPromptRequestParams,
    "completion/complete": types.CompleteRequestParams,
    "logging/setLevel": types.SetLevelRequestParams,
}


def _bus(server: Server[Any]) -> InMemorySubscriptionBus:
    """Returns what the server's open listeners hear of; a server without any gets one."""
    entry = server.get_request_handler("subscriptions/listen")
    if entry is None:
        bus = InMemorySubscriptionBus()
        server.add_request_handler(
            "subscriptions/listen", types.SubscriptionsListenRequestParams, ListenHandler(bus)
        )
        return bus
    found = entry.handler._bus  # type: ignore[attr-defined]  # the SDK's listener names it so
    assert isinstance(found, InMemorySubscriptionBus)
    return found


async def _unknown(context: Context, _params: object) -> object:
    raise MCPError(code=types.METHOD_NOT_FOUND, message=f"{context.method} is not served")


def _triggers() -> list[types.Tool]:
    return [
        types.Tool(name=name, description=f"Look. Fixture {name}.", input_schema=NO_ARGUMENTS)
        for name in TRIGGERS
    ]


def _listing(own: Handle, field: str, more: list[Any]) -> Handle:
    async def handle(context: Context, params: Any) -> Any:
        result = await own(context, params)
        if result.next_cursor is None:
            setattr(result, field, [*getattr(result, field), *more])
        return result

    return handle


def _calling(own: Handle, bus: InMemorySubscriptionBus) -> Handle:
    async def handle(context: Context, params: types.CallToolRequestParams) -> Any:
        if params.name in TRIGGERS:
            await bus.publish(TRIGGERS[params.name])
            return said(text("Told."))
        if params.name in TOOLS:
            return await TOOLS[params.name][1](context, params)
        return await own(context, params)

    return handle


def _reading(own: Handle) -> Handle:
    async def handle(context: Context, params: types.ReadResourceRequestParams) -> Any:
        content = _content(str(params.uri))
        if content is None:
            return await own(context, params)
        return types.ReadResourceResult(contents=[content])

    return handle


def _content(uri: str) -> types.TextResourceContents | types.BlobResourceContents | None:
    """What is at *uri*; None where the fixture has nothing there."""
    found = re.fullmatch(r"test://template/([^/]+)/data", uri)
    if found is not None:
        told = f'{{"id":"{found[1]}","templateTest":true,"data":"Data for ID: {found[1]}"}}'
        return types.TextResourceContents(uri=uri, mime_type="application/json", text=told)
    match uri:
        case "test://static-text":
            told = "This is the content of the static text resource."
            return types.TextResourceContents(uri=uri, mime_type="text/plain", text=told)
        case "test://static-binary":
            return types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
        case "test://watched-resource":
            return types.TextResourceContents(uri=uri, mime_type="text/plain", text="watched")
        case _:
            return None


def _following(own: Handle) -> Handle:
    async def handle(context: Context, params: types.SubscribeRequestParams) -> Any:
        if str(params.uri).startswith(OURS):
            return types.EmptyResult()
        return await own(context, params)

    return handle


def _prompting(own: Handle) -> Handle:
    async def handle(context: Context, params: types.GetPromptRequestParams) -> Any:
        given = params.arguments or {}
        match params.name:
            case "test_simple_prompt":
                return _prompt(text("This is a simple prompt for testing."))
            case "test_prompt_with_arguments":
                one, two = given.get("arg1"), given.get("arg2")
                return _prompt(text(f"Prompt with arguments: arg1='{one}', arg2='{two}'"))
            case "test_prompt_with_embedded_resource":
                words = "Embedded resource content for testing."
                resource = embedded(given.get("resourceUri", ""), "text/plain", words)
                return _prompt(resource, text("Please process the embedded resource above."))
            case "test_prompt_with_image":
                return _prompt(image(), text("Please analyze the image above."))
            case "test_input_required_result_prompt":
                return await asking_prompt(params)
            case _:
                return await own(context, params)

    return handle


def _prompt(*content: Any) -> types.GetPromptResult:
    return types.GetPromptResult(
        messages=[types.PromptMessage(role="user", content=part) for part in content]
    )


def _completing(own: Handle) -> Handle:
    async def handle(context: Context, params: types.CompleteRequestParams) -> Any:
        named = params.ref.name if isinstance(params.ref, types.PromptReference) else params.ref.uri
        if not named.startswith("test"):
            return await own(context, params)
        near = [w for w in ("paris", "park", "party") if w.startswith(params.argument.value)]
        return types.CompleteResult(
            completion=types.Completion(values=near, total=len(near), has_more=False)
        )

    return handle


async def _set_level(_context: Context, _params: types.SetLevelRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


async def serve(folder: Path) -> None:
    """Serves the dressed server of a cluster's folder until the process is told to end."""
    composition = compose()
    try:
        cluster = await composition.open(folder)
        agent = await agent_of(cluster, keys=composition.key_texts())
        assert isinstance(agent, Caller), agent
        bearer = Bearer(door=Entrance(cluster, agent), principal=agent.id)
        await listen(bearer)
    finally:
        await composition.aclose()


def bound() -> tuple[socket.socket, str]:
    """Returns a socket at a free loopback port, and the URL of a server there."""
    # The protocol is named: asyncio sets TCP_NODELAY on no other, and each reply would wait 40 ms.
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.bind(("127.0.0.1", 0))
    taken.listen(128)
    return taken, f"http://127.0.0.1:{taken.getsockname()[1]}/mcp"


async def listen(bearer: Bearer) -> None:
    """Serves the product's app, dressed, at a free loopback port, and prints where."""
    taken, url = bound()

    async def bearer_of(secret: str) -> Bearer | None:
        return bearer if secret == SECRET else None

    app = mcp_app(bearer_of, url=url, adorn=dress)
    config = uvicorn.Config(
        with_token(app), log_level="warning", lifespan="on", timeout_graceful_shutdown=2
    )
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    await uvicorn.Server(config).serve(sockets=[taken])


def with_token(app: ASGIApp) -> ASGIApp:
    """Returns *app*, to which every request brings the token that the suite knows nothing of."""
    header = (b"authorization", f"Bearer {SECRET}".encode())

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], header]}
        await app(scope, receive, send)

    return handle


if __name__ == "__main__":
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    anyio.run(serve, Path(sys.argv[1]))
