"""Bounds how many processes a command may have where the user's own limit does not hold: for root.

The kernel never counts root's processes against `RLIMIT_NPROC`, also where root has no capability
left, so a command that root's server runs gets a control group of its own. Where this machine has
no control groups to write, only the time limit bounds them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

_HIERARCHIES: Final = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
"""Where version 1 counts processes, and version 2."""
_JOIN: Final = 'echo $$ >"$0" && exec "$@"'


@contextmanager
def counted(processes_max: int) -> Iterator[tuple[str, ...]]:
    """Gives the words to put before a command, so that it and its children are counted."""
    group = _made(processes_max) if os.geteuid() == 0 else None
    if group is None:
        yield ()
        return
    try:
        yield ("/bin/sh", "-c", _JOIN, os.fspath(group / "cgroup.procs"))
    finally:
        with suppress(OSError):  # what is still in it ends with its namespace
            group.rmdir()


def _made(processes_max: int) -> Path | None:
    for above in _HIERARCHIES:
        group = above / f"agentctl-{uuid4().hex}"
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
