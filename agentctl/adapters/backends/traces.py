"""What an answer was read from, so that it can be told later whether any of it is other than it was.

While a trace is open, every file and folder that the disk of this process reads is noted with its
stamp: device, inode, size, and the times of modification and of change. As long as all stamps are
what they were, reading again would read the same. What this relies on, and what it does not:

- **Noted before it is read**, so what changes in between has another stamp later.
- **The time of change** (ctime), which the kernel sets at each write, link, rename and `utime`, by its
  own clock, and which nobody sets by hand. A time of modification set back by hand, a write through
  another hard link, another file renamed over this one and a folder that gained or lost a name all
  move it, or the inode. What is *in* a file moves the stamp of the file, not of its folder: that is
  why what was read is noted itself, also what was not there.
- **Ticks.** Two changes within one tick of the file system's clock leave one stamp, so what changed
  less than `SETTLED_NS` before it was noted is not relied on, neither is what seems to have changed in the
  future, nor a stamp of whole seconds alone (a file system that counts no finer). Source: the "racy"
  entries of git's index.
- **One machine.** Attributes of a network file system may be old for seconds, and its clock is another
  machine's; so only file systems are relied on that keep their stamps in this kernel (`LOCAL`).
- **Not seen**: a program that holds a file mapped writably may change pages that are dirty already and
  move no stamp before they are written back; and who sets this machine's clock back to the very
  tick of an older change. Both need the rights of the storage root's owner or of root, who need no
  trick, and neither outlives what `agentctl.engine.remembering` lets an answer live.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

SETTLED_NS: Final = 100_000_000
"""Nanoseconds after which a change is old enough that a later one has another stamp; ten ticks of the
slowest kernel clock."""
_SECOND_NS: Final = 1_000_000_000

LOCAL: Final = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        0x9123683E,  # btrfs
        0xCA451A4E,  # bcachefs
        0xF2F52010,  # f2fs
        0x2FC12FC1,  # zfs
        0x01021994,  # tmpfs
        0x794C7630,  # overlay
    }
)
"""File systems whose stamps this machine's kernel keeps, by the magic number of statfs(2)."""
_STATFS_BYTES: Final = 512
"""More than any struct of statfs(2)."""

Stamp = tuple[int, ...]
"""Device, inode, size, times of modification and of change; of what cannot be looked at, why."""

_OPEN: "ContextVar[Trace | None]" = ContextVar("agentctl.trace", default=None)


class Trace:
    """The stamps of all that was read while it was open."""

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp] = {}
        """By path."""
        self.settled = True
        """Whether all of it can be relied on: local, and unchanged for long enough when noted."""
        self._devices: dict[int, bool] = {}
        """Whether the file systems are local, by device."""

    def note(self, path: Path) -> None:
        """Notes a file or folder that is about to be read. Blocking."""
        name = str(path)
        if name in self.stamps:
            return
        stamp = _stamp_of(name)
        if self.stamps.setdefault(name, stamp) != stamp:  # another thread was first
            self.settled = False
        if self.settled and not (_is_settled(stamp) and self._is_local(name, stamp)):
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

    def _is_local(self, name: str, stamp: Stamp) -> bool:
        there, device = (name, stamp[0]) if _is_there(stamp) else _nearest(name)
        known = self._devices.get(device)
        if known is None:
            known = self._devices[device] = file_system_of(there) in LOCAL
        return known


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


def file_system_of(name: str) -> int | None:
    """Returns the magic number of the file system that holds *name*; None where none is told."""
    import ctypes  # takes milliseconds, which most commands need not spend

    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_long) != ctypes.sizeof(ctypes.c_int64):
        return None
    found = (ctypes.c_long * (_STATFS_BYTES // ctypes.sizeof(ctypes.c_long)))()
    failed: int = ctypes.CDLL(None).statfs(os.fsencode(name), ctypes.byref(found))
    return None if failed else int(found[0])


def _is_there(stamp: Stamp) -> bool:
    return len(stamp) > 1


def _is_settled(stamp: Stamp) -> bool:
    if not _is_there(stamp):
        return True  # Once it is there it has a stamp.
    *_, modified, changed = stamp
    if modified % _SECOND_NS == 0 and changed % _SECOND_NS == 0:
        return False
    return max(modified, changed) <= time.time_ns() - SETTLED_NS


def _nearest(name: str) -> tuple[str, int]:
    """Returns the path, or the nearest above it that is there, and its device."""
    while True:
        try:
            return name, os.stat(name).st_dev  # noqa: PTH116  # as below
        except (OSError, ValueError):
            above = os.path.dirname(name)  # noqa: PTH120  # as below
            if above == name:
                return name, -1
            name = above


def _stamp_of(name: str) -> Stamp:
    try:
        found = os.stat(name)  # noqa: PTH116  # a Path for each would cost more than the look
    except OSError as failure:
        return (failure.errno or 0,)
    except ValueError:
        return (-1,)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
