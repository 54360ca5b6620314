"""Names the code that gives answers, so that an answer of other code is never taken for one of it.

Nobody has to remember to raise a number: an edited parser or another release of a library has
another name at once. The name is made of what the file system says of each source file; a content
cannot change without its file's change time, and telling so is twenty times faster than hashing.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import agentctl

_READERS: Final = ("languages", "domain", "diagnostics", "adapters/sources", "adapters/cache")
"""Rooms whose code decides what is said of a folder."""
_FILES: Final = ("engine/folder_check.py", "engine/folder_load.py", "views/compat.py")
"""Of other rooms, the files that do."""
_LIBRARIES: Final = ("agentctl", "msgspec", "yaml", "cedarpy", "pydantic_core", "rfc8785")


@cache
def grammar_version() -> str:
    """Returns the name of the code that reads a folder; the file system is asked once a process."""
    return name_of(Path(agentctl.__file__).parent)


def is_named(file: str) -> bool:
    """Returns whether an edit of *file*, relative to the package, gives the code another name."""
    return file in _FILES or "/" not in file or file.startswith(tuple(f"{r}/" for r in _READERS))


def name_of(package: Path) -> str:
    """Returns the name of the code in *package*, the folder of agentctl."""
    digest = hashlib.sha256(sys.version.encode())
    for library in _LIBRARIES:
        spec = find_spec(library)
        if spec is not None and spec.origin is not None:
            digest.update(_looks(spec.origin, os.stat(spec.origin)))  # noqa: PTH116  # a string
    for file in _FILES:
        path = os.fspath(package / file)
        digest.update(_looks(path, os.stat(path)))  # noqa: PTH116  # a string
    for room in (package, *(package / reader for reader in _READERS)):
        for path, found in _sources(os.fspath(room), deep=room != package):
            digest.update(_looks(path, found))
    return digest.hexdigest()


def _sources(room: str, *, deep: bool) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(room) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.endswith(".py"):
                yield entry.path, entry.stat()
            elif deep and entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path, deep=True)


def _looks(path: str, found: os.stat_result) -> bytes:
    return f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ctime_ns}\0".encode(
        "utf-8", "surrogateescape"
    )
