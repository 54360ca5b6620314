"""Server-sent events: a run's progress beside its request, and an op's for whoever may see ops.

A stream is as good as the token that opened it: it is asked again while the stream is open, and so
is policy. Source: the event stream format of the HTML standard, section 9.2.
"""

from typing import Final

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agentctl.faces.http.answers import EVENT_STREAM, EventStream
from agentctl.faces.http.desk import Desk
from agentctl.faces.http.events import Emit, Event, Feed, Feeds
from agentctl.faces.http.problems import answered
from agentctl_tools.callers import TokenCaller
from agentctl_tools.operation import Envelope

LOOK_S: Final = 2.0
"""How often the op itself, and whether the visitor may still see it, is looked at."""
_OVER: Final = frozenset({"success", "failed", "rolled_back", "cancelled", "constraint_failed"})


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    """What an event ``op`` tells."""

    op: str
    status: str
    reason: str | None = None


class OpStreams:
    """``GET /v1/ops/{id}/events``."""

    def __init__(self, desk: Desk, feeds: Feeds) -> None:
        self._desk = desk
        self._feeds = feeds

    async def get(self, request: Request, visitor: TokenCaller) -> Response:
        """Answers with the events of one op: those of its run here, and its changes of status."""
        shown = await self._shown(visitor, request.path_params["op"])
        found = _status_of(shown)
        if found is None:
            return answered(shown)
        feed = self._feeds.of(found.op)
        seen = _last_seen(request)

        async def produce(emit: Emit) -> None:
            async with anyio.create_task_group() as tasks:
                if feed is not None:
                    tasks.start_soon(_forward, feed, seen, emit)
                if not await self._watch(request, visitor, found, feed, emit):
                    tasks.cancel_scope.cancel()

        return EventStream(produce)

    async def _watch(
        self, request: Request, visitor: TokenCaller, found: _Status, feed: Feed | None, emit: Emit
    ) -> bool:
        """Tells how the op stands, whenever that changes, until it is over; False where cut off.

        A stream is cut off when its token or policy no longer allows it, and when the server stops.
        """
        await emit(_event("op", found))
        while found.status not in _OVER:
            await _moved(feed)
            if self._desk.service.is_stopping():
                return False
            again = await self._desk.visitor_of(request)
            if isinstance(again, Response) or again.caller != visitor.caller:
                return False
            shown = await self._shown(again, found.op)
            now = _status_of(shown)
            if now is None:
                await emit(_event("result", shown))
                return False
            if now != found:
                found = now
                await emit(_event("op", found))
        return True

    async def _shown(self, visitor: TokenCaller, op: str) -> Envelope:
        return await self._desk.call(visitor.caller, "ops", {"id": op})


def wants_events(request: Request) -> bool:
    """Returns whether a request asks for an event stream and not for a document."""
    kinds = (
        kind.partition(";")[0].strip() for kind in request.headers.get("accept", "").split(",")
    )
    return EVENT_STREAM in {kind.lower() for kind in kinds}


async def _forward(feed: Feed, seen: int, emit: Emit) -> None:
    async for event in feed.after(seen):
        await emit(event)


async def _moved(feed: Feed | None) -> None:
    """Returns when it is time to look at the op again: its run is over, or a while has passed."""
    with anyio.move_on_after(LOOK_S):
        if feed is not None and not feed.over.is_set():
            await feed.over.wait()
        else:
            await anyio.sleep(LOOK_S)


def _status_of(shown: Envelope) -> _Status | None:
    op = getattr(shown.data, "op", None)
    if not shown.ok or op is None:
        return None
    return _Status(op=op.id, status=op.status, reason=op.reason)


def _event(name: str, document: object) -> Event:
    return Event(number=0, name=name, data=msgspec.json.encode(document))


def _last_seen(request: Request) -> int:
    """Returns up to which event a client that comes again has them."""
    told = request.headers.get("last-event-id", "")
    return int(told) if told.isdecimal() and len(told) < 10 else 0
