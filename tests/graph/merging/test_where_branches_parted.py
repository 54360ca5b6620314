"""The base of a merge: the newest commit that two heads grew from. Source: graph-engine 5."""

import random
from collections.abc import Mapping

import anyio
import pytest

from agentctl.graph.branching.ancestry import newest_common
from agentctl.graph.branching.outcomes import merged_schema, outcome_of
from agentctl.graph.commit import Commit, CommitOp, SchemaRef, TypeState
from agentctl.graph.layout import commit_id
from agentctl.testing.sampling import sampled, seed_of_run

SCHEMA = SchemaRef(source_digest="s", shape_digest="h", ir_digest="i")
OTHER = SchemaRef(source_digest="s2", shape_digest="h2", ir_digest="i2")
THIRD = SchemaRef(source_digest="s3", shape_digest="h3", ir_digest="i3")
INCARNATION = "one"


def commit(
    branch: str, n: int, *parents: str, at: int, incarnation: str = INCARNATION, rows: int = 0
) -> Commit:
    state = TypeState(name="T", lance_branch="main", lance_version=1 + rows, rows=rows)
    return Commit(
        version=1,
        branch=branch,
        n=n,
        kind="write",
        parents=parents,
        incarnation=incarnation,
        schema=SCHEMA,
        types={"t": state},
        op=CommitOp(id="x:1", actor="x", intent="test"),
        epoch=1,
        created_at=f"2026-11-21T00:00:{at // 1000:02d}.{at % 1000:03d}Z",
        nonce="0" * 32,
    )


class History:
    """Commits by id, and the newest of each branch."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.heads: dict[str, Commit] = {}
        self.read: list[str] = []

    def add(self, branch: str, *others: str, at: int) -> Commit:
        head = self.heads.get(branch)
        own = () if head is None else (commit_id(head.n, branch),)
        made = commit(branch, head.n + 1 if head else 1, *own, *others, at=at)
        self.commits[commit_id(made.n, branch)] = made
        self.heads[branch] = made
        return made

    async def at(self, named: str) -> Commit | None:
        self.read.append(named)
        return self.commits.get(named)

    def bases(self, ours: Commit, theirs: Commit) -> tuple[Commit, ...]:
        return anyio.run(newest_common, ours, theirs, self.at)


def above(commits: Mapping[str, Commit], named: str) -> set[str]:
    """Returns a commit and all that it grew from."""
    return {named}.union(*(above(commits, p) for p in commits[named].parents))


def name(made: Commit) -> str:
    return commit_id(made.n, made.branch)


@pytest.mark.parametrize("case", sampled(range(2_000), 100, of="merge bases"))
def test_the_bases_are_the_common_commits_below_no_other_common_one_newest_first(case: int) -> None:
    rng = random.Random(f"{seed_of_run()}:{case}")
    history = History()
    history.add("main", at=0)
    for step in range(1, rng.randrange(4, 25)):
        heads = sorted(history.heads)
        branch = rng.choice([*heads, *heads, f"b{step}"])
        others = [commit_id(history.heads[b].n, b) for b in heads if b != branch]
        merges = branch not in heads or rng.random() < 0.4
        history.add(branch, *([rng.choice(others)] if others and merges else []), at=step)
    ours, theirs = (history.heads[rng.choice(sorted(history.heads))] for _ in range(2))
    common = above(history.commits, name(ours)) & above(history.commits, name(theirs))
    best = {n for n in common if not any(n != m and n in above(history.commits, m) for m in common)}

    found = history.bases(ours, theirs)

    def age(named: str) -> tuple[str, int, str]:
        return history.commits[named].created_at, history.commits[named].n, named

    assert [name(one) for one in found] == sorted(best, key=age, reverse=True)


def test_no_more_commits_are_read_than_were_made_since_the_branches_parted() -> None:
    history = History()
    for n in range(1_000):
        history.add("main", at=n)
    history.add("feat", "main:1000", at=1_001)
    for n in range(3):
        history.add("main", at=1_010 + n)
        history.add("feat", at=1_020 + n)

    found = history.bases(history.heads["main"], history.heads["feat"])

    assert [name(one) for one in found] == ["main:1000"]
    assert len(history.read) <= 10


def test_commits_of_an_earlier_graph_of_that_id_are_no_common_ground() -> None:
    history = History()
    old = commit("main", 1, at=1, incarnation="older")
    ours = commit("main", 2, "main:1", at=2)
    theirs = commit("feat", 1, "main:1", at=3, incarnation="older")
    history.commits = {"main:1": old}

    assert history.bases(ours, theirs) == ()


def test_the_outcome_follows_from_what_the_commits_name() -> None:
    base, moved, other = (commit("main", 1, at=1, rows=rows) for rows in (0, 1, 2))

    assert outcome_of(base, moved, base) == "already_up_to_date"
    assert outcome_of(base, moved, moved) == "already_up_to_date"
    assert outcome_of(base, base, moved) == "fast_forward"
    assert outcome_of(base, moved, other) == "merged"


def test_a_merge_takes_the_schema_of_the_branch_that_changed_it() -> None:
    assert merged_schema(SCHEMA, SCHEMA, SCHEMA) == SCHEMA
    assert merged_schema(SCHEMA, OTHER, SCHEMA) == OTHER
    assert merged_schema(SCHEMA, SCHEMA, OTHER) == OTHER
    assert merged_schema(SCHEMA, OTHER, OTHER) == OTHER
    assert merged_schema(SCHEMA, OTHER, THIRD) is None
