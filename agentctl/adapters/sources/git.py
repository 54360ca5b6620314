"""Asks git which files of a folder it tracks. Without git, or outside a repository, it tracks none."""

import os
import subprocess  # git has no other interface
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DEADLINE_S: Final = 5.0
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
"""A repository's own settings must not make a question run its programs."""


def tracked(folder: Path, paths: Iterable[str]) -> frozenset[str]:
    """Returns those of *paths*, relative to *folder* or absolute, that git tracks."""
    wanted = tuple(paths)
    if not wanted:
        return frozenset()
    return frozenset(path for path in wanted if _is_tracked(folder, path))


def _is_tracked(folder: Path, path: str) -> bool:
    command = ["git", "--literal-pathspecs", *_QUIET, "ls-files", "--error-unmatch", "--", path]
    try:
        ended = subprocess.run(  # noqa: S603  # no shell; the path stands behind `--`
            command,
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
