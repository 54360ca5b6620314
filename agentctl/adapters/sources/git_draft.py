"""A draft as a commit of its own in the repository of a cluster folder, by plumbing alone.

Objects and one ref are written; the worktree and the index stay as they are, whatever is in them, and
a repository's own programs are not run. The ref moves from the value it had or not at all. Blocking.
"""

import hashlib
import os
import subprocess  # git has no other interface
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.scratch.work_folder import work_folder
from agentctl.domain.config.paths import CLUSTER_FILE, leaves_folder

BRANCHES: Final = "agentctl/"
MAINS: Final = ("refs/heads/main", "refs/heads/master", "HEAD")
"""Where a commit is to end up: the first of these that there is."""
OP_TRAILER: Final = "Agentctl-Op"
"""The line at the end of a message that says which op made a commit."""
_DEADLINE_S: Final = 60.0
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_FILE: Final = "100644"
_PLAIN: Final = frozenset({_FILE, "100755"})


class GitFailedError(Exception):
    """Git is not there, did not answer, or refused."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit says of its making."""

    message: str
    author: str
    email: str
    at: str
    """RFC 3339, or git's own ``@<seconds> +0000``."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that holds what was applied."""

    commit: str
    branch: str | None
    """Without ``refs/heads/``; None where HEAD held all of it already."""


class Tip(msgspec.Struct, frozen=True, kw_only=True):
    """The newest commit of a draft's branch."""

    commit: str
    at_s: int
    """When it was made, in whole seconds since 1970."""
    op: str | None
    """Whose it says it is; None where an apply did not make it."""


class Repository:
    """The repository that a cluster folder is committed to."""

    def __init__(self, folder: Path, prefix: str, head: str) -> None:
        self.folder = folder
        self.prefix = prefix
        """Of the folder within the repository; empty, or ending in a slash."""
        self.head = head

    def commit(
        self,
        draft_id: str,
        files: Mapping[str, bytes],
        removed: Iterable[str],
        *,
        words: Words,
        died: str | None,
    ) -> Committed:
        """Commits what was applied on top of the draft's branch; the same content is the same commit.

        Args:
            draft_id: the draft.
            files: cluster.yaml and the files it names, by path; what lies outside is left out.
            removed: paths that the draft takes away.
            words: what the commit says.
            died: a commit of an attempt that was not recorded, which is replaced where it is the tip.

        Raises:
            GitFailedError: git refused, or somebody moved the branch meanwhile.
        """
        ref = f"refs/heads/{BRANCHES}{draft_id}"
        tip = self.commit_of(ref)
        parent = self.head if tip is None else tip
        if tip is not None and tip == died:
            parent = self.commit_of(f"{tip}^") or self.head
        tree = self.tree(parent, files, removed)
        if tree == self.tree_of(parent):
            return Committed(
                commit=parent, branch=f"{BRANCHES}{draft_id}" if tip == parent else None
            )
        made = self.commit_tree(tree, parent, words)
        old = tip or "0" * len(made)
        self.git("update-ref", "-m", "agentctl apply", ref, made, old)
        return Committed(commit=made, branch=f"{BRANCHES}{draft_id}")

    def tip(self, draft_id: str) -> Tip | None:
        """Returns the newest commit of the draft's branch, or None where there is no branch.

        Raises:
            GitFailedError: git refused.
        """
        commit = self.commit_of(f"refs/heads/{BRANCHES}{draft_id}")
        if commit is None:
            return None
        told = self.git(
            "log", "-1", f"--format=%ct%n%(trailers:key={OP_TRAILER},valueonly)", commit
        )
        at, *ops = told.split()
        return Tip(commit=commit, at_s=int(at), op=ops[-1] if ops else None)

    def commit_tree(self, tree: str, parent: str, words: Words) -> str:
        """Writes a commit object; the same arguments give the same one.

        Raises:
            GitFailedError: git refused.
        """
        utf8 = ("-c", "i18n.commitEncoding=UTF-8")
        given = words.message.encode()
        return self.git(
            *utf8, "commit-tree", tree, "-p", parent, "-F", "-", given=given, more=_identity(words)
        ).strip()

    def tree(self, parent: str, files: Mapping[str, bytes], removed: Iterable[str]) -> str:
        """Returns the tree of *parent* with *files* in place; written through an index of its own."""
        with work_folder("index") as scratch:
            index = {"GIT_INDEX_FILE": str(scratch / "index")}
            self.git("read-tree", parent, more=index)
            known = self._entries(index)
            gone = (self.prefix + p for p in removed if p not in files)
            empty = "0" * len(parent)
            # What goes comes first: a file may take the place of a folder that is empty then.
            rows = [f"0 {empty}\t{path}\0" for path in gone if path in known]
            rows += [self._row(self.prefix + p, data, known) for p, data in _inside(files).items()]
            changed = "".join(row for row in rows if row)
            if changed:
                self.git("update-index", "-z", "--index-info", given=changed.encode(), more=index)
            return self.git("write-tree", more=index).strip()

    def _entries(self, index: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Returns mode and object id by path, of the folder's files, from the root of the repository."""
        found: dict[str, tuple[str, str]] = {}
        for row in self.git("ls-files", "--full-name", "-s", "-z", more=index).split("\0"):
            facts, tab, path = row.partition("\t")
            if tab:
                mode, object_id, _ = facts.split(" ")
                found[path] = (mode, object_id)
        return found

    def _row(self, path: str, data: bytes, known: Mapping[str, tuple[str, str]]) -> str:
        mode, object_id = known.get(path, (_FILE, ""))
        wanted = _blob_id(data, sha256=len(self.head) > 40)
        if object_id == wanted and mode in _PLAIN:
            return ""
        self.git("hash-object", "-w", "--no-filters", "--stdin", given=data)
        return f"{mode if mode in _PLAIN else _FILE} {wanted}\t{path}\0"

    def commit_of(self, name: str) -> str | None:
        """Returns the commit that *name* names; None where it names none."""
        return _commit_of(self.folder, name)

    def tree_of(self, commit: str) -> str:
        """Returns the tree of a commit."""
        return self.git("rev-parse", "--verify", f"{commit}^{{tree}}").strip()

    def git(self, *words: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> str:
        """Runs git in the folder and returns what it printed; `GitFailedError` where it refuses."""
        return _git(self.folder, *words, given=given, more=more)


def repository_of(folder: Path) -> Repository | None:
    """Returns the repository that holds the folder's cluster.yaml; None where none has committed it."""
    head = _commit_of(folder, "HEAD")
    if head is None:
        return None
    try:
        prefix = _git(folder, "rev-parse", "--show-prefix").rstrip("\n")
        _git(folder, "cat-file", "-e", f"HEAD:{prefix}{CLUSTER_FILE}")
    except GitFailedError:
        return None
    return Repository(folder, prefix, head)


def ignored(folder: Path, paths: Iterable[str]) -> frozenset[str]:
    """Returns which paths, relative to *folder*, a ``.gitignore`` of its repository leaves out.

    What only this machine leaves out does not count: whoever clones the repository has no such file.
    Where there is no repository, nothing is left out.
    """
    asked = "".join(f"{path}\0" for path in paths)
    try:
        words = ("check-ignore", "--no-index", "--stdin", "-z", "-v")
        told = _git(folder, *words, given=asked.encode(), literal=False)
    except GitFailedError:  # None of them, too, is a refusal of git's.
        return frozenset()
    fields = told.split("\0")
    rows = zip(fields[::4], fields[2::4], fields[3::4], strict=False)
    return frozenset(
        path
        for source, pattern, path in rows
        if source.rpartition("/")[2] == ".gitignore" and not pattern.startswith("!")
    )


def is_merged(folder: Path, commit: str) -> bool:
    """Returns whether *commit* is part of the main branch of the folder's repository."""
    main = next((m for m in MAINS if _commit_of(folder, m) is not None), None)
    if main is None or _commit_of(folder, commit) is None:
        return False
    try:
        _git(folder, "merge-base", "--is-ancestor", commit, main)
    except GitFailedError:
        return False
    return True


def _inside(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {p: files[p] for p in sorted(files) if not p.startswith("/") and not leaves_folder(p)}


def _blob_id(data: bytes, *, sha256: bool) -> str:
    """Returns the id that git gives a content; which hash it takes shows by the length of its ids."""
    named = b"blob %d\0" % len(data) + data
    if sha256:
        return hashlib.sha256(named).hexdigest()
    return hashlib.sha1(named, usedforsecurity=False).hexdigest()


def _identity(words: Words) -> dict[str, str]:
    own = {"NAME": words.author, "EMAIL": words.email, "DATE": words.at}
    return {f"GIT_{who}_{what}": own[what] for who in ("AUTHOR", "COMMITTER") for what in own}


def _commit_of(folder: Path, name: str) -> str | None:
    try:
        found = _git(
            folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
    except GitFailedError:
        return None
    return found.strip() or None


def _git(
    folder: Path,
    *words: str,
    given: bytes = b"",
    more: Mapping[str, str] | None = None,
    literal: bool = True,
) -> str:
    command = ["git", *(("--literal-pathspecs",) if literal else ()), *_QUIET, *words]
    try:
        ended = subprocess.run(  # noqa: S603  # no shell; every word is ours or an object's name
            command,
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(more or {})},
            input=given,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise GitFailedError(str(failure)) from failure
    if ended.returncode != 0:
        said = ended.stderr.decode("utf-8", "replace").strip()
        raise GitFailedError(said.splitlines()[0] if said else f"git {words[0]} said no")
    return ended.stdout.decode("utf-8", "surrogateescape")
