"""Ctrl-C in a command that changes things: once to end it in order, twice to leave it at once.

The first signal lets the step that has begun finish, and what was done is recorded; the second
leaves everything as a crash would, and the next command settles it.
"""

import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.faces.cli.printing import say

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
FIRST: Final = "Interrupted: finishing the step that has begun. Once more leaves it as it is."


class LeftAtOnceError(Exception):
    """The second signal came; what was begun is settled by the next command."""


class Interruption:
    """What the signals said so far."""

    def __init__(self) -> None:
        self.count = 0

    def came(self) -> bool:
        """Returns whether somebody wants the command to end."""
        return self.count > 0


@asynccontextmanager
async def interruptible() -> AsyncIterator[Callable[[], bool]]:
    """Gives what tells whether the command is to end; a process's main thread alone hears signals.

    Raises:
        LeftAtOnceError: it was told twice.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption.came
        return
    failure: BaseException | None = None
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for _ in signals:
                    interruption.count += 1
                    if interruption.count > 1:
                        tasks.cancel_scope.cancel()
                    say(FIRST)

            tasks.start_soon(listen)
            try:
                yield interruption.came
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as raised:  # noqa: BLE001  # raised again below, outside the group
                failure = raised
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if interruption.count > 1:
        raise LeftAtOnceError


def left_at_once() -> Diagnostic:
    """Returns what to tell of a command that was left at once."""
    return warning(
        "interrupted",
        "apply",
        "the command was left at once; what it had begun is settled by the next one",
        remedy="agentctl status",
    )
