"""Processes of machines: started on their own, found by the folder they work in, ended for certain.

A machine outlives the process that started it: each call of a command line is a process of its own.
It is found again by its working directory, which is the machine's folder, so that a stale pid file
leads to nobody else's process. Source: sandboxes 1, recovery.
"""

import errno
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio

KILLED_WITHIN_S: Final = 30.0
_PROC: Final = Path("/proc")
_PASSED: Final = ("PATH", "LANG", "HOME", "TMPDIR")
LOG_FILE: Final = "qemu.log"


def spawn(folder: Path, words: tuple[str, ...], *, environ: Mapping[str, str]) -> int:
    """Starts *words* in *folder*, in a session of its own; returns its pid. What it says goes to `LOG_FILE`."""
    log = os.fspath(folder / LOG_FILE)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.posix_spawnp(
        "env",
        ["env", "-C", os.fspath(folder), *words],
        {name: environ[name] for name in _PASSED if name in environ},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, writing, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE, signal.SIGINT),
    )


def working_below(folder: Path) -> Mapping[int, Path]:
    """Returns the processes that work in *folder* or below it, and where; those of others are not seen."""
    top = folder.resolve()
    found: dict[int, Path] = {}
    for one in _PROC.iterdir():
        if not one.name.isdecimal():
            continue
        with suppress(OSError):
            where = (one / "cwd").readlink()
            if where.is_relative_to(top) and not _is_dead(one) and _is_machine(one):
                found[int(one.name)] = where
    return found


def is_alive(pid: int) -> bool:
    """Returns whether a process that this one started still runs; one that ended is let go of."""
    _let_go(pid)
    try:
        return not _is_dead(_PROC / str(pid))
    except OSError:
        return False


async def gone(pid: int, *, within_s: float) -> bool:
    """Waits until the process has ended; returns whether it did."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        with anyio.move_on_after(within_s):
            await anyio.wait_readable(watched)
            return True
    finally:
        os.close(watched)
        _let_go(pid)
    return False


async def kill(pid: int) -> bool:
    """Ends the process at once, and waits until it has; returns whether it did."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as failure:
        return failure.errno == errno.ESRCH
    return await gone(pid, within_s=KILLED_WITHIN_S)


def _let_go(pid: int) -> None:
    """Takes the ending of a process of this one, so that it is not kept for it; never waits."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _is_machine(process: Path) -> bool:
    words = (process / "cmdline").read_bytes().split(b"\0")
    return any(word.startswith(b"agentctl-") for word in words)


def _is_dead(process: Path) -> bool:
    state = (process / "stat").read_bytes().rpartition(b")")[2].split()
    return state[:1] in ([b"Z"], [b"X"])
