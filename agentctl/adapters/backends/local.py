"""An object store in a folder of a local disk.

Create-only is a temporary file in the same folder, `fsync`, `link()` to its name (which fails where
the name exists), unlink, `fsync` of the folder: an exclusive open alone would leave an empty object
that owns the name after a crash. Source: control-plane 3.2. What a crash leaves at most is a
temporary file whose name begins with a dot; no key can name it, no listing shows it, and a later
write to that folder removes it once it is old.
"""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from anyio import to_thread

from agentctl.domain.storage.keys import is_key, is_prefix
from agentctl.domain.storage.protocol import (
    BackendError,
    StoredObject,
    UnavailableError,
    UnsuitableError,
)

TEMPORARY_PREFIX: Final = ".agentctl-tmp-"
TEMPORARY_AGE_MAX_S: Final = 3600.0
"""A writer holds its temporary file for milliseconds; one this old belongs to a dead process."""

_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

T = TypeVar("T")


class LocalStore:
    """Objects as files under *root*, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._swept: set[Path] = set()

    @property
    def uri(self) -> str:
        """The root as a ``file://`` URI."""
        return self.root.as_uri()

    def path_of(self, key: str) -> Path:
        """Returns the file that holds the object of *key*."""
        assert is_key(key), f"not a key: {key!r}"
        return self.root.joinpath(*key.split("/"))

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, or None where there is none."""
        path = self.path_of(key)
        data = await _in_thread(lambda: _read(path))
        return None if data is None else StoredObject(key=key, data=data)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did."""
        path = self.path_of(key)
        return await _in_thread(lambda: self._create(path, data))

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""
        path = self.path_of(key)
        await _in_thread(lambda: self._replace(path, data))

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        path = self.path_of(key)
        await _in_thread(lambda: _delete(path))

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""
        assert is_prefix(prefix), f"not a prefix: {prefix!r}"
        return await _in_thread(lambda: self._list(prefix, after))

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of the folders right below *prefix*, in order."""
        assert prefix == "" or prefix.endswith("/"), prefix
        return await _in_thread(lambda: _folders(self._start(prefix)))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*."""
        keys = await self.list(prefix)
        return await _in_thread(lambda: sum(_size(self.path_of(key)) for key in keys))

    async def clock(self) -> datetime | None:
        """Returns None: a disk has the clock of the machine that asks."""
        return None

    async def aclose(self) -> None:
        """Does nothing: there is no connection."""

    def _create(self, path: Path, data: bytes) -> bool:
        with self._temporary(path.parent, data) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError as failure:
                if failure.errno in _NO_HARD_LINKS:
                    msg = f"the file system of {path.parent} has no hard links"
                    raise UnsuitableError(msg) from failure
                raise
        _sync_folder(path.parent)
        return True

    def _replace(self, path: Path, data: bytes) -> None:
        with self._temporary(path.parent, data) as temporary:
            temporary.replace(path)
        _sync_folder(path.parent)

    @contextlib.contextmanager
    def _temporary(self, folder: Path, data: bytes) -> Iterator[Path]:
        """Gives a durable temporary file with *data* beside where it will go, and removes it."""
        _make_folder(folder)
        self._sweep(folder)
        path = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _sweep(self, folder: Path) -> None:
        """Removes what dead writers left in *folder*; once for each folder and store."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        oldest = time.time() - TEMPORARY_AGE_MAX_S
        for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _list(self, prefix: str, after: str) -> tuple[str, ...]:
        above = prefix.rpartition("/")[0]
        behind = after.encode()
        found = (
            key
            for key in _files(self._start(prefix), f"{above}/" if above else "")
            if key.startswith(prefix) and key.encode() > behind
        )
        return tuple(sorted(found, key=str.encode))

    def _start(self, prefix: str) -> Path:
        """Returns the folder that holds whatever begins with *prefix*."""
        above = prefix.rpartition("/")[0]
        return self.root.joinpath(*above.split("/")) if above else self.root


def _folders(folder: Path) -> tuple[str, ...]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted((n for n in names if not n.startswith(".")), key=str.encode))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _files(folder: Path, prefix: str) -> Iterator[str]:
    """Yields the keys of the files below *folder*, in no order; links are not followed."""
    waiting = [(os.fspath(folder), prefix)]
    while waiting:
        path, above = waiting.pop()
        try:
            entries = os.scandir(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # Removed meanwhile, or never there: no objects.
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{above}{entry.name}/"))
                elif entry.is_file(follow_symlinks=False):
                    yield above + entry.name


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Makes *folder* and those above it, each durable in the one above."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(exist_ok=True)
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _in_thread(work: Callable[[], T]) -> T:
    """Runs blocking *work* to its end, also when the caller is cancelled meanwhile."""
    try:
        return await to_thread.run_sync(work)
    except BackendError:
        raise
    except OSError as failure:
        msg = f"the disk failed: {failure}"
        raise UnavailableError(msg) from failure
