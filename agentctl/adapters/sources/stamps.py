"""Tells an edit of a folder by what the disk says of its files, without reading them. Blocking."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from agentctl.domain.config.paths import CLUSTER_FILE, is_environment_file
from agentctl.domain.config.snapshot import Wanted, is_query_name

Stamps = Mapping[str, tuple[int, int, int, int] | None]
"""Size, times of change and inode by path; None for what is not there."""


def stamps_of(folder: Path, names: Wanted) -> Stamps:
    """Returns the stamps of everything that decides what is said of *folder*."""
    found: dict[str, tuple[int, int, int, int] | None] = {}
    for name in _listed(folder):
        if is_environment_file(name):
            found[name] = _stamp(folder / name)
    for path in (CLUSTER_FILE, *names.files, *names.directories):
        found[path] = _stamp(folder / path)
    for path in names.directories:
        for name in filter(is_query_name, _listed(folder / path)):
            found[f"{path}/{name}"] = _stamp(folder / path / name)
    return found


def edited(before: Stamps, after: Stamps) -> tuple[str, ...]:
    """Returns the paths whose stamps differ, sorted."""
    every = before.keys() | after.keys()
    return tuple(sorted(path for path in every if before.get(path) != after.get(path)))


def _listed(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return 0, 0, 0, found.st_ino  # What is in it has stamps of its own.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
