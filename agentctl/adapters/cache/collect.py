"""Keeps the user's cache small: what was not written for long goes, then what is oldest.

Blocking. Another process may read what is removed here; it then finds nothing, and works anew.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.cache.private_folder import TEMPORARY

AGE_SECONDS_MAX: Final = 30 * 24 * 3600
BYTES_MAX: Final = 256 * 1024 * 1024
LEFTOVER_SECONDS: Final = 3600
"""A temporary file this old was left by a crash."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One folder of the cache."""

    path: Path
    written: float
    """When its newest file was, in seconds since 1970, by the disk's clock."""
    size: int
    leftovers: tuple[Path, ...]


def collect(
    folders: Path,
    *,
    keep: Path,
    age_seconds_max: float = AGE_SECONDS_MAX,
    bytes_max: int = BYTES_MAX,
) -> None:
    """Removes from *folders* what is too old or too much; never *keep*, which was just written.

    Ages are counted from the newest file of *keep*, so that no clock is asked.
    """
    with contextlib.suppress(OSError):
        found = [_looked_at(Path(entry.path)) for entry in os.scandir(folders) if entry.is_dir()]
        now = max((f.written for f in found if f.path == keep), default=0.0)
        room = bytes_max
        for kept in sorted(found, key=lambda f: (f.path != keep, -f.written)):
            room -= kept.size
            if kept.path != keep and (now - kept.written > age_seconds_max or room < 0):
                import shutil  # seldom needed, and slow to load

                shutil.rmtree(kept.path, ignore_errors=True)
                room += kept.size
            else:
                _tidy(kept, now)


def _looked_at(path: Path) -> _Kept:
    written, size, leftovers = 0.0, 0, []
    with contextlib.suppress(OSError):
        for entry in os.scandir(path):
            found = entry.stat(follow_symlinks=False)
            written = max(written, found.st_mtime)
            size += found.st_size
            if entry.name.startswith(TEMPORARY):
                leftovers.append(Path(entry.path))
    return _Kept(path=path, written=written, size=size, leftovers=tuple(leftovers))


def _tidy(kept: _Kept, now: float) -> None:
    for leftover in kept.leftovers:
        with contextlib.suppress(OSError):
            if now - leftover.lstat().st_mtime > LEFTOVER_SECONDS:
                leftover.unlink()
