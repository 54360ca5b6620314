"""A disk in memory that forgets at a crash whatever was not synced, as a real one may.

Each folder's names and each file's bytes have two states: as programs see them, and as the platter
has them. `SimulatedDisk.crash` gives the disk that the next boot finds: what was synced is there;
of everything else a seeded part, since a disk is free to have written it, in any order.
"""

import errno
import os
import random
from pathlib import Path
from typing import Final, Literal

from agentctl.adapters.backends.disk import Disk, Entry

Operation = Literal[
    "write_new", "sync_file", "link", "rename", "unlink", "make_folder", "sync_folder"
]
TORN_CHANCES: Final = 3
"""Unsynced bytes are there whole, in part, or not at all, with equal chances."""


class PowerLoss(BaseException):  # an event, not an error that anyone handles
    """The machine lost power before this operation."""


class _File:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.durable: bytes | None = None


class _Folder:
    def __init__(self) -> None:
        self.names: dict[str, _File | _Folder] = {}
        self.durable: dict[str, _File | _Folder] = {}


class SimulatedDisk:
    """One disk, mounted at ``/``.

    Args:
        room_bytes: how many bytes of files there is room for; None for no bound.
        loses_power_at: the operation that changes something, counted from 1, before which the power
            goes; None for never.
    """

    def __init__(self, *, room_bytes: int | None = None, loses_power_at: int | None = None) -> None:
        self._top = _Folder()
        self.room_bytes = room_bytes
        self.loses_power_at = loses_power_at
        self.operations: list[tuple[Operation, str]] = []
        """What was done, in order, the last one perhaps not."""

    def read(self, path: Path) -> bytes:
        """Returns a file's bytes, as programs see them."""
        return self._file(path).data

    def size(self, path: Path) -> int:
        """Returns how many bytes a file has."""
        return len(self._file(path).data)

    def age_s(self, path: Path) -> float:
        """Returns 0: time stands still here."""
        self._file(path)
        return 0.0

    def write_new(self, path: Path, data: bytes) -> None:
        """Writes a file that is not there yet."""
        self._begin("write_new", path)
        folder = self._folder(path.parent)
        if path.name in folder.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        room = None if self.room_bytes is None else self.room_bytes - self._used(self._top)
        folder.names[path.name] = _File(data if room is None else data[: max(room, 0)])
        if room is not None and room < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def sync_file(self, path: Path) -> None:
        """Makes the bytes of a file durable."""
        self._begin("sync_file", path)
        file = self._file(path)
        file.durable = file.data

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name, which must be free."""
        self._begin("link", target)
        file, folder = self._file(source), self._folder(target.parent)
        if target.name in folder.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        folder.names[target.name] = file

    def rename(self, source: Path, target: Path) -> None:
        """Gives a file another name in the same folder, over what has it."""
        self._begin("rename", target)
        assert source.parent == target.parent, "only within a folder"
        folder = self._folder(target.parent)
        folder.names[target.name] = self._file(source)
        del folder.names[source.name]

    def unlink(self, path: Path) -> None:
        """Takes a name away."""
        self._begin("unlink", path)
        self._file(path)
        del self._folder(path.parent).names[path.name]

    def is_folder(self, path: Path) -> bool:
        """Returns whether there is a folder of that name."""
        return isinstance(self._find(path), _Folder)

    def make_folder(self, path: Path) -> None:
        """Makes a folder, unless it is there."""
        self._begin("make_folder", path)
        self._folder(path.parent).names.setdefault(path.name, _Folder())

    def sync_folder(self, path: Path) -> None:
        """Makes the names in a folder durable."""
        self._begin("sync_folder", path)
        folder = self._folder(path)
        folder.durable = dict(folder.names)

    def entries(self, path: Path) -> tuple[Entry, ...]:
        """Returns what a folder holds."""
        names = self._folder(path).names
        return tuple(
            Entry(name, isinstance(found, _Folder), isinstance(found, _File))
            for name, found in names.items()
        )

    def crash(self, seed: int) -> "SimulatedDisk":
        """Returns the disk as the next boot finds it; this one is done with."""
        after = SimulatedDisk(room_bytes=self.room_bytes)
        after._top = _survivor(self._top, random.Random(seed), {})  # noqa: S311  # a simulation
        return after

    def _begin(self, operation: Operation, path: Path) -> None:
        self.operations.append((operation, str(path)))
        if self.loses_power_at is not None and len(self.operations) >= self.loses_power_at:
            msg = f"before operation {self.loses_power_at}, {operation} {path}"
            raise PowerLoss(msg)

    def _find(self, path: Path) -> "_File | _Folder | None":
        found: _File | _Folder | None = self._top
        for part in path.parts[1:]:
            if isinstance(found, _File):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
            if found is None:
                return None
            found = found.names.get(part)
        return found

    def _file(self, path: Path) -> _File:
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if isinstance(found, _Folder):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return found

    def _folder(self, path: Path) -> _Folder:
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if isinstance(found, _File):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        return found

    def _used(self, folder: _Folder) -> int:
        files = {id(f): len(f.data) for f in folder.names.values() if isinstance(f, _File)}
        below = (f for f in folder.names.values() if isinstance(f, _Folder))
        return sum(files.values()) + sum(self._used(f) for f in below)


class ForgetfulDisk:
    """A disk whose user skips one of the operations: the bug that a suite must catch."""

    def __init__(self, inner: SimulatedDisk, skips: Literal["sync_file", "sync_folder"]) -> None:
        self._inner = inner
        self._skips = skips

    def __getattr__(self, name: str) -> object:
        return _nothing if name == self._skips else getattr(self._inner, name)


def forgetful(inner: SimulatedDisk, skips: Literal["sync_file", "sync_folder"]) -> Disk:
    """Returns *inner* as a program sees it that forgot to sync."""
    disk: Disk = ForgetfulDisk(inner, skips)  # type: ignore[assignment]  # forwards by name
    return disk


def _nothing(path: Path) -> None:
    """Stands for a call that was forgotten."""
    assert path.is_absolute()


def _survivor(folder: _Folder, rng: random.Random, files: dict[int, _File]) -> _Folder:
    """Returns what is left of *folder*: its durable names, and each other change or not."""
    after = _Folder()
    for name in sorted({*folder.names, *folder.durable}):
        now, synced = folder.names.get(name), folder.durable.get(name)
        found = now if now is not synced and rng.random() < 0.5 else synced
        if isinstance(found, _Folder):
            after.names[name] = _survivor(found, rng, files)
        elif found is not None:
            if id(found) not in files:
                files[id(found)] = _left_of(found, rng)
            after.names[name] = files[id(found)]
    after.durable = dict(after.names)
    return after


def _left_of(file: _File, rng: random.Random) -> _File:
    data = file.durable
    if data is None:
        data = file.data[: (0, len(file.data) // 2, len(file.data))[rng.randrange(TORN_CHANCES)]]
    after = _File(data)
    after.durable = data
    return after
