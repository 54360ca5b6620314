"""The tools that the conformance suite calls by name, written from what its scenarios ask of a server."""

import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from tests.conformance_mcp.fixture_asking import ASKING
from tests.conformance_mcp.fixture_values import (
    ELICIT_DEFAULTS,
    ELICIT_ENUMS,
    ELICIT_USER,
    NO_ARGUMENTS,
    SCHEMA_2020_12,
    WAV,
    embedded,
    image,
    text,
)

Context = ServerRequestContext[Any, Any]
Result = types.CallToolResult | types.InputRequiredResult
Handler = Callable[[Context, types.CallToolRequestParams], Awaitable[Result]]

BEAT_S: Final = 0.05
"""Between the notifications of one call, as the scenarios ask."""


def said(*content: Any) -> types.CallToolResult:
    """Returns what a tool says."""
    return types.CallToolResult(content=list(content))


async def simple_text(_context: Context, _params: types.CallToolRequestParams) -> Result:
    return said(text("This is a simple text response for testing."))


async def image_content(_context: Context, _params: types.CallToolRequestParams) -> Result:
    return said(image())


async def audio_content(_context: Context, _params: types.CallToolRequestParams) -> Result:
    return said(types.AudioContent(type="audio", data=WAV, mime_type="audio/wav"))


async def embedded_resource(_context: Context, _params: types.CallToolRequestParams) -> Result:
    words = "This is an embedded resource content."
    return said(embedded("test://embedded-resource", "text/plain", words))


async def multiple_content(_context: Context, _params: types.CallToolRequestParams) -> Result:
    return said(
        text("Multiple content types test:"),
        image(),
        embedded(
            "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
        ),
    )


async def with_logging(context: Context, _params: types.CallToolRequestParams) -> Result:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await _log(context, words)
        await anyio.sleep(BEAT_S)
    return said(text("Three lines were logged."))


async def logging_tool(context: Context, _params: types.CallToolRequestParams) -> Result:
    await _log(context, "only for who asked for a log level")
    return said(text("Logged, where a level was asked for."))


async def error_handling(_context: Context, _params: types.CallToolRequestParams) -> Result:
    words = "This tool intentionally returns an error for testing"
    return types.CallToolResult(content=[text(words)], is_error=True)


async def with_progress(context: Context, _params: types.CallToolRequestParams) -> Result:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await anyio.sleep(BEAT_S)
    return said(text("Went from 0 to 100."))


async def sampling(context: Context, params: types.CallToolRequestParams) -> Result:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        return types.CallToolResult(content=[text("The client does not sample.")], is_error=True)
    words = str((params.arguments or {}).get("prompt", ""))
    message = types.SamplingMessage(role="user", content=text(words))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        answer = await context.session.create_message(
            [message], max_tokens=100, related_request_id=context.request_id
        )
    content = answer.content
    told = content.text if isinstance(content, types.TextContent) else content.type
    return said(text(f"LLM response: {told}"))


def eliciting(schema: dict[str, Any], opening: str, message: str) -> Handler:
    """Returns a tool that asks the client's user for *schema*, in the era of sessions."""

    async def handle(context: Context, params: types.CallToolRequestParams) -> Result:
        asked = str((params.arguments or {}).get("message", message))
        answer = await context.session.elicit_form(
            asked, schema, related_request_id=context.request_id
        )
        return said(text(f"{opening}: action={answer.action}, content={answer.content}"))

    return handle


async def missing_capability(context: Context, _params: types.CallToolRequestParams) -> Result:
    """Needs a client that samples, and says so as SEP-2575 asks."""
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise MCPError(
            code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="this tool needs a client that samples",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return said(text("The client samples."))


async def echoed(_context: Context, params: types.CallToolRequestParams) -> Result:
    return said(text(str(params.arguments)))


async def _log(context: Context, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        await context.session.send_log_message(
            "info", words, "fixture", related_request_id=context.request_id
        )


def _takes(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


STRING: Final[dict[str, Any]] = {"type": "string", "description": "What is said."}

TOOLS: Final[Mapping[str, tuple[dict[str, Any], Handler]]] = {
    "test_simple_text": (NO_ARGUMENTS, simple_text),
    "test_image_content": (NO_ARGUMENTS, image_content),
    "test_audio_content": (NO_ARGUMENTS, audio_content),
    "test_embedded_resource": (NO_ARGUMENTS, embedded_resource),
    "test_multiple_content_types": (NO_ARGUMENTS, multiple_content),
    "test_tool_with_logging": (NO_ARGUMENTS, with_logging),
    "test_logging_tool": (NO_ARGUMENTS, logging_tool),
    "test_error_handling": (NO_ARGUMENTS, error_handling),
    "test_tool_with_progress": (NO_ARGUMENTS, with_progress),
    "test_sampling": (_takes(prompt=STRING), sampling),
    "test_elicitation": (
        _takes(message=STRING),
        eliciting(ELICIT_USER, "User response", "Who are you?"),
    ),
    "test_elicitation_sep1034_defaults": (
        NO_ARGUMENTS,
        eliciting(ELICIT_DEFAULTS, "Elicitation completed", "Are these right?"),
    ),
    "test_elicitation_sep1330_enums": (
        NO_ARGUMENTS,
        eliciting(ELICIT_ENUMS, "Elicitation completed", "Choose."),
    ),
    "test_missing_capability": (NO_ARGUMENTS, missing_capability),
    "json_schema_2020_12_tool": (SCHEMA_2020_12, echoed),
    "test_custom_headers": (
        _takes(region={**STRING, "x-mcp-header": "Region"}),
        echoed,
    ),
    **ASKING,
}
"""Input schema and handler of each, in the order of the list."""


def tool_list() -> list[types.Tool]:
    """Returns the fixture's tools as `tools/list` has them."""
    return [
        types.Tool(name=name, description=f"Look. Fixture {name}.", input_schema=schema)
        for name, (schema, _) in TOOLS.items()
    ]
