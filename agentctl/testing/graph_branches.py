"""Branches of graphs in memory, beside `agentctl.testing.graphs`, by the rules of the real engine."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

import msgspec

from agentctl.graph.branching.branches import branch_info, cut_from
from agentctl.graph.branching.names import CommitId, check_name, check_not_reserved, parse_commit_id
from agentctl.graph.commit import ENDED, Commit, CommitKind, branch_commit, next_commit
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.location import BeforeWrite
from agentctl.graph.log import check_epoch, check_observed, require_live
from agentctl.graph.port import BranchInfo, Stamp
from agentctl.graph.refusals import (
    NOTHING_THERE,
    branch_exists,
    branch_invalid,
    branch_missing,
    point_missing,
)
from agentctl.graph.roots import is_live_branch
from agentctl.testing.naive import Tables


class Root(Protocol):
    """What branches need of `MemoryRoot`."""

    commits: list[Commit]
    tables: dict[str, Tables]
    branches: dict[str, list[Commit]]
    """Commits of the other branches than `main`, ascending."""
    branch_tables: dict[tuple[str, int], Tables]
    """Entities by branch and number."""


class MemoryBranches(ABC):
    """What `MemoryGraphs` does with branches."""

    _before_write: BeforeWrite

    @abstractmethod
    def _head(self, graph_id: str) -> tuple[Root, Commit]:
        """Returns a root and the newest commit of its `main`."""

    async def branches(self, graph_id: str) -> tuple[BranchInfo, ...]:
        """Returns the live branches, `main` first, then by name."""
        root, main = self._head(graph_id)
        require_live(graph_id, main)
        return tuple(branch_info(head) for head in live_heads(root).values())

    async def branch_create(  # what is cut, from where, and by whom
        self, graph_id: str, name: str, *, source: str = MAIN, at: str | None = None, stamp: Stamp
    ) -> BranchInfo:
        """Cuts a branch from a point of the history of *source*."""
        root, _ = self._head(graph_id)
        self._before_write("commit branch")
        return _created(graph_id, root, name, source=source, at=at, stamp=stamp)

    async def branch_delete(self, graph_id: str, name: str, *, observed: int, stamp: Stamp) -> int:
        """Ends a branch; returns the number of its tombstone."""
        check_not_reserved(graph_id, name)
        if name == MAIN:
            raise branch_invalid(graph_id, "The branch 'main' is not deleted but with its graph")
        root, _ = self._head(graph_id)
        self._before_write("commit tombstone")
        return on_top(graph_id, root, name, "tombstone", observed=observed, stamp=stamp)


def live_heads(root: Root) -> Mapping[str, Commit]:
    """Returns the newest commit of every live branch, `main` first, then by name."""
    main = root.commits[-1]
    last = {name: commits[-1] for name, commits in sorted(root.branches.items())}
    return {MAIN: main} | {n: head for n, head in last.items() if is_live_branch(main, head)}


def _created(  # what is cut, from where, and by whom
    graph_id: str, root: Root, name: str, *, source: str, at: str | None, stamp: Stamp
) -> BranchInfo:
    """Cuts a branch from a commit, which *at* names by number or id."""
    check_name(graph_id, name, "branch")
    start = _point(graph_id, root, source, at)
    log = root.branches.get(name, [])
    for commit in log:
        if commit.nonce == stamp.nonce:
            return branch_info(commit)
    if log:
        if is_live_branch(root.commits[-1], log[-1]):
            raise branch_exists(graph_id, name)
        check_epoch(graph_id, log[-1], stamp.epoch)
    made = branch_commit(name, start, stamp, n=len(log) + 1)
    root.branches[name] = [*log, made]
    root.branch_tables[name, made.n] = _tables(root, start)
    return branch_info(made)


def ended(root: Root, stamp: Stamp) -> None:
    """Writes the tombstones of the branches of a graph that was just detached."""
    for name, head in live_heads(root).items():
        if name != MAIN:
            own = msgspec.structs.replace(stamp, epoch=head.epoch)
            _append(root, next_commit(head, "tombstone", own))


def revived(root: Root, tombstone: Commit, stamp: Stamp) -> None:
    """Brings back the branches that ended with their graph."""
    for log in list(root.branches.values()):
        head = log[-1]
        if head.kind == "tombstone" and head.nonce == tombstone.nonce:
            own = msgspec.structs.replace(stamp, epoch=head.epoch)
            _append(root, next_commit(head, "restore", own))


def kept_for(root: Root, *, below: int) -> list[str]:
    """Returns the live branches that need commits of `main` below a number."""
    found: list[str] = []
    for name in live_heads(root):
        log = root.branches.get(name, [])
        start = next((c for c in reversed(log) if c.kind == "branch"), None)
        place = None if start is None else cut_from(start)
        if name != MAIN and (place is None or place[0] != MAIN or place[1] < below):
            found.append(f"branch {name}")
    return found


def on_top(  # the kinds of commits that need nothing but a head
    graph_id: str, root: Root, name: str, kind: CommitKind, *, observed: int, stamp: Stamp
) -> int:
    """Writes a commit that changes nothing on the commit *observed* of a branch."""
    log = root.branches.get(name, [])
    for commit in log[observed:]:
        if commit.nonce == stamp.nonce:
            return commit.n
    require_live(graph_id, root.commits[-1])
    if not log or not is_live_branch(root.commits[-1], log[-1]):
        raise branch_missing(graph_id, name)
    check_observed(graph_id, log[-1], observed)
    check_epoch(graph_id, log[-1], stamp.epoch)
    return _append(root, next_commit(log[-1], kind, stamp))


def _append(root: Root, commit: Commit) -> int:
    root.branch_tables[commit.branch, commit.n] = root.branch_tables[commit.branch, commit.n - 1]
    root.branches[commit.branch] = [*root.branches[commit.branch], commit]
    return commit.n


def _point(graph_id: str, root: Root, source: str, at: str | None) -> Commit:
    main = require_live(graph_id, root.commits[-1])
    if at is None:
        head = live_heads(root).get(source)
        if head is None:
            raise branch_missing(graph_id, source)
        return head
    named = parse_commit_id(at)
    if named is None and at.isdecimal():
        named = CommitId(branch=source, n=int(at))
    log = [] if named is None else _log(root, named.branch)
    if named is None and at in live_heads(root):
        return live_heads(root)[at]
    if named is None or not 1 <= named.n <= len(log):
        raise point_missing(graph_id, at, NOTHING_THERE)
    found = log[named.n - 1]
    if found.incarnation != main.incarnation:
        raise point_missing(graph_id, at, "it is of an earlier graph of that id")
    if found.kind in ENDED:
        raise point_missing(graph_id, at, f"{commit_id(found.n, found.branch)} is a {found.kind}")
    return found


def _log(root: Root, branch: str) -> list[Commit]:
    return root.commits if branch == MAIN else root.branches.get(branch, [])


def _tables(root: Root, commit: Commit) -> Tables:
    if commit.branch == MAIN:
        return root.tables[commit.nonce]
    return root.branch_tables[commit.branch, commit.n]
