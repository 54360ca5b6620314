"""What long runs of this server tell while they go on, kept for whoever listens late.

Each run has a feed: its events in order, numbered from 1, bounded. A run belongs to the server and
not to the request that began it, so that a client that hangs up leaves no half-made change behind.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import anyio
import msgspec

from agentctl_tools.operation import Envelope

EVENTS_MAX: Final = 2_000
"""Of one run; progress beyond them is left out, its end never."""
FEEDS_MAX: Final = 256
"""Of how many runs events are kept; ended ones go first, the oldest first."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One server-sent event."""

    number: int
    """Within its feed, from 1; 0 for what belongs to no feed."""
    name: str
    data: bytes
    """JSON on one line."""

    def encoded(self) -> bytes:
        """Returns the event as it stands in the stream."""
        numbered = f"id: {self.number}\n".encode() if self.number else b""
        return numbered + b"event: " + self.name.encode() + b"\ndata: " + self.data + b"\n\n"


Emit = Callable[[Event], Awaitable[None]]
"""Takes an event to whoever listens; returns when there is room for the next."""


class Feed:
    """The events of one run."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._moved = anyio.Event()
        self.op: str | None = None
        self.over = anyio.Event()
        """Set behind the last event."""

    def tell(self, name: str, document: object) -> None:
        """Adds an event, unless the feed is full or over."""
        if self.over.is_set() or len(self._events) >= EVENTS_MAX:
            return
        self._add(name, document)

    def end(self, envelope: Envelope) -> None:
        """Adds the last event, ``result``: the envelope that the run was answered."""
        if not self.over.is_set():
            self.over.set()
            self._add("result", envelope)

    async def after(self, number: int) -> AsyncIterator[Event]:
        """Gives the events behind *number*, those to come too, until the last."""
        while True:
            moved = self._moved
            for event in self._events[number:]:
                number = event.number
                yield event
            if self.over.is_set() and number >= len(self._events):
                return
            await moved.wait()

    def _add(self, name: str, document: object) -> None:
        number = len(self._events) + 1
        self._events.append(Event(number=number, name=name, data=msgspec.json.encode(document)))
        self._moved.set()
        self._moved = anyio.Event()


class Feeds:
    """The feeds of one server, by the ops that their runs made."""

    def __init__(self) -> None:
        self._by_op: OrderedDict[str, Feed] = OrderedDict()

    def take(self, feed: Feed, event: Any) -> None:  # noqa: ANN401  # an ApplyEvent, which a face passes on
        """Takes an event of a run; the first that names the op makes the feed known by it."""
        op: str | None = getattr(event, "op", None)
        if op is not None and feed.op is None:
            self.know(feed, op)
        feed.tell(str(getattr(event, "kind", "event")), event)

    def know(self, feed: Feed, op: str) -> None:
        """Makes a feed known by the op that its run made."""
        feed.op = op
        self._by_op[op] = feed
        while len(self._by_op) > FEEDS_MAX:
            over = next(
                (o for o, f in self._by_op.items() if f.over.is_set()), next(iter(self._by_op))
            )
            del self._by_op[over]

    def of(self, op: str) -> Feed | None:
        """Returns the feed of an op of this server; None where another process made it."""
        return self._by_op.get(op)
