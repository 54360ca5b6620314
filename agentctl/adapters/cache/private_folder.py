"""The folder of the user's cache, private to the user, and the files in it.

Blocking. A file is written whole or not at all, carries the digest of what it holds, and is read
only where it is a regular file of this user that nobody else may write; what does not hold is
removed. Nothing is synced to the disk: a file that a power loss tore does not hold, and goes.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A larger one is neither written nor read."""
TEMPORARY: Final = ".new-"
_MAGIC: Final = b"agentctl cache 1\n"
_DIGEST_BYTES: Final = 32
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_OTHERS_WRITE: Final = 0o022
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no cache."""

    reason: str


def cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Returns ``$XDG_CACHE_HOME/agentctl``, in ``~/.cache`` where that is not set."""
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else home / ".cache") / "agentctl"


def open_private(folder: Path) -> Unusable | None:
    """Makes *folder* where it is not there; returns why it cannot be used.

    One that belongs to somebody else, or that others may write to, could hold anything.
    """
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as fault:
        return Unusable(reason=f"{folder}: {_words(fault)}")
    if not stat.S_ISDIR(found.st_mode):
        return Unusable(reason=f"{folder} is no folder")
    if found.st_uid != os.geteuid():
        return Unusable(reason=f"{folder} belongs to another user")
    if found.st_mode & _OTHERS_WRITE:
        return Unusable(reason=f"others may write to {folder}")
    return None


def read_entry(path: Path) -> bytes | None:
    """Returns what the file at *path* holds, None where none is; one that does not hold is removed."""
    try:
        handle = os.open(path, _READ)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return None
        sound = not found.st_mode & _OTHERS_WRITE and found.st_size <= FILE_BYTES_MAX
        with os.fdopen(handle, "rb", closefd=False) as stream:
            held = _held(stream.read(FILE_BYTES_MAX + 1)) if sound else None
    except OSError:
        return None
    finally:
        os.close(handle)
    if held is None:
        with contextlib.suppress(OSError):
            path.unlink()
    return held


def write_entry(path: Path, payload: bytes) -> Unusable | None:
    """Puts *payload* at *path*, whole or not at all; returns why it could not be."""
    head = _MAGIC + hashlib.sha256(payload).digest()
    if len(head) + len(payload) > FILE_BYTES_MAX:
        return Unusable(reason=f"{path.name} would have more than {FILE_BYTES_MAX} bytes")
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{secrets.token_hex(8)}")
    try:
        handle = os.open(temporary, _WRITE, _FILE_MODE)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(head)
                stream.write(payload)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as fault:
        return Unusable(reason=f"{path}: {_words(fault)}")
    return None


def _held(data: bytes) -> bytes | None:
    """Returns the payload of a file, None where the file is not as it was written."""
    start = len(_MAGIC) + _DIGEST_BYTES
    if not data.startswith(_MAGIC) or len(data) < start:
        return None
    payload = data[start:]
    digest = hashlib.sha256(payload).digest()
    return payload if data[len(_MAGIC) : start] == digest else None


def _words(fault: OSError) -> str:
    return os.strerror(fault.errno or 0).lower()
