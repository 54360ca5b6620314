"""The file operations that a store on a disk is made of, so that a test can put a disk under it.

What each leaves after a crash of the machine is what POSIX promises and no more: bytes are there
once their file was synced, a name is there or gone once its folder was.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from agentctl.adapters.backends.traces import note


class Entry(NamedTuple):
    """A name in a folder."""

    name: str
    is_folder: bool
    is_file: bool


class Disk(Protocol):
    """A disk. Every call may raise `OSError`, with the errors of the system."""

    def read(self, path: Path) -> bytes:
        """Returns a file's bytes."""
        ...

    def size(self, path: Path) -> int:
        """Returns how many bytes a file has."""
        ...

    def age_s(self, path: Path) -> float:
        """Returns how long ago a file was written."""
        ...

    def write_new(self, path: Path, data: bytes) -> None:
        """Writes a file that is not there yet; nothing of it is durable."""
        ...

    def sync_file(self, path: Path) -> None:
        """Makes the bytes of a file durable."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name, which must be free; the name is not durable yet."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Gives a file another name, over what has it, at once; not durable yet."""
        ...

    def unlink(self, path: Path) -> None:
        """Takes a name away; not durable yet."""
        ...

    def is_folder(self, path: Path) -> bool:
        """Returns whether there is a folder of that name."""
        ...

    def make_folder(self, path: Path) -> None:
        """Makes a folder, unless it is there; the one above must be. Its name is not durable yet."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Makes the names in a folder durable, as they are now."""
        ...

    def entries(self, path: Path) -> tuple[Entry, ...]:
        """Returns what a folder holds, in no order."""
        ...


class RealDisk:
    """The file system of this machine."""

    def read(self, path: Path) -> bytes:
        """Returns a file's bytes."""
        note(path)
        return path.read_bytes()

    def size(self, path: Path) -> int:
        """Returns how many bytes a file has."""
        note(path)
        return path.stat().st_size

    def age_s(self, path: Path) -> float:
        """Returns how long ago a file was written."""
        note(path)
        return time.time() - path.stat().st_mtime

    def write_new(self, path: Path, data: bytes) -> None:
        """Writes a file that is not there yet."""
        with path.open("xb", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]

    def sync_file(self, path: Path) -> None:
        """Makes the bytes of a file durable."""
        _sync(path, os.O_RDONLY)

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name, which must be free."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Gives a file another name, over what has it."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Takes a name away."""
        path.unlink()

    def is_folder(self, path: Path) -> bool:
        """Returns whether there is a folder of that name."""
        note(path)
        return path.is_dir()

    def make_folder(self, path: Path) -> None:
        """Makes a folder, unless it is there."""
        path.mkdir(exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Makes the names in a folder durable."""
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def entries(self, path: Path) -> tuple[Entry, ...]:
        """Returns what a folder holds; links are neither followed nor files."""
        note(path)
        with os.scandir(path) as found:
            return tuple(
                Entry(e.name, e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False))
                for e in found
            )


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
