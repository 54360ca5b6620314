"""What an apply tells while it runs: one ordered stream, the same for every face. Source: control-plane 3.5.

Steps run concurrently and tell through one bounded queue, which a single task hands to the face in
order; a step goes on once the face has taken what it told. A face that cannot take an event stops
nothing: its failure is raised when the apply is over.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

import anyio
import msgspec

EventKind = Literal[
    "apply_started", "step_started", "step_progress", "step_finished", "apply_finished"
]

QUEUE_MAX: Final = 256
"""How many events of progress wait for a slow face before further ones are left out."""


class ApplyEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event; the first comes before anything is done."""

    kind: EventKind
    steps_done: int
    steps_total: int
    """0 in `apply_started`, which comes before the plan is made."""
    resource: str | None = None
    operation: str | None = None
    outcome: Literal["done", "not_done", "unknown", "waiting"] | None = None
    """Of a finished step."""
    reason: str | None = None
    op: str | None = None
    """The Op, once there is one."""
    converged: bool | None = None
    """Of a finished apply."""
    phase: str | None = None
    """Of a long step: what it does now."""
    rows_done: int | None = None
    """Of a long step, as far as it is known: rows that the phase is through with."""
    rows_total: int | None = None


OnEvent = Callable[[ApplyEvent], Awaitable[None]]
_Item = tuple[ApplyEvent, anyio.Event | None]
"""An event, and what is set once the face has taken it."""


class EventStream:
    """The events of one apply, on their way to a face; without a face they go nowhere."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event = on_event
        self._send, self._receive = anyio.create_memory_object_stream[_Item](QUEUE_MAX)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hands events on while the body runs; at its end all have been taken.

        Raises:
            Exception: of the body, as it was; else what the face raised first.
        """
        failure: BaseException | None = None
        refused: list[Exception] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hand_on, refused)
            try:
                yield
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as raised:  # noqa: BLE001  # raised again below, outside the group
                failure = raised
            finally:
                self._send.close()
        if failure is not None:
            raise failure
        if refused:
            raise refused[0]

    async def tell(self, event: ApplyEvent) -> None:
        """Returns once the face has taken *event*, and all that was told before."""
        if self._on_event is not None:
            taken = anyio.Event()
            await self._send.send((event, taken))
            await taken.wait()

    def note(self, event: ApplyEvent) -> None:
        """Queues *event*, or leaves it out where the face is behind: for progress only."""
        if self._on_event is None:
            return
        try:
            self._send.send_nowait((event, None))
        except (anyio.WouldBlock, anyio.ClosedResourceError):
            return

    async def _hand_on(self, refused: list[Exception]) -> None:
        async with self._receive:
            async for event, taken in self._receive:
                try:
                    if self._on_event is not None and not refused:
                        await self._on_event(event)
                except Exception as failure:  # noqa: BLE001  # told when the apply is over
                    refused.append(failure)
                if taken is not None:
                    taken.set()
