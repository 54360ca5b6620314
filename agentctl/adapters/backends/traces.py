"""What an answer was read from, so that it can be told later whether any of it is other than it was.

While a trace is open, every file and folder that the disk of this process reads is noted with its
stamp: size, times of change and inode. As long as all stamps are what they were, reading again
would read the same. A stamp tells two changes apart only where they are further apart than the
clock of the file system ticks, so what was changed a moment before it was read is never relied on.
Source: the "racy" entries of git's index.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

SETTLED_NS: Final = 100_000_000
"""Nanoseconds after which a change is old enough that a later one has another stamp."""

Stamp = tuple[int, int, int, int] | None
"""Size, times of modification and of change, inode; None for what is not there."""

_OPEN: "ContextVar[Trace | None]" = ContextVar("agentctl.trace", default=None)


class Trace:
    """The stamps of all that was read while it was open."""

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp] = {}
        """By path."""
        self.settled = True
        """Whether nothing of it had changed a moment before it was read."""

    def note(self, path: Path) -> None:
        """Notes a file or folder that is about to be read. Blocking."""
        name = str(path)
        if name in self.stamps:
            return
        stamp = self.stamps[name] = _stamp_of(name)
        if stamp is not None and max(stamp[1], stamp[2]) > time.time_ns() - SETTLED_NS:
            self.settled = False

    def adopt(self, other: "Trace") -> None:
        """Notes what *other* noted: what was read then counts as read now."""
        for name, stamp in other.stamps.items():
            if self.stamps.setdefault(name, stamp) != stamp:
                self.settled = False
        self.settled = self.settled and other.settled

    def holds(self) -> bool:
        """Returns whether reading all of it again would read the same. Blocking."""
        return self.settled and all(_stamp_of(n) == stamp for n, stamp in self.stamps.items())


@contextmanager
def tracing() -> Iterator[Trace]:
    """Opens a trace for what is read within; one that is open already hears of it too."""
    trace, outer = Trace(), _OPEN.get()
    token = _OPEN.set(trace)
    try:
        yield trace
    finally:
        _OPEN.reset(token)
        if outer is not None:
            outer.adopt(trace)


def note(path: Path) -> None:
    """Tells the open trace, where there is one, what is about to be read. Blocking."""
    trace = _OPEN.get()
    if trace is not None:
        trace.note(path)


def adopt(other: Trace) -> None:
    """Tells the open trace, where there is one, of something read earlier that still holds."""
    trace = _OPEN.get()
    if trace is not None:
        trace.adopt(other)


def _stamp_of(name: str) -> Stamp:
    try:
        found = os.stat(name)  # noqa: PTH116  # a Path for each would cost more than the look
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
