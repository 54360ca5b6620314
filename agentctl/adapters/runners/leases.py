"""Leases of folders: who works in one keeps out all others, of this process and of every other.

A lease is the kernel's lock of the folder itself (flock). It is given back when its holder lets go, and
when its process ends, however it ends. No program that is started meanwhile inherits it, and nothing
is written, so a killed holder leaves nothing behind.
"""

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import anyio

_POLL_S: Final = 0.02


class BusyError(Exception):
    """Somebody else kept the lease for longer than it was waited for."""


class GoneError(Exception):
    """There is no such folder, or not any more."""


class Lease:
    """A lease that is held until the end of a block."""

    def __init__(self, opened: int) -> None:
        self._opened = opened
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        fcntl.flock(self._opened, fcntl.LOCK_UN)  # a program that is being started has it open too
        os.close(self._opened)

    def lay_down(self) -> None:
        """Lets others have the folder until `take_up`."""
        if not self._is_over:
            fcntl.flock(self._opened, fcntl.LOCK_UN)

    def take_up(self) -> None:
        """Shares the folder again; whoever calls it knows that nobody has it alone."""
        if not self._is_over:
            fcntl.flock(self._opened, fcntl.LOCK_SH | fcntl.LOCK_NB)


async def lease_of(folder: Path, *, within_s: float, shared: bool = False) -> Lease:
    """Returns the lease of *folder*, whatever the folder is called later.

    Args:
        folder: has to be the same when the lease is had.
        within_s: how long it is waited for.
        shared: whether others may hold it at once who share it too.

    Raises:
        BusyError: others kept it.
        GoneError: the folder is not there.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as failure:
        raise GoneError(folder.name) from failure
    with ExitStack() as otherwise:
        otherwise.callback(os.close, opened)
        if not await _locked(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, within_s):
            raise BusyError(folder.name)
        if not _is_same(opened, folder):
            raise GoneError(folder.name)
        otherwise.pop_all()
    return Lease(opened)


async def _locked(opened: int, kind: int, within_s: float) -> bool:
    with anyio.move_on_after(within_s):
        while True:
            try:
                fcntl.flock(opened, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                await anyio.sleep(_POLL_S)
            else:
                return True
    return False


def _is_same(opened: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), folder.stat())
    except FileNotFoundError:
        return False
