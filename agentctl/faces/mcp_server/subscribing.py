"""News of resources and of the list of tools, in both revisions.

Nothing tells this process what another one did, so whoever subscribed is looked after by a task that
reads what was asked for, as the subscriber and through the door, every few seconds and at once after
a change made here. It tells that something is other than it was, and where; never what.
In the older revision a subscription belongs to a session and ends with it; in the newer it is the
stream of one request. Source: MCP 2025-11-25 (resources), 2026-07-28 (subscriptions).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent, ToolsListChanged

from agentctl.canonical import sha256_hex
from agentctl.faces.mcp_server.doorway import Context, Doorway, Doorways, doorway_of
from agentctl.faces.mcp_server.listing import tools_of
from agentctl.faces.mcp_server.promoting import mark_of
from agentctl.faces.mcp_server.resources import UnknownResourceError, read_resource, split_offset
from agentctl.faces.mcp_server.runtime import Runtime, runtime_of

logger = logging.getLogger(__name__)

POLL_S: Final = 2.0
TOOLS_EVERY: Final = 5
"""Rounds after which the list of tools is looked at: it changes with a policy, seldom."""
URIS_MAX: Final = 16
"""Of one subscriber."""
STREAMS_MAX: Final = 16
"""Open listening streams of one principal."""
LISTEN_S_MAX: Final = 600.0
"""After which a stream ends in order, so that whoever listens shows a token again."""
_TOOLS: Final = "tools"
_STATE: Final = "agentctl.watch"

Publish = Callable[[ServerEvent], Awaitable[None]]
Marks = dict[str, str | None]


class Watch:
    """What one subscriber wants to hear of, and how it was when last looked at."""

    def __init__(self, door: Doorway, toolsets: frozenset[str], *, tools: bool) -> None:
        self.uris: set[str] = set()
        self._door = door
        self._toolsets = toolsets
        self._tools = tools
        self._marks: Marks = {}

    async def begin(self, uri: str) -> None:
        """Watches one resource from now on.

        Raises:
            UnknownResourceError: there is none of that URI, or the subscriber may not read it.
        """
        await read_resource(split_offset(uri)[0], self._door)
        self._marks[uri] = await self._mark(uri)
        self.uris.add(uri)

    async def run(self, runtime: Runtime, publish: Publish, *, poll_s: float) -> None:
        """Tells what is other than it was, until cancelled."""
        if self._tools:
            self._marks[_TOOLS] = await self._mark(_TOOLS)
        rounds = 0
        while True:
            moved = await runtime.moved(poll_s)
            rounds += 1
            tools = self._tools and (moved or rounds % TOOLS_EVERY == 0)
            for name in (*sorted(self.uris), *([_TOOLS] if tools else [])):
                mark = await self._mark(name)
                if name in self._marks and self._marks[name] != mark:
                    event = ToolsListChanged() if name == _TOOLS else ResourceUpdated(uri=name)
                    await publish(event)
                self._marks[name] = mark
                if mark is None:  # Gone, or denied now: asking on would only fill the audit log.
                    self.uris.discard(name)

    async def _mark(self, name: str) -> str | None:
        try:
            if name == _TOOLS:
                return mark_of(await tools_of(self._door, self._toolsets))
            text = await read_resource(split_offset(name)[0], self._door)
        except UnknownResourceError:
            return None
        except Exception:  # the loop outlives a failure of the world
            logger.exception("a watched resource could not be read")
            return self._marks.get(name)
        return sha256_hex(text.encode())


class Listening:
    """Serves ``subscriptions/listen``: one call is one stream, with a watch of its own."""

    def __init__(self, doorways: Doorways, toolsets: frozenset[str], *, poll_s: float) -> None:
        self._doorways = doorways
        self._toolsets = toolsets
        self._poll_s = poll_s
        self._bus = InMemorySubscriptionBus()
        """What all streams hear of; the server itself has nothing to say to all."""
        self._open: dict[str, int] = {}

    async def __call__(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serves one stream."""
        door = await doorway_of(self._doorways, context)
        wanted = params.notifications
        uris = list(wanted.resource_subscriptions or ())
        if len(uris) > URIS_MAX or self._open.get(door.principal, 0) >= STREAMS_MAX:
            raise MCPError(code=types.INVALID_PARAMS, message="too many subscriptions")
        watch = Watch(door, self._toolsets, tools=bool(wanted.tools_list_changed))
        for uri in uris:
            try:
                await watch.begin(uri)
            except UnknownResourceError:
                continue  # As one that never changes: whether it exists is not told here.
        self._open[door.principal] = self._open.get(door.principal, 0) + 1
        try:
            return await self._stream(context, params, watch)
        finally:
            self._open[door.principal] -= 1
            if not self._open[door.principal]:
                del self._open[door.principal]

    async def _stream(
        self, context: Context, params: types.SubscriptionsListenRequestParams, watch: Watch
    ) -> types.SubscriptionsListenResult:
        bus = _Both(self._bus)
        handler = ListenHandler(bus)

        async def end() -> None:
            await anyio.sleep(LISTEN_S_MAX)
            handler.close()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end)

            async def look() -> None:
                await watch.run(runtime_of(context), bus.publish, poll_s=self._poll_s)

            tasks.start_soon(look)
            result = await handler(context, params)
            tasks.cancel_scope.cancel()
        return result


class _Both(InMemorySubscriptionBus):
    """The bus of one stream, which also carries what all hear of."""

    def __init__(self, everyone: InMemorySubscriptionBus) -> None:
        super().__init__()
        self._everyone = everyone

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        ends = (super().subscribe(listener), self._everyone.subscribe(listener))

        def end() -> None:
            for one in ends:
                one()

        return end


class Following:
    """Serves ``resources/subscribe`` and its end, and the news of tools, of the older revision."""

    def __init__(self, doorways: Doorways, toolsets: frozenset[str], *, poll_s: float) -> None:
        self._doorways = doorways
        self._toolsets = toolsets
        self._poll_s = poll_s

    async def subscribe(
        self, context: Context, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Watches a resource for the session of the request."""
        watch = await self.watched(context)
        uri = str(params.uri)
        if len(watch.uris) >= URIS_MAX and uri not in watch.uris:
            raise MCPError(code=types.INVALID_PARAMS, message="too many subscriptions")
        try:
            await watch.begin(uri)
        except UnknownResourceError as unknown:
            raise MCPError(code=types.INVALID_PARAMS, message=str(unknown)) from unknown
        return types.EmptyResult()

    async def unsubscribe(
        self, context: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Watches it no longer; what was not watched is as good."""
        watch = await self.watched(context)
        watch.uris.discard(str(params.uri))
        return types.EmptyResult()

    async def watched(self, context: Context) -> Watch:
        """Returns the watch of the request's session, which begins at the first need of it."""
        connection = _connection(context)
        watch = connection.state.get(_STATE)
        if isinstance(watch, Watch):
            return watch
        door = await doorway_of(self._doorways, context)
        watch = connection.state[_STATE] = Watch(door, self._toolsets, tools=True)
        scope = anyio.CancelScope()
        connection.exit_stack.callback(scope.cancel)

        async def publish(event: ServerEvent) -> None:
            if isinstance(event, ResourceUpdated):
                await connection.send_resource_updated(event.uri)
            else:
                await connection.send_tool_list_changed()

        async def look(runtime: Runtime) -> None:
            with scope:
                await watch.run(runtime, publish, poll_s=self._poll_s)

        runtime = runtime_of(context)
        runtime.start(look, runtime)
        return watch


def _connection(context: Context) -> Connection:
    """Returns the session's connection, which the SDK hands to nobody but keeps for its end."""
    return context.session._connection  # noqa: SLF001  # there is no other way to it in mcp 2.3


def is_followed(context: Any) -> bool:  # noqa: ANN401
    """Returns whether the request is of the revision in which a session is told of news."""
    return bool(context.protocol_version < "2026-07-28")
