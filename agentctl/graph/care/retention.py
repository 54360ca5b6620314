"""Which commits of a graph stay with their data: pure. Source: graph-engine 5, 6.

Kept are, of each live branch, its newest commits and those of late; the commits that live branches
were cut from and last merged with, for a merge needs them; what is tagged and what is pinned; of a
branch that was deleted of late what was in force then, so that its deletion can be regretted. A
commit that names nothing but what a kept one names stays as well: to let go of it frees nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.commit import ENDED, Commit

Place = tuple[str, int]
"""Branch and number of a commit; of a dataset, Lance branch and version."""


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's commits as a cleanup sees them."""

    heads: Mapping[str, Commit]
    """The newest commit of each live branch."""
    commits: Mapping[str, tuple[Commit, ...]]
    """By branch, deleted ones too, ascending: those of this graph that were not let go of."""
    named: frozenset[Place]
    """What tags and pins name."""


def kept_commits(logs: Logs, *, keep: int, cutoff: datetime) -> frozenset[Place]:
    """Returns the commits that must stay with their data.

    Args:
        logs: the graph's commits.
        keep: how many of the newest commits of each live branch stay; at least 1.
        cutoff: what was made after it stays, and what was in force then of branches that live or that
            ended after it.
    """
    assert keep >= 1, keep
    kept = {*logs.named}
    for branch, commits in logs.commits.items():
        live = branch in logs.heads
        end = commits[-1] if commits and not live else None
        ended_late = end is not None and end.kind in ENDED and _made(end) > cutoff
        holding = [c for c in commits if c.kind not in ENDED]
        kept |= {(c.branch, c.n) for c in holding if _made(c) > cutoff}
        if live or ended_late:
            kept |= {(c.branch, c.n) for c in [c for c in holding if _made(c) <= cutoff][-1:]}
        if live:
            kept |= {(c.branch, c.n) for c in holding[-keep:]}
            kept |= _joints(commits, logs.heads)
    return frozenset(kept)


def needed_versions(commits: Iterable[Commit]) -> dict[str, set[Place]]:
    """Returns the dataset versions that *commits* name, by type id."""
    needed: dict[str, set[Place]] = {}
    for commit in commits:
        for type_id, state in commit.types.items():
            needed.setdefault(type_id, set()).add((state.lance_branch, state.lance_version))
    return needed


def frees_something(commit: Commit, needed: Mapping[str, set[Place]]) -> bool:
    """Returns whether *commit* names a dataset version that is not among *needed*."""
    return any(
        (state.lance_branch, state.lance_version) not in needed.get(type_id, ())
        for type_id, state in commit.types.items()
    )


def _joints(commits: tuple[Commit, ...], heads: Mapping[str, Commit]) -> set[Place]:
    """Returns where a branch was cut from, and what it last merged from each live branch."""
    found: dict[str, Place] = {}
    for commit in reversed(commits):
        if commit.kind == "merge":
            for parent in map(parse_commit_id, commit.parents):
                if parent and parent.branch != commit.branch and parent.branch in heads:
                    found.setdefault(parent.branch, (parent.branch, parent.n))
        if commit.kind == "branch":
            above = parse_commit_id(commit.parents[0])
            assert above is not None, commit.parents
            found["cut"] = (above.branch, above.n)
            break
    return set(found.values())


def _made(commit: Commit) -> datetime:
    return datetime.fromisoformat(commit.created_at)
