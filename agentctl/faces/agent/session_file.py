"""The file of a session: appended line by line, for its owner's eyes, by one process at a time.

Beside it, while the session can go on, lies ``<file>.live``: what each name of the file stands for in
this world. The file itself can be published; the other one is of no use elsewhere.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.agent.lines import Recorded, read_session, unusable

MODE: Final = 0o600
LIVE: Final = ".live"
SESSION_BYTES_MAX: Final = 256 << 20


class SessionFile:
    """An open session file, locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def append(self, line: bytes) -> None:
        """Writes one line, whole, and to the disk: what was done must not be forgotten."""
        data = line + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)

    def keep(self, values: Mapping[str, str]) -> None:
        """Writes what the names stand for."""
        live = live_path(self.path)
        fresh = live.with_name(live.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(values))
        fresh.replace(live)

    def forget(self) -> None:
        """Removes what the names stand for: the session is over."""
        live_path(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file, which frees it for others."""
        os.close(self._descriptor)


def live_path(path: Path) -> Path:
    """Returns where the values of a session's names lie."""
    return path.with_name(path.name + LIVE)


def create(path: Path) -> SessionFile | Diagnostic:
    """Makes a new session file; one that is there already is never written over."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, MODE)
    except FileExistsError:
        return error(
            "agent_session_exists",
            str(path),
            "there is a file of that name already",
            remedy=f"agentctl agent resume {path}",
        )
    except OSError as failure:
        return unusable(str(path), failure.strerror or "it cannot be written")
    return _locked(path, descriptor)


def reopen(path: Path) -> tuple[SessionFile, Recorded, Mapping[str, str] | None] | Diagnostic:
    """Opens a session to go on with it; a line that a crash cut off is removed.

    The last part is what the names stand for; None where that is gone, and the session over.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError as failure:
        return unusable(str(path), failure.strerror or "it cannot be opened")
    file = _locked(path, descriptor)
    if isinstance(file, Diagnostic):
        return file
    found = read_file(path)
    if isinstance(found, Diagnostic):
        file.close()
        return found
    os.ftruncate(descriptor, found.size_bytes)
    return file, found, _live(path)


def read_file(path: Path) -> Recorded | Diagnostic:
    """Returns what a session file holds, or what is wrong with it."""
    try:
        if path.stat().st_size > SESSION_BYTES_MAX:
            return unusable(str(path), f"it is larger than {SESSION_BYTES_MAX:,} bytes")
        return read_session(path.read_bytes(), file=str(path))
    except OSError as failure:
        return unusable(str(path), failure.strerror or "it cannot be read")


def _live(path: Path) -> dict[str, str] | None:
    try:
        return msgspec.json.decode(live_path(path).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return None


def _locked(path: Path, descriptor: int) -> SessionFile | Diagnostic:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return unusable(str(path), "another process is working with it")
    return SessionFile(path, descriptor)
