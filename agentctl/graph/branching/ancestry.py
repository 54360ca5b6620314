"""Where two branches parted: the newest commit that both grew from.

A commit names its parents, so the history is a graph without cycles. It is walked from both heads
downward by time, as git does, and no further than to where everything left is known to both: the
cost follows what was done since the branches parted. Source: graph-engine 5, ADR 26.
"""

import heapq
from collections.abc import Awaitable, Callable
from typing import Final

from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.commit import Commit
from agentctl.graph.layout import commit_id
from agentctl.graph.roots import GraphRoots

_OURS: Final = 1
_THEIRS: Final = 2
_BOTH: Final = 3
_BELOW: Final = 4
"""Reached from a commit that both have: no candidate."""


async def merge_bases(
    roots: GraphRoots, graph_id: str, ours: Commit, theirs: Commit
) -> tuple[Commit, ...]:
    """Returns the newest commits that are *ours* and *theirs*, or that both grew from.

    Mostly one. Where merges crossed there are several that do not lie below each other: the one made
    last comes first, by id where two were made at once.
    """

    async def commit_of(named: str) -> Commit | None:
        found = parse_commit_id(named)
        assert found is not None, named
        return await roots.log.found_at(graph_id, found.n, found.branch)

    return await newest_common(ours, theirs, commit_of)


async def newest_common(
    ours: Commit, theirs: Commit, commit_of: Callable[[str], Awaitable[Commit | None]]
) -> tuple[Commit, ...]:
    """Returns what `merge_bases` does, over any way to read a commit by its id."""
    walk = _Walk()
    walk.reach(ours, _OURS)
    walk.reach(theirs, _THEIRS)
    while walk.is_open:
        commit, marks = walk.next()
        if marks & _BOTH == _BOTH:
            marks |= _BELOW
        for parent in commit.parents:
            known = walk.known.get(parent) or await commit_of(parent)
            if known is not None and known.incarnation == commit.incarnation:
                walk.reach(known, marks)
    return walk.newest()


class _Walk:
    """Commits seen, with how they were reached, and those whose parents are to be looked at."""

    def __init__(self) -> None:
        self.known: dict[str, Commit] = {}
        self._marks: dict[str, int] = {}
        self._queue: list[_Newer] = []
        self._waiting: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether anything waits that is not below a common commit already."""
        return any(not self._marks[name] & _BELOW for name in self._waiting)

    def reach(self, commit: Commit, marks: int) -> None:
        """Notes that a commit was reached so."""
        name = commit_id(commit.n, commit.branch)
        before = self._marks.get(name, 0)
        self.known[name] = commit
        if before | marks == before:
            return
        self._marks[name] = before | marks
        if name not in self._waiting:
            self._waiting.add(name)
            heapq.heappush(self._queue, _Newer(commit))

    def next(self) -> tuple[Commit, int]:
        """Takes the newest of those that wait."""
        name = heapq.heappop(self._queue).name
        self._waiting.discard(name)
        return self.known[name], self._marks[name]

    def newest(self) -> tuple[Commit, ...]:
        """Returns the common commits that were not reached from another one, newest first."""
        common = [_Newer(self.known[n]) for n, marks in self._marks.items() if marks == _BOTH]
        return tuple(self.known[one.name] for one in sorted(common))


class _Newer:
    """Orders commits from the newest down, by time and, of one time, by number."""

    def __init__(self, commit: Commit) -> None:
        self.made = (commit.created_at, commit.n)
        self.name = commit_id(commit.n, commit.branch)

    def __lt__(self, other: "_Newer") -> bool:
        return (other.made, self.name) < (self.made, other.name)
