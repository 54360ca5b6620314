"""Files of one folder, read and written without following a path out of it unseen.

Blocking; `directory.Folder` calls it from worker threads. Only regular files are read, bounded in
size; a link is followed only after where it leads has been judged.
"""

import os
import stat
from pathlib import Path
from typing import Final, Literal

import msgspec

from agentctl.domain.config.paths import is_state_path

FILE_BYTES_MAX: Final = 8 * 1024 * 1024

Verdict = Literal["inside", "outside", "state"]


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder is there and cannot be read."""

    reason: str


def judge(folder: Path, path: str) -> tuple[Verdict, Path]:
    """Returns where *path*, relative to *folder* or absolute, resolves, links followed."""
    root = Path(os.path.realpath(folder))
    real = Path(os.path.realpath(root / path))
    if real == root:
        return "inside", real
    if not real.is_relative_to(root):
        return "outside", real
    inner = real.relative_to(root).as_posix()
    return ("state" if is_state_path(inner) else "inside"), real


class Places:
    """Where the paths of one folder resolve, each folder among them resolved once.

    It says what `judge` says; a file that is no link, in a folder that was judged, costs one look.
    It is made for one pass over a folder, since it does not see links that change meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = os.path.realpath(folder).rstrip("/")
        self._inside: dict[str, str | None] = {}
        """The real places of folders inside; None for others."""

    def judge(self, path: str) -> tuple[Verdict, str]:
        """Returns where the normal *path* resolves, links followed."""
        parent, _, name = path.rpartition("/")
        real = None if path.startswith("/") or name in {".", ".."} else self._parent(parent)
        if real is not None:
            place = f"{real}/{name}"
            if _is_no_link(place):
                inner = place[len(self._root) + 1 :]
                return ("state" if is_state_path(inner) else "inside"), place
        verdict, resolved = judge(self._folder, path)
        return verdict, os.fspath(resolved)

    def _parent(self, parent: str) -> str | None:
        if parent not in self._inside:
            verdict, real = judge(self._folder, parent or ".")
            self._inside[parent] = os.fspath(real).rstrip("/") if verdict == "inside" else None
        return self._inside[parent]


def _is_no_link(place: str) -> bool:
    try:
        return not stat.S_ISLNK(os.lstat(place).st_mode)
    except (OSError, ValueError):
        return False


def read_file(real: str | Path) -> bytes | Unreadable | None:
    """Returns the bytes of a regular file, None where nothing is there.

    *real* is resolved; a link put in its place since is not followed, and a pipe does not block.
    """
    try:
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        return Unreadable(reason=os.strerror(fault.errno or 0).lower())
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return Unreadable(reason="it is no regular file")
        data = _whole(handle, expected=found.st_size)
    except OSError as fault:
        return Unreadable(reason=os.strerror(fault.errno or 0).lower())
    finally:
        os.close(handle)
    if len(data) > FILE_BYTES_MAX:
        return Unreadable(reason=f"it has more than {FILE_BYTES_MAX} bytes")
    return data


def _whole(handle: int, *, expected: int) -> bytes:
    """Returns what an open file holds, or a byte more than it may hold."""
    data = os.read(handle, min(expected, FILE_BYTES_MAX) + 1)
    if len(data) == expected:
        return data
    parts = [data]
    size = len(data)
    while data and size <= FILE_BYTES_MAX:  # It grew, or the disk gives it in parts.
        data = os.read(handle, FILE_BYTES_MAX + 1 - size)
        size += len(data)
        parts.append(data)
    return b"".join(parts)


def list_folder(real: str | Path) -> tuple[str, ...] | Unreadable | None:
    """Returns the names in a folder, in order of bytes; None where *real* is no folder."""
    try:
        with os.scandir(real) as entries:
            names = [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        return Unreadable(reason=os.strerror(fault.errno or 0).lower())
    return tuple(sorted(names, key=os.fsencode))


def write_file(folder: Path, path: str, data: bytes) -> None:
    """Puts *data* at *path*, whole or not at all, durable when it returns.

    A temporary file beside it is renamed over it, with the mode of the file that was there; its
    name is fixed, so that a later call removes what a crash left.

    Raises:
        OSError: The disk failed, or the path leaves the folder.
    """
    target = _target(folder, path)
    _make_parents(folder, target.parent)
    temporary = leftover(target)
    temporary.unlink(missing_ok=True)
    mode = stat.S_IMODE(target.stat().st_mode) if target.is_file() else 0o644
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(target)
    _sync(target.parent)


def remove_file(folder: Path, path: str) -> None:
    """Removes the file at *path*; one that is not there is no error.

    Raises:
        OSError: The disk failed, or the path leaves the folder.
    """
    target = _target(folder, path)
    target.unlink(missing_ok=True)
    if target.parent.is_dir():
        _sync(target.parent)


def remove_leftover(folder: Path, path: str) -> None:
    """Removes the temporary file that a crash of `write_file` may have left."""
    leftover(_target(folder, path)).unlink(missing_ok=True)


def leftover(target: Path) -> Path:
    """Returns the name of the temporary file beside *target*."""
    return target.with_name(f".{target.name}.agentctl-new")


def _target(folder: Path, path: str) -> Path:
    """Returns the place of *path*; its folders are resolved and judged, a final link is not."""
    verdict, _ = judge(folder, path)
    parent_verdict, parent = judge(folder, Path(path).parent.as_posix())
    if path.startswith("/") or verdict != "inside" or parent_verdict != "inside":
        msg = f"{path} is not a place inside {folder}"
        raise PermissionError(msg)
    return parent / Path(path).name


def _make_parents(folder: Path, parent: Path) -> None:
    missing = [p for p in (parent, *parent.parents) if not p.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        _sync(place.parent)
    assert parent.is_relative_to(os.path.realpath(folder))


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
