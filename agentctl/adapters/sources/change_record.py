"""Asks the version control of a folder which change it stands on: git, jj, Radicle. Blocking.

What is not there, does not answer, or answers in another form is absent: an op is whole without.
Nothing is run where no repository is found above the folder, and a repository's own settings make
nothing run its programs: git's hooks and monitors are off, and jj looks at no working copy.
"""

import os
import re
import subprocess  # neither has another interface
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agentctl.adapters.sources.committed import commit_of
from agentctl.domain.ops.record import ChangeRecord

_DEADLINE_S: Final = 5.0
_GIT: Final = (
    *("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("config", "--local", "--get", "remote.rad.url"),
)
"""Radicle keeps its repository's id in the remote that it makes."""
_JJ: Final = (
    *("jj", "--no-pager", "--color=never", "--ignore-working-copy"),
    *("log", "--no-graph", "-r", "@", "-T", "change_id"),
)
_JJ_CHANGE: Final = re.compile(r"[k-z]{32}")
_RADICLE_URL: Final = re.compile(r"rad://(z[1-9A-HJ-NP-Za-km-z]{20,60})(?:/.*)?")


def is_kept(folder: Path) -> bool:
    """Returns whether any version control may hold *folder*."""
    return _is_in(folder, ".git") or _is_in(folder, ".jj")


def change_record(folder: Path) -> ChangeRecord:
    """Returns what the version control of *folder* calls what is in it now."""
    is_git, is_jj = _is_in(folder, ".git"), _is_in(folder, ".jj")
    url = _RADICLE_URL.fullmatch(_asked(folder, _GIT)) if is_git else None
    change = _asked(folder, _JJ) if is_jj else ""
    return ChangeRecord(
        config_commit=commit_of(folder, "HEAD") if is_git else None,
        jj_change=change if _JJ_CHANGE.fullmatch(change) else None,
        radicle_rid=f"rad:{url.group(1)}" if url is not None else None,
    )


def _is_in(folder: Path, name: str) -> bool:
    """Returns whether a repository of that kind may hold *folder*."""
    try:
        here = folder.resolve()
        return any((place / name).exists() for place in (here, *here.parents))
    except OSError:
        return False


def _asked(folder: Path, command: Sequence[str]) -> str:
    """Returns the one line that a program answers; nothing where it is not there or refuses."""
    try:
        ended = subprocess.run(  # noqa: S603  # no shell; every word is ours
            command,
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.decode("utf-8", "replace").strip() if ended.returncode == 0 else ""
