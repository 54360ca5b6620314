"""Bounds how many processes a command may have where the user's own limit does not hold: for root.

The kernel never counts root's processes against `RLIMIT_NPROC`, also where root has no capability
left, so a command that root's server runs gets a control group of its own. Where this machine has
no control groups to write, only the time limit bounds them.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import anyio

_HIERARCHIES: Final = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Where version 1 counts processes, and version 2."""
_JOIN: Final = 'echo $$ >"$0" && exec "$@"'


_LEAVE_TRIES: Final = 500
_LEAVE_EVERY_S: Final = 0.01


@asynccontextmanager
async def counted(processes_max: int) -> AsyncIterator[tuple[str, ...]]:
    """Gives the words to put before a command, so that it and its children are counted.

    Waits at the end until the last of them is gone, a few seconds at most.
    """
    group = _made(processes_max) if os.geteuid() == 0 else None
    if group is None:
        yield ()
        return
    try:
        yield ("/bin/sh", "-c", _JOIN, os.fspath(group / "cgroup.procs"))
    finally:
        with anyio.CancelScope(shield=True):  # a group that is left behind is nobody's to remove
            await _remove(group)


async def _remove(group: Path) -> None:
    for _ in range(_LEAVE_TRIES):
        try:
            group.rmdir()  # noqa: ASYNC240  # in memory
        except OSError:  # killed processes are still on their way out
            await anyio.sleep(_LEAVE_EVERY_S)
        else:
            return


def _made(processes_max: int) -> Path | None:
    for above in _HIERARCHIES:
        _sweep(above)
        group = above / f"agentctl-{os.getpid()}-{uuid4().hex}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / "pids.max").write_text(str(processes_max), encoding="ascii")
        except OSError:
            group.rmdir()
            continue
        return group
    return None


def _sweep(above: Path) -> None:
    """Removes the groups of processes that died before they could."""
    for group in above.glob("agentctl-*-*"):
        maker = group.name.split("-")[1]
        if not Path("/proc", maker).exists():
            with suppress(OSError):  # somebody else was quicker
                group.rmdir()
