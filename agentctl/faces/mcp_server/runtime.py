"""What lives as long as the server: the tasks of changes that run on, quotas, and who is told of news.

A change is no part of the request that began it. When the client cancels, or hangs up, the change
is asked to end at its next step, as by Ctrl-C at a terminal; when the call's deadline passes, it
runs on and the caller is told where to look. So a client leaves no half state behind.
"""

import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
import anyio.abc

from agentctl.faces.mcp_server.doorway import Context, Doorway
from agentctl.faces.mcp_server.limits import DEFAULTS, Limits, Quotas
from agentctl_tools.operation import Envelope

logger = logging.getLogger(__name__)

DEADLINE_S: Final = 45.0
"""After which a call that changes something answers although the change runs on; clients give up
at 60 s."""
CLOSING_S: Final = 10.0
"""How long changes that run have to end at their next step when the server ends."""
TOLD_MAX: Final = 64
"""Steps of progress that wait for a slow client; further ones are left out."""
_TELLING_S: Final = 1.0


class Runtime:
    """One for a server, opened by its lifespan."""

    def __init__(self, limits: Limits, *, deadline_s: float = DEADLINE_S) -> None:
        self.quotas = Quotas(limits, anyio.current_time)
        self.deadline_s = deadline_s
        self._tasks: anyio.abc.TaskGroup | None = None
        self._running: set[Change] = set()
        self._moved = anyio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Runtime"]:
        """Runs until the server ends; changes that run then end at their next step."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield self
            finally:
                with anyio.CancelScope(shield=True):
                    await self._close(tasks)

    def begin(self, change: "Change") -> None:
        """Starts a change in a task of its own."""
        assert self._tasks is not None, "the server is open"
        self._running.add(change)
        self._tasks.start_soon(self._run, change)

    def start(self, task: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        """Starts a task that ends with the server at the latest."""
        assert self._tasks is not None, "the server is open"
        self._tasks.start_soon(task, *arguments)

    def tell_moved(self) -> None:
        """Wakes whoever watches for news: something here may have changed."""
        self._moved.set()
        self._moved = anyio.Event()

    async def moved(self, within_s: float) -> bool:
        """Returns whether something here may have changed, at the latest after *within_s* seconds."""
        with anyio.move_on_after(within_s):
            await self._moved.wait()
            return True
        return False

    async def _run(self, change: "Change") -> None:
        try:
            await change.run()
        finally:
            self._running.discard(change)
            self.tell_moved()

    async def _close(self, tasks: anyio.abc.TaskGroup) -> None:
        for change in self._running:
            change.interrupt()
        with anyio.move_on_after(CLOSING_S):
            for change in list(self._running):
                await change.ended.wait()
        tasks.cancel_scope.cancel()


class Change:
    """One call of an operation that changes something, in a task of its own."""

    def __init__(self, door: Doorway, operation: str, arguments: Mapping[str, object]) -> None:
        self.ended = anyio.Event()
        self.envelope: Envelope | None = None
        self.failure: Exception | None = None
        self.op: str | None = None
        """The Op, once there is one."""
        self._door = door
        self._operation = operation
        self._arguments = arguments
        self._is_interrupted = False
        self._send, self._receive = anyio.create_memory_object_stream[Any](TOLD_MAX)

    def interrupt(self) -> None:
        """Asks it to end at its next step."""
        self._is_interrupted = True

    async def run(self) -> None:
        """Calls the operation and keeps how it ended."""
        try:
            self.envelope = await self._door(
                self._operation,
                self._arguments,
                notify=self._note,
                is_interrupted=lambda: self._is_interrupted,
            )
        except Exception as failure:  # raised again where the call is answered
            self.failure = failure
            if self._is_interrupted:
                logger.exception("a change failed", extra={"operation": self._operation})
        finally:
            self._send.close()
            self.ended.set()

    async def _note(self, event: Any) -> None:  # noqa: ANN401  # an event of the operation's own
        self.op = getattr(event, "op", None) or self.op
        with suppress(anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._send.send_nowait(event)

    async def tell(self, report: Callable[[Any], Any]) -> None:
        """Hands events to *report* until the change ends."""
        async with self._receive:
            async for event in self._receive:
                await report(event)


async def run_change(
    runtime: Runtime, change: Change, report: Callable[[Any], Any]
) -> Envelope | None:
    """Returns how *change* ended; None where it runs on beyond the deadline.

    A cancelled call interrupts its change.
    """
    runtime.begin(change)
    try:
        async with anyio.create_task_group() as telling:
            telling.start_soon(_tell, change, report)
            with anyio.move_on_after(runtime.deadline_s):
                await change.ended.wait()
            telling.cancel_scope.deadline = anyio.current_time() + (
                _TELLING_S if change.ended.is_set() else 0
            )
    except anyio.get_cancelled_exc_class():
        change.interrupt()
        raise
    if change.failure is not None:
        raise change.failure
    return change.envelope


async def _tell(change: Change, report: Callable[[Any], Any]) -> None:
    try:
        await change.tell(report)
    except Exception:
        logger.info("progress could not be told", exc_info=True)


def runtime_of(context: Context) -> Runtime:
    """Returns the runtime of the server that serves *context*."""
    runtime = context.lifespan_context
    assert isinstance(runtime, Runtime)
    return runtime


def lifespan_of(
    limits: Limits = DEFAULTS, *, deadline_s: float = DEADLINE_S
) -> Callable[[Any], Any]:
    """Returns the lifespan that opens a runtime for a server."""

    def lifespan(_server: object) -> Any:  # noqa: ANN401  # an async context manager
        return Runtime(limits, deadline_s=deadline_s).open()

    return lifespan
