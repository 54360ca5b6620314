"""What a command tells on stderr while it runs: an apply by lines, a load by one that is drawn again."""

import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

from agentctl.faces.cli.printing import say
from agentctl.views.apply_text import event_line

QUIET_S: Final = 1.0
"""How long a load says nothing: most are over by then."""
PLAIN_S: Final = 10.0
"""How long lies between two lines of one phase, where no line can be drawn again."""
_AGAIN: Final = "\r\x1b[K"
"""Takes the line away that the cursor stands on."""

Notify = Callable[[Any], Awaitable[None]]


def teller() -> Notify:
    """Returns what says each event of an apply to a person."""

    async def tell(event: Any) -> None:  # noqa: ANN401  # an ApplyEvent, which is the engine's
        line = event_line(event)
        if line is not None:
            say(line)

    return tell


@contextmanager
def load_teller(
    stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Notify]:
    """Gives what tells how far a load is; at a terminal its line is gone at the end.

    Args:
        stream: where to; None is stderr.
        clock: seconds, which only grow.
    """
    told = LoadLine(stream if stream is not None else sys.stderr, clock)

    async def tell(event: Any) -> None:  # noqa: ANN401  # an event of a load, which is the engine's
        told.tell(event)

    try:
        yield tell
    finally:
        told.clear()


class LoadLine:
    """The line about one load: drawn again at a terminal, elsewhere a new one now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._redraws = stream.isatty()
        self._begun = clock()
        self._phase: str | None = None
        self._said_at = 0.0
        self._is_drawn = False

    def tell(self, event: Any) -> None:  # noqa: ANN401  # an event of a load, which is the engine's
        """Says how far the load is, unless it has only begun."""
        words = getattr(event, "words", None)
        now = self._clock()
        if words is None or now - self._begun < QUIET_S:
            return
        if self._redraws:
            self._stream.write(f"{_AGAIN}{words}")
            self._stream.flush()
            self._is_drawn = True
        elif event.phase != self._phase or now - self._said_at >= PLAIN_S:
            self._stream.write(f"{words}\n")
            self._said_at = now
        self._phase = event.phase

    def clear(self) -> None:
        """Takes the line away, so that what follows stands alone."""
        if self._is_drawn:
            self._stream.write(_AGAIN)
            self._stream.flush()
            self._is_drawn = False
