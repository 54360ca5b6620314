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
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar, assert_never

from anyio import to_thread

from agentctl.adapters.backends.disk import Disk, RealDisk
from agentctl.domain.storage import effects
from agentctl.domain.storage.effects import Effect, Machine, Reply
from agentctl.domain.storage.keys import is_key, is_prefix
from agentctl.domain.storage.protocol import (
    BackendError,
    RefusedError,
    StoredObject,
    UnavailableError,
    UnsuitableError,
)

TEMPORARY_PREFIX: Final = ".agentctl-tmp-"
TEMPORARY_AGE_MAX_S: Final = 3600.0
"""A writer holds its temporary file for milliseconds; one this old belongs to a dead process."""

COPIES: Final = frozenset({"__cluster/state.json", "__cluster/lock.json"})
"""Objects that repeat what others hold and that nothing is decided from, so they are not synced: a
loss of power may leave them old or broken, which is told, and the next writer makes them again."""

_NOT_THERE: Final = (FileNotFoundError, NotADirectoryError)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

T = TypeVar("T")


class LocalStore:
    """Objects as files under *root*, which is made at the first write."""

    def __init__(self, root: Path, *, disk: Disk | None = None) -> None:
        self.root = root.absolute()
        self._disk = disk if disk is not None else RealDisk()
        self._settled: set[Path] = set()
        """Folders whose own names are known to be durable."""

    @property
    def uri(self) -> str:
        """The root as a ``file://`` URI."""
        return self.root.as_uri()

    @property
    def is_traced(self) -> bool:
        """Whether what is read here is noted in an open trace: on a disk that has stamps."""
        return isinstance(self._disk, RealDisk)

    def path_of(self, key: str) -> Path:
        """Returns the file that holds the object of *key*."""
        assert is_key(key), f"not a key: {key!r}"
        return self.root.joinpath(*key.split("/"))

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, or None where there is none."""
        path = self.path_of(key)
        data = await _in_thread(lambda: self._read(path))
        return None if data is None else StoredObject(key=key, data=data)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did."""
        path = self.path_of(key)
        return await _in_thread(lambda: self._create(path, data))

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""
        path = self.path_of(key)
        durable = key not in COPIES
        await _in_thread(lambda: self._replace(path, data, durable=durable))

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        path = self.path_of(key)
        await _in_thread(lambda: self._delete(path))

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""
        assert is_prefix(prefix), f"not a prefix: {prefix!r}"
        return await _in_thread(lambda: self._list(prefix, after))

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of the folders right below *prefix*, in order."""
        assert prefix == "" or prefix.endswith("/"), prefix
        return await _in_thread(lambda: self._folders(prefix))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*."""
        keys = await self.list(prefix)
        return await _in_thread(lambda: sum(self._size(self.path_of(key)) for key in keys))

    async def performed(self, machine: Machine[T]) -> T:
        """Returns what *machine* returns, all its effects performed in one go in a worker thread."""
        return await _in_thread(lambda: effects.performed(machine, self._perform))

    async def clock(self) -> datetime | None:
        """Returns None: a disk has the clock of the machine that asks."""
        return None

    async def aclose(self) -> None:
        """Does nothing: there is no connection."""

    def _perform(self, effect: Effect) -> Reply:
        try:
            match effect:
                case effects.Read(key=key):
                    data = self._read(self.path_of(key))
                    return None if data is None else StoredObject(key=key, data=data)
                case effects.Create(key=key, data=data):
                    return self._create(self.path_of(key), data)
                case effects.Replace(key=key, data=data):
                    self._replace(self.path_of(key), data, durable=key not in COPIES)
                case effects.Delete(key=key):
                    self._delete(self.path_of(key))
                case effects.ListKeys(prefix=prefix, after=after):
                    return self._list(prefix, after)
                case _:
                    assert_never(effect)
        except OSError as failure:
            raise _failure(failure) from failure
        return None

    def _create(self, path: Path, data: bytes) -> bool:
        with self._temporary(path.parent, data) as temporary:
            try:
                self._disk.link(temporary, path)
                made = True
            except FileExistsError:
                made = False
            except OSError as failure:
                if failure.errno in _NO_HARD_LINKS:
                    msg = f"the file system of {path.parent} has no hard links"
                    raise UnsuitableError(msg) from failure
                raise
        # Also where another one made it: what a caller was told of must not vanish in a crash.
        self._sync_names(path.parent)
        return made

    def _replace(self, path: Path, data: bytes, *, durable: bool) -> None:
        with self._temporary(path.parent, data, durable=durable) as temporary:
            self._disk.rename(temporary, path)
        if durable:
            self._sync_names(path.parent)

    def _delete(self, path: Path) -> None:
        try:
            self._disk.unlink(path)
        except _NOT_THERE:
            return
        self._sync_names(path.parent)

    def _read(self, path: Path) -> bytes | None:
        try:
            return self._disk.read(path)
        except (*_NOT_THERE, IsADirectoryError):
            return None

    @contextlib.contextmanager
    def _temporary(self, folder: Path, data: bytes, *, durable: bool = True) -> Iterator[Path]:
        """Gives a temporary file with *data* beside where it will go, and removes it."""
        self._settle(folder)
        path = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        try:
            self._disk.write_new(path, data)
            if durable:
                self._disk.sync_file(path)
            yield path
        finally:
            with contextlib.suppress(OSError):  # it was renamed, or is swept one day
                self._disk.unlink(path)

    def _settle(self, folder: Path) -> None:
        """Makes *folder* and those above it, each durable in the one above; once for each store.

        A folder that is there may have been made a moment ago by a process that dies before it
        is durable, so its name is made durable by whoever is first to rely on it.
        """
        if folder in self._settled:
            return
        if folder != self.root and folder != folder.parent:
            self._settle(folder.parent)
        there = self._disk.is_folder(folder)
        if not there:
            self._make_above(folder)
            self._disk.make_folder(folder)
        with contextlib.suppress(*((PermissionError,) if there else ())):
            self._disk.sync_folder(folder.parent)
        self._settled.add(folder)
        self._sweep(folder)

    def _make_above(self, folder: Path) -> None:
        """Makes the folders above a root that has none yet."""
        missing = []
        while not self._disk.is_folder(folder.parent):
            folder = folder.parent
            missing.append(folder)
        for made in reversed(missing):
            self._disk.make_folder(made)
            self._disk.sync_folder(made.parent)

    def _sweep(self, folder: Path) -> None:
        """Removes what dead writers left in *folder*."""
        for entry in self._disk.entries(folder):
            if entry.name.startswith(TEMPORARY_PREFIX):
                with contextlib.suppress(OSError):
                    if self._disk.age_s(folder / entry.name) > TEMPORARY_AGE_MAX_S:
                        self._disk.unlink(folder / entry.name)

    def _sync_names(self, folder: Path) -> None:
        try:
            self._disk.sync_folder(folder)
        except OSError as failure:
            msg = f"the names in {folder} may not be durable: {failure}"
            raise UnavailableError(msg) from failure

    def _list(self, prefix: str, after: str) -> tuple[str, ...]:
        above = prefix.rpartition("/")[0]
        behind = after.encode()
        found = (
            key
            for key in self._files(self._start(prefix), f"{above}/" if above else "")
            if key.startswith(prefix) and key.encode() > behind
        )
        return tuple(sorted(found, key=str.encode))

    def _folders(self, prefix: str) -> tuple[str, ...]:
        try:
            entries = self._disk.entries(self._start(prefix))
        except _NOT_THERE:
            return ()
        names = (e.name for e in entries if e.is_folder and not e.name.startswith("."))
        return tuple(sorted(names, key=str.encode))

    def _files(self, folder: Path, prefix: str) -> Iterator[str]:
        """Yields the keys of the files below *folder*, in no order; links are not followed."""
        waiting = [(folder, prefix)]
        while waiting:
            path, above = waiting.pop()
            try:
                entries = self._disk.entries(path)
            except _NOT_THERE:
                continue  # Removed meanwhile, or never there: no objects.
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_folder:
                    waiting.append((path / entry.name, f"{above}{entry.name}/"))
                elif entry.is_file:
                    yield above + entry.name

    def _start(self, prefix: str) -> Path:
        """Returns the folder that holds whatever begins with *prefix*."""
        above = prefix.rpartition("/")[0]
        return self.root.joinpath(*above.split("/")) if above else self.root

    def _size(self, path: Path) -> int:
        try:
            return self._disk.size(path)
        except _NOT_THERE:
            return 0


async def _in_thread(work: Callable[[], T]) -> T:
    """Runs blocking *work* to its end, also when the caller is cancelled meanwhile."""
    try:
        return await to_thread.run_sync(work)
    except BackendError:
        raise
    except OSError as failure:
        raise _failure(failure) from failure


def _failure(failure: OSError) -> BackendError:
    """Returns what a failure before any name was given means."""
    if failure.errno in _FULL:
        remedy = "Make room on the disk, then run the command again; what was written is whole."
        code = "storage_full"
        return RefusedError(code, f"the disk has no room left: {failure}", remedy=remedy)
    if failure.errno in _DENIED:
        remedy = "Let this user read and write the storage root, or run as one that may."
        code = "storage_denied"
        return RefusedError(code, f"the file system refuses: {failure}", remedy=remedy)
    return UnavailableError(f"the disk failed: {failure}")
