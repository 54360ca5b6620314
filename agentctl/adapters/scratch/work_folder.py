"""Work folders: temporary ones, which a sweep takes away where their process was killed.

Whoever works in one holds the kernel's lock of it, which ends with the process however that ended. So
a folder that nobody has locked is nobody's: it goes, with what its process left running in it. One
that is locked stays, also where another machine or container shares the folder for temporary files.
Blocking. Source: sandboxes 4, Garbage collection.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "agentctl-work-"
"""Before the name of each work folder; a folder so named is this module's to remove."""
MARK: Final = "AGENTCTL_WORK_FOLDER"
"""The variable by which a program that was started to work in a folder is known; holds its path."""
_PROC: Final = Path("/proc")
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def work_folder(purpose: str) -> Iterator[Path]:
    """Gives a new folder, private to the user, and removes it afterwards.

    Args:
        purpose: a word of its name, for people.

    Raises:
        OSError: no folder can be made.
    """
    import shutil  # slow to load, and only for who works in a folder

    path, lock = _made(purpose)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def sweep_work_folders() -> int:
    """Takes away this user's work folders whose process died; returns how many.

    One that cannot be taken away now is left to the next sweep.
    """
    import tempfile

    count = 0
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        with suppress(OSError):  # its owner was quicker, or it is another user's
            count += _swept(path)
    return count


def _made(purpose: str) -> tuple[Path, int]:
    """Returns a folder and its lock; a sweep that came between the two took it for nobody's."""
    import tempfile

    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
        try:
            lock = os.open(path, _OPEN)
        except FileNotFoundError:
            continue
        if _is_ours(path, lock):
            return path, lock
        os.close(lock)


def _is_ours(path: Path, lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # no locks here: then no sweep gets one either, and none takes it away
        return True


def _swept(path: Path) -> bool:
    import shutil

    lock = os.open(path, _OPEN)
    try:
        if os.fstat(lock).st_uid != os.geteuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _end_processes(path)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
    return not path.exists()


def _end_processes(folder: Path) -> None:
    """Kills what still works in a folder for a process that died; where there is no /proc, nothing."""
    if not _PROC.is_dir():
        return
    marked = f"{MARK}={folder}".encode()
    for process in _PROC.iterdir():
        if not process.name.isdecimal():
            continue
        with suppress(OSError):  # it is another user's, or ended meanwhile
            held = os.pidfd_open(int(process.name))
            try:
                inside = (process / "cwd").readlink().is_relative_to(folder.resolve())
                if inside and marked in (process / "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(held, signal.SIGKILL)
            finally:
                os.close(held)
