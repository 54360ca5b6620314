"""Anchors in the repository that the folder lies in: annotated tags, and notes on its head.

A tag is made as an object of its own and named by a compare-and-swap, so nothing of the user's
worktree, index or settings is touched. With a signature its bytes are what ``git verify-tag`` reads:
SSHSIG in git's own namespace behind the payload. Source: git's tag object format, gitformat-signature(5).
"""

import os
import subprocess  # git has no other interface
from collections.abc import Callable
from pathlib import Path
from typing import Final

GIT_NAMESPACE: Final = "git"
"""SSHSIG namespace in which git signs its objects."""
TAGS: Final = "refs/tags/agentctl/audit/"
NOTES: Final = "refs/notes/agentctl-audit"
_DEADLINE_S: Final = 20.0
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_WHO: Final = "agentctl <agentctl@localhost>"

Sign = Callable[[bytes], str]
"""Takes a tag's payload; returns its armoured SSHSIG in `GIT_NAMESPACE`."""


class NoRepositoryError(Exception):
    """The folder lies in no git repository with a commit, or git is not there."""


def head_commit(folder: Path) -> str:
    """Returns the commit that the repository of *folder* has checked out.

    Raises:
        NoRepositoryError: there is none.
    """
    return _git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()


def write_tag(folder: Path, name: str, line: bytes, *, seconds: int, sign: Sign | None) -> str:
    """Makes tag *name* under `TAGS` on the head, *line* in its message; returns the whole ref.

    Raises:
        NoRepositoryError: there is no repository with a commit, or the tag is there already.
    """
    target = head_commit(folder)
    ref = f"{TAGS}{name}"
    short = ref.removeprefix("refs/tags/")
    payload = (
        f"object {target}\ntype commit\ntag {short}\ntagger {_WHO} {seconds} +0000\n\n"
        "What the audit chain was.\n\n"
    ).encode() + line
    payload += b"\n"
    whole = payload + (sign(payload).rstrip("\n").encode() + b"\n" if sign is not None else b"")
    made = _git(folder, "hash-object", "-t", "tag", "-w", "--stdin", given=whole).strip()
    _git(folder, "update-ref", ref, made, "0" * len(made))
    return ref


def write_note(folder: Path, line: bytes) -> str:
    """Appends *line* to the note on the head under `NOTES`; returns where it is.

    Raises:
        NoRepositoryError: there is no repository with a commit.
    """
    target = head_commit(folder)
    name, _, address = _WHO.partition(" <")
    who = ("-c", f"user.name={name}", "-c", f"user.email={address.rstrip('>')}")
    _git(folder, *who, "notes", "--ref", NOTES, "append", "-F", "-", target, given=line + b"\n")
    return f"{NOTES} on {target}"


def read_anchors(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """Returns the messages of all tags under `TAGS` and of all notes under `NOTES`, by their names.

    Raises:
        NoRepositoryError: there is no repository with a commit.
    """
    head_commit(folder)
    found: list[tuple[str, bytes]] = []
    listed = _git(folder, "for-each-ref", "--format=%(objectname) %(refname)", TAGS)
    for row in listed.splitlines():
        made, _, ref = row.partition(" ")
        found.append((ref, _git_bytes(folder, "cat-file", "-p", made)))
    noted = _git(folder, "for-each-ref", "--format=%(refname)", NOTES).strip()
    for row in _git(folder, "notes", "--ref", NOTES, "list").splitlines() if noted else ():
        note, _, target = row.partition(" ")
        found.append((f"{NOTES} on {target}", _git_bytes(folder, "cat-file", "-p", note)))
    return tuple(found)


def _git(folder: Path, *words: str, given: bytes = b"") -> str:
    return _git_bytes(folder, *words, given=given).decode("utf-8", "replace")


def _git_bytes(folder: Path, *words: str, given: bytes = b"") -> bytes:
    command = ["git", *_QUIET, *words]
    try:
        ended = subprocess.run(  # noqa: S603  # no shell; every word is ours or an object's name
            command,
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            input=given,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise NoRepositoryError(str(failure)) from failure
    if ended.returncode != 0:
        said = ended.stderr.decode("utf-8", "replace").strip()
        raise NoRepositoryError(said or f"`git {words[0]}` found no repository with a commit")
    return ended.stdout
