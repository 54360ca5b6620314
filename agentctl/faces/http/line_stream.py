"""An answer of lines that goes out while an operation reads them.

Its status is decided by what comes first: a block of lines, or the end. What breaks off behind the
first block breaks the connection off, so that nobody takes a part for the whole. A client that is
slow holds the reading back, and one that hangs up ends it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agentctl.faces.http.answers import EventStream
from agentctl.faces.http.events import Emit
from agentctl_tools.operation import Envelope, Notify

LINES: Final = "application/x-ndjson"

Read = Callable[[Notify], Awaitable[Envelope]]


class CutOffError(Exception):
    """The lines ended before all of them were out."""


class LineStream(EventStream):
    """An answer of lines; it counts as an open stream of its principal."""

    def __init__(self, read: Read, refused: Callable[[Envelope], Response]) -> None:
        super().__init__(_no_events)
        self.headers["content-type"] = LINES
        self._read = read
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the lines, or the refusal.

        Raises:
            CutOffError: the operation failed behind the first block.
        """
        told: list[Envelope] = []
        begun = False
        try:
            async with anyio.create_task_group() as tasks:
                blocks_in, blocks = anyio.create_memory_object_stream[bytes](0)
                tasks.start_soon(_hang_up, receive, tasks.cancel_scope)
                tasks.start_soon(self._make, blocks_in, told)
                begun = await self._forward(blocks, send)
                await self._end(told[0], (scope, receive, send), begun=begun)
                tasks.cancel_scope.cancel()
        finally:
            if self.on_end is not None:
                self.on_end()
        if begun and told and not told[0].ok:
            raise CutOffError(told[0].summary)

    async def _make(self, blocks: MemoryObjectSendStream[bytes], told: list[Envelope]) -> None:
        async def take(block: Any) -> None:  # noqa: ANN401  # a Block of the export
            await blocks.send(block.lines)

        async with blocks:
            told.append(await self._read(take))

    async def _forward(self, blocks: MemoryObjectReceiveStream[bytes], send: Send) -> bool:
        """Sends what comes; returns whether anything did."""
        begun = False
        async with blocks:
            async for block in blocks:
                if not begun:
                    await self._start(send)
                begun = True
                await send({"type": "http.response.body", "body": block, "more_body": True})
        return begun

    async def _end(
        self, envelope: Envelope, connection: tuple[Scope, Receive, Send], *, begun: bool
    ) -> None:
        scope, receive, send = connection
        if envelope.ok:
            if not begun:
                await self._start(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not begun:
            await self._refused(envelope)(scope, receive, send)

    async def _start(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})


async def _hang_up(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    scope.cancel()


async def _no_events(_emit: Emit) -> None:
    """Nothing of these answers is an event."""
