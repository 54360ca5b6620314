"""An answer that goes on: server-sent events. Source: the HTML standard, section 9.2."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agentctl.faces.http.events import Emit, Event
from agentctl.faces.http.problems import HEADERS, OK

EVENT_STREAM: Final = "text/event-stream"
KEEP_ALIVE_S: Final = 15.0
_KEEP_ALIVE: Final = b": still here\n\n"

Produce = Callable[[Emit], Awaitable[None]]


class EventStream(Response):
    """An answer that goes on until what it tells of is over, or nobody listens any more."""

    def __init__(self, produce: Produce) -> None:
        super().__init__(
            status_code=OK,
            media_type=EVENT_STREAM,
            headers={**HEADERS, "x-accel-buffering": "no"},
        )
        del self.headers["content-length"]
        self._produce = produce
        self.on_end: Callable[[], None] | None = None
        """Called once, however the stream ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the stream."""
        assert scope["type"] == "http"
        start = {"type": "http.response.start", "status": self.status_code}
        speech = _Speech(send)
        try:
            await send({**start, "headers": self.raw_headers})
            async with anyio.create_task_group() as tasks:

                async def hang_up() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        continue
                    tasks.cancel_scope.cancel()

                tasks.start_soon(hang_up)
                tasks.start_soon(speech.keep_alive)
                await self._produce(speech.emit)
                await speech.end()
                tasks.cancel_scope.cancel()
        finally:
            if self.on_end is not None:
                self.on_end()


class _Speech:
    """One side of a connection: whole events only, one after the other."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = anyio.Lock()

    async def emit(self, event: Event) -> None:
        await self._say(event.encoded(), more=True)

    async def end(self) -> None:
        await self._say(b"", more=False)

    async def keep_alive(self) -> None:
        while True:
            await anyio.sleep(KEEP_ALIVE_S)
            await self._say(_KEEP_ALIVE, more=True)

    async def _say(self, data: bytes, *, more: bool) -> None:
        async with self._lock:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
