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
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent, ToolsListChanged

from agentctl.canonical import sha256_hex
from agentctl.faces.mcp_server.doorway import (
    Context,
    Doorway,
    Doorways,
    PerRequest,
    connection_of,
    doorway_of,
    shown_within,
)
from agentctl.faces.mcp_server.limits import require_look
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
"""After which a stream ends in order, so that whoever listens shows a token again; a session of the
older revision whose requests say who calls is told nothing while the newest is longer ago."""
_TOOLS: Final = "tools"
_STATE: Final = "agentctl.watch"

Publish = Callable[[ServerEvent], Awaitable[None]]
DoorNow = Callable[[], Doorway | None]
"""Gives as whom to look now; None while nobody has shown who listens."""
Marks = dict[str, str | None]


class Watch:
    """What one subscriber wants to hear of, and how it was when last looked at."""

    def __init__(self, door: DoorNow, toolsets: frozenset[str], *, tools: bool) -> None:
        self.uris: set[str] = set()
        self._door = door
        self._toolsets = toolsets
        self._tools = tools
        self._marks: Marks = {}

    async def begin(self, uri: str) -> None:
        """Watches one resource from now on.

        Raises:
            UnknownResourceError: there is none of that URI, or the subscriber may not read it.
            MCPError: it is one too many.
        """
        if len(self.uris) >= URIS_MAX and uri not in self.uris:
            raise too_many()
        door = self._door()
        if door is None:
            raise UnknownResourceError(uri)
        self.uris.add(uri)  # It counts while it is read, so that many at once are not more.
        try:
            self._marks[uri] = _mark_of(await read_resource(split_offset(uri)[0], door))
        except BaseException:
            self.uris.discard(uri)
            raise

    async def run(self, runtime: Runtime, publish: Publish, *, poll_s: float) -> None:
        """Tells what is other than it was, until cancelled."""
        door = self._door()
        if self._tools and door is not None:
            self._marks[_TOOLS] = await self._mark(_TOOLS, door)
        rounds = 0
        while True:
            moved = await runtime.moved(poll_s)
            rounds += 1
            tools = self._tools and (moved or rounds % TOOLS_EVERY == 0)
            door = self._door()
            for name in (*sorted(self.uris), *([_TOOLS] if tools else [])):
                if door is None or runtime.quotas.wait_s(door.principal, change=False):
                    break  # Nobody to look as, or a look too many: the next round tells it.
                mark = await self._mark(name, door)
                if name in self._marks and self._marks[name] != mark:
                    event = ToolsListChanged() if name == _TOOLS else ResourceUpdated(uri=name)
                    await publish(event)
                self._marks[name] = mark
                if mark is None:  # Gone, or denied now: asking on would only fill the audit log.
                    self.uris.discard(name)

    async def _mark(self, name: str, door: Doorway) -> str | None:
        try:
            if name == _TOOLS:
                return mark_of(await tools_of(door, self._toolsets))
            text = await read_resource(split_offset(name)[0], door)
        except UnknownResourceError:
            return None
        except Exception:  # the loop outlives a failure of the world
            logger.exception("a watched resource could not be read")
            return self._marks.get(name)
        return _mark_of(text)


def _mark_of(text: str) -> str:
    return sha256_hex(text.encode())


def too_many() -> MCPError:
    """Returns what is told of one subscription more than there may be."""
    return MCPError(code=types.INVALID_PARAMS, message="too many subscriptions")


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
            raise too_many()
        self._open[door.principal] = self._open.get(door.principal, 0) + 1
        watch = Watch(lambda: door, self._toolsets, tools=bool(wanted.tools_list_changed))
        try:
            for uri in uris:
                require_look(runtime_of(context).quotas, door.principal)
                try:
                    await watch.begin(uri)
                except UnknownResourceError:
                    continue  # As one that never changes: whether it exists is not told here.
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
        door = await doorway_of(self._doorways, context)
        require_look(runtime_of(context).quotas, door.principal)
        try:
            await watch.begin(str(params.uri))
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
        connection = connection_of(context)
        door = await doorway_of(self._doorways, context)
        watch = connection.state.get(_STATE)
        if isinstance(watch, Watch):
            return watch

        def door_now() -> Doorway | None:
            if not isinstance(self._doorways, PerRequest):
                return door
            return shown_within(connection, LISTEN_S_MAX)

        watch = connection.state[_STATE] = Watch(door_now, self._toolsets, tools=True)
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


def is_followed(context: Any) -> bool:  # noqa: ANN401
    """Returns whether the request is of the revision in which a session is told of news."""
    return bool(context.protocol_version < "2026-07-28")
