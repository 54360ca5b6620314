"""Walks, copies, measures and removes folders that somebody else may be writing in.

Everything is opened relative to a folder that is open already and never through a symbolic link,
so that a command which swaps a folder for a link while it is being read shows nothing of the host.
Files are streamed. `before` is told each step before it is taken; tests stop there.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

DEPTH_MAX: Final = 64
"""Folders within folders. Each level holds one descriptor while it is walked."""
ENTRIES_MAX: Final = 200_000
CHUNK_BYTES: Final = 1 << 20
MODE_KEPT: Final = 0o777
"""Rights of owner, group and others. Set-user-id bits are not kept: no sandbox may use them."""

Kind = Literal["file", "folder", "link"]
Before = Callable[[str], None]

_FICLONE: Final = 0x40049409
_KIND_OF: Final[dict[int, Kind]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
}
_OCCUPIED: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


class RefusedTreeError(Exception):
    """A folder holds what can be neither copied nor kept; the message names it."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a folder, as it was when it was opened."""

    path: bytes
    """Relative to the top, with slashes."""
    kind: Kind
    mode: int
    size: int = 0
    opened: int = -1
    """A descriptor of a file's content, good until the next entry is asked for."""
    target: bytes = b""
    """Where a link leads; never followed."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much a folder holds."""

    storage_bytes: int
    entries: int


def no_step(_step: str) -> None:
    """Takes every step."""


def shown(path: bytes) -> str:
    """Returns a path as text, one to one: a backslash is doubled, a byte that is no UTF-8 is escaped."""
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def walk(top: Path) -> Iterator[Found]:
    """Yields what is under *top*, a folder before what it holds, names in the order of their bytes.

    Raises:
        RefusedTreeError: a special file, or a folder too deep.
        OSError: the disk.
    """
    with _opened_folder(os.fsencode(top), None) as folder:
        yield from _walk(folder, b"", 0)


def copy_tree(top: Path, to: Path, *, before: Before = no_step, bytes_max: int) -> Size:
    """Copies *top* to the new folder *to*, sharing blocks where the file system can.

    Never by hard links: a write through one would change the source.
    """
    before("make the folder of the copy")
    to.mkdir(mode=0o700)
    folders: list[tuple[bytes, int]] = []
    total = entries = 0
    for found in walk(top):
        entries += 1
        total += found.size
        if total > bytes_max or entries > ENTRIES_MAX:
            msg = f"it is more than {bytes_max} bytes or {ENTRIES_MAX} entries"
            raise RefusedTreeError(msg)
        before(f"copy {shown(found.path)}")
        place(to, found)
        if found.kind == "folder":
            folders.append((found.path, found.mode))
    set_modes(to, folders)
    return Size(storage_bytes=total, entries=entries)


def place(to: Path, found: Found) -> None:
    """Makes one entry under *to*; a folder is made writable, for what comes into it."""
    path = os.fsencode(to) + b"/" + found.path
    match found.kind:
        case "folder":
            os.mkdir(path, 0o700)  # noqa: PTH102  # bytes: a name need not be UTF-8
        case "link":
            os.symlink(found.target, path)  # noqa: PTH211  # bytes
        case "file":
            with new_file(path) as opened:
                copy_content(found.opened, opened)
                os.fchmod(opened, found.mode)


def set_modes(to: Path, folders: list[tuple[bytes, int]]) -> None:
    """Gives folders their modes, the deepest first: one may be read-only."""
    for path, mode in reversed(folders):
        os.chmod(os.fsencode(to) + b"/" + path, mode)  # noqa: PTH101  # bytes


@contextmanager
def new_file(path: bytes | str) -> Iterator[int]:
    """Gives the descriptor of a file that was not there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = os.open(path, flags, 0o600)
    try:
        yield opened
    finally:
        os.close(opened)


def copy_content(source: int, to: int) -> None:
    """Copies a whole file: as shared blocks where the file system has them, else by the kernel."""
    try:
        fcntl.ioctl(to, _FICLONE, source)
    except OSError:
        while os.sendfile(to, source, None, CHUNK_BYTES):
            pass


def chunks_of(opened: int) -> Iterator[bytes]:
    """Yields a file's content from its beginning, and leaves it there."""
    os.lseek(opened, 0, os.SEEK_SET)
    while chunk := os.read(opened, CHUNK_BYTES):
        yield chunk
    os.lseek(opened, 0, os.SEEK_SET)


def measure(top: Path, *, bytes_max: int, entries_max: int = ENTRIES_MAX) -> Size:
    """Returns how much *top* holds; stops counting past a bound. What vanishes meanwhile counts not.

    A folder deeper than `DEPTH_MAX` counts as past the bound.
    """
    with _opened_folder(os.fsencode(top), None) as folder:
        return _measure(folder, (bytes_max, entries_max), 0)


def remove_tree(top: Path, *, before: Before = no_step) -> None:
    """Removes a folder and all it holds, however deep and however its rights are set.

    What is not there is no error. A folder inside is first emptied into the top, so that neither
    the depth nor the length of a path bounds it; whatever interrupts it, calling it again ends it.
    """
    try:
        is_folder = stat.S_ISDIR(os.lstat(top).st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        before("remove a file")
        top.unlink()
        return
    with _opened_folder(os.fsencode(top), None) as folder:
        _empty(folder, before)
    before("remove the folder")
    top.rmdir()


def _walk(folder: int, above: bytes, depth: int) -> Iterator[Found]:
    for name in sorted(map(os.fsencode, os.listdir(folder))):  # a descriptor
        path = above + name
        with _held(name, folder) as held:
            status = os.fstat(held)
            kind = _KIND_OF.get(stat.S_IFMT(status.st_mode))
            mode = status.st_mode & MODE_KEPT
            if kind is None:
                msg = f"{shown(path)} is a device, a pipe or a socket"
                raise RefusedTreeError(msg)
            if kind == "link":
                target = os.readlink(b"", dir_fd=held)  # a descriptor
                yield Found(path=path, kind=kind, mode=0o777, target=target)
            elif kind == "file":
                with _content(held, status.st_mode, os.O_RDONLY) as opened:
                    yield Found(path=path, kind=kind, mode=mode, size=status.st_size, opened=opened)
            else:
                if depth == DEPTH_MAX:
                    msg = f"{shown(path)} is more than {DEPTH_MAX} folders deep"
                    raise RefusedTreeError(msg)
                yield Found(path=path, kind=kind, mode=mode)
                with _content(held, status.st_mode, os.O_RDONLY | os.O_DIRECTORY) as opened:
                    yield from _walk(opened, path + b"/", depth + 1)


def _measure(folder: int, room: tuple[int, int], depth: int) -> Size:
    total = entries = 0
    past = Size(storage_bytes=room[0] + 1, entries=room[1] + 1)
    for name in os.listdir(folder):  # a descriptor
        with suppress(FileNotFoundError, NotADirectoryError), _held(name, folder) as held:
            status = os.fstat(held)
            entries += 1
            if stat.S_ISDIR(status.st_mode):
                if depth == DEPTH_MAX:
                    return past
                with _content(held, status.st_mode, os.O_RDONLY | os.O_DIRECTORY) as opened:
                    inside = _measure(opened, (room[0] - total, room[1] - entries), depth + 1)
                total += inside.storage_bytes
                entries += inside.entries
            elif stat.S_ISREG(status.st_mode):
                total += status.st_size
        if total > room[0] or entries > room[1]:
            break
    return Size(storage_bytes=total, entries=entries)


def _empty(top: int, before: Before) -> None:
    moved = 0
    while names := os.listdir(top):  # a descriptor
        for name in names:
            with _held(name, top) as held:
                if not stat.S_ISDIR(os.fstat(held).st_mode):
                    before(f"remove {name}")
                    os.unlink(name, dir_fd=top)  # a descriptor
                    continue
                _permit(held)
                with _content(held, 0o700, os.O_RDONLY | os.O_DIRECTORY) as opened:
                    moved = _empty_into(opened, top, moved, before)
            before(f"remove {name}")
            os.rmdir(name, dir_fd=top)  # a descriptor


def _empty_into(folder: int, top: int, moved: int, before: Before) -> int:
    for name in os.listdir(folder):  # a descriptor
        with _held(name, folder) as held:
            if not stat.S_ISDIR(os.fstat(held).st_mode):
                before(f"remove {name}")
                os.unlink(name, dir_fd=folder)  # a descriptor
                continue
            _permit(held)
        before(f"move {name}")
        moved = _move_up(name, folder, top, moved)
    return moved


def _move_up(name: str, folder: int, top: int, moved: int) -> int:
    while True:
        moved += 1
        try:
            os.rename(name, f".removed-{moved}", src_dir_fd=folder, dst_dir_fd=top)
        except OSError as failure:
            if failure.errno not in _OCCUPIED:
                raise
        else:
            return moved


@contextmanager
def _held(name: str | bytes, folder: int) -> Iterator[int]:
    """Gives a descriptor of the entry itself, a link too, that neither reads nor follows it."""
    held = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield held
    finally:
        os.close(held)


@contextmanager
def _content(held: int, mode: int, flags: int) -> Iterator[int]:
    """Gives what is in the very entry that is held; its rights are lent for a moment where they lack."""
    name = f"/proc/self/fd/{held}"
    flags |= os.O_CLOEXEC | os.O_NONBLOCK
    lent = False
    try:
        opened = os.open(name, flags)
    except PermissionError:
        os.chmod(name, stat.S_IMODE(mode) | 0o700)  # noqa: PTH101  # a descriptor
        lent = True
        opened = os.open(name, flags)
    try:
        yield opened
    finally:
        os.close(opened)
        if lent:
            os.chmod(name, stat.S_IMODE(mode))  # noqa: PTH101  # a descriptor


def _permit(held: int) -> None:
    os.chmod(f"/proc/self/fd/{held}", 0o700)  # noqa: PTH101  # a descriptor


@contextmanager
def _opened_folder(path: bytes, inside: int | None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = os.open(path, flags, dir_fd=inside)
    try:
        yield opened
    finally:
        os.close(opened)
