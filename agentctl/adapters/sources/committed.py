"""A cluster folder as a commit of its git repository has it: nothing is checked out, nothing written.

Objects are read by plumbing, so neither the worktree nor the index is looked at, and a repository's
own programs are not run. Paths that leave the folder, and links, are not followed: a commit vouches
for what is in it and for nothing else. Blocking.
"""

import os
import re
import subprocess  # git has no other interface
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from agentctl.adapters.sources.confined import FILE_BYTES_MAX
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.cluster_file import ParsedConfig, parse_config
from agentctl.domain.config.load import LoadedCluster, resolve
from agentctl.domain.config.paths import (
    CLUSTER_FILE,
    is_environment_file,
    is_state_path,
    leaves_folder,
)
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted, is_query_name
from agentctl.domain.config.wanting import wanted
from agentctl.domain.policy.bundles import check_cedar

_DEADLINE_S: Final = 30.0
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_PLAIN: Final = frozenset({"100644", "100755"})
_LINK: Final = "120000"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class _Entry(NamedTuple):
    """One path of a tree."""

    mode: str
    object_id: str
    size: int


class _GitFailedError(Exception):
    """Git is not there, did not answer, or says no."""


def is_commit(text: str) -> bool:
    """Returns whether *text* is a whole commit id."""
    return _COMMIT.fullmatch(text) is not None


def commit_of(folder: Path, ref: str) -> str | None:
    """Returns the commit that *ref* names in the repository of *folder*; None where it names none."""
    try:
        found = _git(
            folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
    except _GitFailedError:
        return None
    commit = found.decode("ascii", "replace").strip()
    return commit if is_commit(commit) else None


def load_commit(folder: Path, commit: str) -> LoadedCluster:
    """Returns what *commit* has at the place of *folder*, as it is declared there."""
    try:
        return _Commit(folder, commit).load()
    except _GitFailedError as failure:
        return _refused(str(failure))


def unreadable_ref(ref: str, why: str = "it names no commit") -> Diagnostic:
    """Returns that a ref or a commit cannot be read."""
    return error(
        "git_commit_unreadable",
        ref,
        f"the git ref {ref} cannot be read here: {why}",
        remedy="See `git log -1 REF` in the cluster's folder; fetch it where it is a remote one.",
    )


class _Commit:
    """One commit, seen from one folder of its repository."""

    def __init__(self, folder: Path, commit: str) -> None:
        self._folder = folder
        self._commit = commit
        self._entries = self._tree()

    def load(self) -> LoadedCluster:
        """Reads cluster.yaml and what it names."""
        data = self._read((CLUSTER_FILE,)).get(CLUSTER_FILE)
        if data is None:
            return _refused(f"commit {self._commit[:12]} has no {CLUSTER_FILE} there")
        parsed = parse_config(data)
        snapshot = self._snapshot(wanted(parsed), data)
        return resolve(parsed, snapshot, check_cedar=check_cedar)

    def _snapshot(self, names: Wanted, cluster_file: bytes) -> FolderSnapshot:
        named = (*names.files, *names.directories)
        outside = frozenset(p for p in named if leaves_folder(p))
        state = frozenset(p for p in named if p not in outside and is_state_path(p))
        listings: dict[str, tuple[str, ...] | None] = {}
        barred = outside | state
        asked = [p for p in names.files if p not in barred]
        for path in names.directories:
            if path in barred:
                continue
            inside = listings[path] = self._listing(path)
            asked += [path] if inside is None else [_join(path, name) for name in inside]
        unreadable = {p: why for p in asked if (why := self._why_not(p)) is not None}
        files = self._read(p for p in asked if p not in unreadable)
        return FolderSnapshot(
            files={CLUSTER_FILE: cluster_file, **files},
            listings=listings,
            environments=tuple(sorted(filter(is_environment_file, self._entries))),
            unreadable=unreadable,
            outside=outside,
            state=state,
            folders=frozenset(path for path in names.folders if Path(path).is_dir()),
        )

    def _listing(self, folder: str) -> tuple[str, ...] | None:
        """Returns the queries of a folder; None where the path is no folder."""
        prefix = "" if folder == "." else f"{folder}/"
        inside = [p.removeprefix(prefix) for p in self._entries if p.startswith(prefix)]
        if not inside:
            return None
        return tuple(sorted(name for name in inside if "/" not in name and is_query_name(name)))

    def _why_not(self, path: str) -> str | None:
        entry = self._entries.get(path)
        if entry is None or entry.mode in _PLAIN:
            large = entry is not None and entry.size > FILE_BYTES_MAX
            return "it is larger than any configuration" if large else None
        return (
            "it is a link, which is not followed in a commit"
            if entry.mode == _LINK
            else ("it is no file")
        )

    def _tree(self) -> Mapping[str, _Entry]:
        """Returns the paths below the folder, relative to it."""
        prefix = (
            _git(self._folder, "rev-parse", "--show-prefix").decode("utf-8", "replace").rstrip("\n")
        )
        listed = _git(
            self._folder,
            "ls-tree",
            "-r",
            "-l",
            "-z",
            "--full-tree",
            self._commit,
            "--",
            *([prefix] if prefix else ()),
        )
        entries: dict[str, _Entry] = {}
        for line in filter(None, listed.split(b"\0")):
            facts, _, raw = line.partition(b"\t")
            mode, _, object_id, size = facts.decode("ascii").split()
            path = raw.decode("utf-8", "surrogateescape").removeprefix(prefix)
            entries[path] = _Entry(mode, object_id, int(size) if size.isdigit() else 0)
        return entries

    def _read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Returns the contents of those of *paths* that the commit has, by one process."""
        known = [p for p in dict.fromkeys(paths) if p in self._entries]
        if not known:
            return {}
        asked = "".join(f"{self._entries[p].object_id}\n" for p in known).encode("ascii")
        answer = _git(self._folder, "cat-file", "--batch", given=asked)
        found: dict[str, bytes] = {}
        at = 0
        for path in known:
            end = answer.index(b"\n", at)
            _, kind, size = answer[at:end].decode("ascii").split()
            if kind != "blob":
                msg = f"{path} is no file"
                raise _GitFailedError(msg)
            found[path] = answer[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)
        return found


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _refused(why: str) -> LoadedCluster:
    told = unreadable_ref("commit", why)
    parsed = ParsedConfig(written=None, diagnostics=(told,))
    return resolve(parsed, FolderSnapshot(files={}))


def _git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    try:
        ended = subprocess.run(  # noqa: S603  # no shell
            ["git", "--literal-pathspecs", *_QUIET, *words],  # noqa: S607  # the user's own git
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            input=given,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise _GitFailedError(str(failure)) from failure
    if ended.returncode != 0:
        said = ended.stderr.decode("utf-8", "replace").strip()
        raise _GitFailedError(said.splitlines()[0] if said else "git said no")
    return ended.stdout
