"""Tool calls: the limits of the face, the door, and the envelope as a bounded result."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import mcp_types as types
import msgspec

from agentctl.faces.mcp_server.doorway import Context, Doorway, Doorways, doorway_of
from agentctl.faces.mcp_server.limits import oversized, rate_limited
from agentctl.faces.mcp_server.narrow import RESULT_BYTES_MAX, result_of
from agentctl.faces.mcp_server.projection import (
    operation_for,
    tools,
    unknown_arguments,
    with_defaults,
)
from agentctl.faces.mcp_server.promoting import is_promoted, promoted_query
from agentctl.faces.mcp_server.runtime import Change, Runtime, run_change, runtime_of
from agentctl.faces.mcp_server.tracing import operation_span
from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS
from agentctl_tools.envelopes import done, refused
from agentctl_tools.operation import Envelope, Next, Operation

logger = logging.getLogger(__name__)

AT_ONCE_WAIT_S: Final = 1.0
"""When to come again, where too many calls run at once."""
_READ_ONLY: Final = "read"

Handler = Callable[[Context, types.CallToolRequestParams], Awaitable[types.CallToolResult]]


def call_tool(doorways: Doorways, toolsets: frozenset[str]) -> Handler:
    """Returns the handler of ``tools/call``."""

    async def handle(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        name, given = params.name, dict(params.arguments or {})
        try:
            door = await doorway_of(doorways, context)
            return await _limited(context, door, name, given, toolsets)
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


async def _limited(
    context: Context,
    door: Doorway,
    name: str,
    given: dict[str, Any],
    toolsets: frozenset[str],
) -> types.CallToolResult:
    quotas = runtime_of(context).quotas
    change = name in tools(toolsets) and any(
        o.operation_class != _READ_ONLY for o in tools(toolsets)[name]
    )
    with quotas.one_more(door.principal) as room:
        wait_s = quotas.wait_s(door.principal, change=change) if room else AT_ONCE_WAIT_S
        refusal = rate_limited(wait_s) if wait_s else oversized(given, quotas.limits)
        if refusal is not None:
            return _answer(refusal, name, {})
        return await _called(context, door, name, given, toolsets)


async def _called(
    context: Context,
    door: Doorway,
    name: str,
    given: dict[str, Any],
    toolsets: frozenset[str],
) -> types.CallToolResult:
    if is_promoted(name):
        query = await promoted_query(door, name)
        if query is not None:
            arguments: dict[str, object] = {"query": query, "params": given}
            return _answer(await door("run_query", arguments), "run_query", arguments)
    if name not in tools(toolsets):
        return _answer(await _no_tool(door, name, given, toolsets), name, given)
    unknown = unknown_arguments(name, given)
    if unknown:
        told = f"`{name}` has no argument `{unknown[0]}`"
        remedy = "Leave it out; it is the operator's own."
        refusal = refused("invalid_arguments", f"$.{unknown[0]}", told, remedy=remedy)
        return _answer(refusal, name, given)
    arguments = with_defaults(name, given)
    operation = operation_for(name, arguments)
    with operation_span(operation, door.principal) as span:
        envelope = await _run(context, door, operation, arguments)
        span.told(envelope)
    return _answer(envelope, operation.name, arguments)


async def _run(
    context: Context, door: Doorway, operation: Operation, arguments: dict[str, object]
) -> Envelope:
    if operation.operation_class == _READ_ONLY:
        return await door(operation.name, arguments)
    runtime = runtime_of(context)
    change = Change(door, operation.name, arguments)
    ended = await run_change(runtime, change, _reporter(context))
    return ended if ended is not None else _runs_on(runtime, change, operation, arguments)


def _runs_on(
    runtime: Runtime, change: Change, operation: Operation, arguments: Mapping[str, object]
) -> Envelope:
    """What is told of a change that takes longer than a call may."""
    told = f"It runs on; this call ended after {runtime.deadline_s:g} s."
    if change.op is not None:
        look = Next(tool="ops", arguments={"id": change.op}, why="See how it stands, and ended.")
        return done(told, data={"op_id": change.op, "running": True}, next_calls=(look,))
    tool = operation.mcp_tool or operation.name
    again = Next(tool=tool, arguments=arguments, why="With the same key it is done once.")
    look = Next(tool="ops", arguments={}, why="It has no op yet; the newest stands first.")
    return done(told, data={"op_id": None, "running": True}, next_calls=(look, again))


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


def _event_name(event: Any) -> str:  # noqa: ANN401  # of an operation's own
    return str(getattr(event, "kind", type(event).__name__.lower()))


def _reporter(context: Context) -> Callable[[Any], Awaitable[None]]:
    told = 0.0

    async def report(event: Any) -> None:  # noqa: ANN401  # an ApplyEvent, which a face passes on
        nonlocal told
        told = max(float(getattr(event, "steps_done", told)), told)
        total = float(getattr(event, "steps_total", 0.0) or 0.0)
        words = str(getattr(event, "words", None) or _event_name(event))
        await context.session.report_progress(told, total or None, words)

    return report


def _answer(
    envelope: Envelope, operation: str, arguments: Mapping[str, object]
) -> types.CallToolResult:
    plain = result_of(envelope, operation=operation, arguments=arguments)
    text = msgspec.json.encode(plain).decode()
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    if plain["more"] is not None:
        link = types.ResourceLink(
            type="resource_link", uri=plain["more"], name="more", mime_type="application/json"
        )
        if len(text.encode()) + len(link.model_dump_json()) <= RESULT_BYTES_MAX:
            content.append(link)
    return types.CallToolResult(content=content, structured_content=plain, is_error=not envelope.ok)
