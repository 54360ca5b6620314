"""Branches of a graph merged by commits, against the naive model. Source: graph-engine 1, 5."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.branching.told import MergeReport
from agentctl.graph.layout import MAIN
from agentctl.graph.port import ReadSetConflictError
from agentctl.testing.sampling import LONG, sampled, seed_of_run
from tests.graph.merging.merge_model import Graph, Told, merged
from tests.graph.merging.merge_rig import SORTS, MergeRig, State, city, knows, person, stepped

HISTORIES = 400


def told(report: MergeReport) -> set[Told]:
    return {Told(c.kind, c.type, c.id or "", frozenset(c.properties)) for c in report.conflicts}


async def parted(tmp_path: Path, base: Graph, ours: Graph, theirs: Graph) -> MergeRig:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(base)
    await rig.branch("feat")
    await rig.become(ours)
    await rig.become(theirs, "feat")
    return rig


BASE: State = city("bern") | city("genf") | person("ann", "bern") | person("bob", "bern")


@pytest.mark.slow
@pytest.mark.parametrize("case", sampled(range(HISTORIES), 6, of="histories merged"))
async def test_random_histories_of_two_branches_merge_as_the_naive_model_says(
    tmp_path: Path, case: int
) -> None:
    rng = random.Random(f"{seed_of_run()}:{case}")
    rig = MergeRig(LocalStore(tmp_path))
    start = stepped(rng, city("c0") | city("c1") | person("p0", "c0") | person("p1", "c1"), 8)
    await rig.begin(start)
    await rig.branch("feat")
    states: dict[str, Graph] = {MAIN: start, "feat": start}
    base: Graph = start
    for _ in range(4):
        for branch in rng.choices([MAIN, "feat"], k=rng.randrange(1, 4)):
            states[branch] = stepped(rng, states[branch], rng.randrange(1, 4))
            await rig.become(states[branch], branch)
        source, into = rng.sample([MAIN, "feat"], 2)

        report = await rig.merge(source, into)

        expected = merged(SORTS, base, states[into], states[source])
        if isinstance(expected, set):
            assert report.outcome == "conflicts"
            assert told(report) == expected
            assert await rig.rows(into) == states[into]
            return
        assert not told(report)
        assert await rig.rows(into) == expected
        assert await rig.rows(source) == states[source]
        states[into], base = expected, states[source]


async def test_what_each_branch_changed_is_taken_and_the_commit_has_two_parents(
    tmp_path: Path,
) -> None:
    ours = BASE | person("ann", "bern", age=1) | city("genf", 5)
    theirs = (
        BASE | person("ann", "bern", email="a@b") | person("eva", "genf") | knows("k", "bob", "ann")
    )
    rig = await parted(tmp_path, BASE, ours, theirs)

    report = await rig.merge("feat")

    assert report.outcome == "merged"
    assert (report.base, report.ours, report.theirs) == ("main:2", "main:3", "feat:2")
    assert report.commit == "main:4"
    assert {(c.type, c.inserted, c.updated, c.deleted) for c in report.counts} == {
        ("Person", 1, 1, 0),
        ("LivesIn", 1, 0, 0),
        ("Knows", 1, 0, 0),
    }
    commit = await rig.roots.head("g")
    assert (commit.kind, commit.parents) == ("merge", ("main:3", "feat:2"))
    assert await rig.rows() == ours | theirs | person("ann", "bern", age=1, email="a@b") | city(
        "genf", 5
    )


async def test_a_type_that_only_they_changed_is_theirs_without_a_row_written(
    tmp_path: Path,
) -> None:
    rig = await parted(tmp_path, BASE, BASE | city("genf", 5), BASE | knows("k", "bob", "ann"))

    await rig.merge("feat")

    main, feat = await rig.roots.head("g"), await rig.roots.head("g", "feat")
    edges = next(i for i, state in main.types.items() if state.name == "Knows")
    assert main.types[edges] == feat.types[edges]
    await rig.become(await rig.rows() | knows("m", "ann", "bob"))
    assert await rig.rows() == BASE | city("genf", 5) | knows("k", "bob", "ann") | knows(
        "m", "ann", "bob"
    )
    assert await rig.rows("feat") == BASE | knows("k", "bob", "ann")


async def test_a_branch_that_nobody_overtook_is_a_fast_forward(tmp_path: Path) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(BASE)
    await rig.branch("feat")
    await rig.become(BASE | city("chur"), "feat")

    report = await rig.merge("feat")

    assert (report.outcome, report.commit) == ("fast_forward", "main:3")
    main, feat = await rig.roots.head("g"), await rig.roots.head("g", "feat")
    assert main.types == feat.types
    assert main.parents == ("main:2", "feat:2")


async def test_what_is_merged_already_is_up_to_date_and_makes_no_commit(tmp_path: Path) -> None:
    rig = await parted(tmp_path, BASE, BASE | city("chur"), BASE | city("sion"))
    await rig.merge("feat")

    again = await rig.merge("feat")
    fresh = await rig.merge(MAIN, "feat")
    nothing = await rig.merge(MAIN, "feat")

    assert (again.outcome, again.commit) == ("already_up_to_date", None)
    assert (fresh.outcome, fresh.base) == ("fast_forward", "feat:2")
    assert nothing.outcome == "already_up_to_date"
    assert (await rig.roots.head("g")).n == 4


def without(rows: Graph, *keys: tuple[str, str]) -> Graph:
    return {key: row for key, row in rows.items() if key not in keys}


CONFLICTS: dict[str, tuple[Graph, Graph, Told]] = {
    "both inserted it": (
        BASE | city("chur", 1),
        BASE | city("chur", 2),
        Told("DivergentInsert", "City", "chur", frozenset({"size"})),
    ),
    "both changed a property": (
        BASE | city("bern", 1),
        BASE | city("bern", 2),
        Told("DivergentUpdate", "City", "bern", frozenset({"size"})),
    ),
    "we deleted what they changed": (
        without(BASE, ("City", "genf")),
        BASE | city("genf", 2),
        Told("DeleteVsUpdate", "City", "genf", frozenset({"size"})),
    ),
    "they deleted what we changed": (
        BASE | city("genf", 2),
        without(BASE, ("City", "genf")),
        Told("DeleteVsUpdate", "City", "genf", frozenset({"size"})),
    ),
    "we deleted the node of their new edge": (
        without(BASE, ("City", "genf")),
        BASE | {("LivesIn", "new"): {"from": "ann", "to": "genf"}},
        Told("OrphanEdge", "LivesIn", "new", frozenset({"to"})),
    ),
    "they deleted the node of our new edge": (
        BASE | {("LivesIn", "new"): {"from": "ann", "to": "genf"}},
        without(BASE, ("City", "genf")),
        Told("OrphanEdge", "LivesIn", "new", frozenset({"to"})),
    ),
    "two rows get one unique value": (
        BASE | person("ann", "bern", email="x@y"),
        BASE | person("bob", "bern", email="x@y"),
        Told("UniqueViolation", "Person", "bob", frozenset({"email"})),
    ),
    "two edges get one pair of ends": (
        BASE | knows("k", "ann", "bob"),
        BASE | knows("m", "ann", "bob"),
        Told("UniqueViolation", "Knows", "m", frozenset({"from", "to"})),
    ),
    "too many edges leave a node": (
        BASE | {("LivesIn", "second"): {"from": "ann", "to": "genf"}},
        BASE | {("LivesIn", "third"): {"from": "ann", "to": "genf"}},
        Told("CardinalityViolation", "LivesIn", "ann", frozenset({"from"})),
    ),
}


@pytest.mark.parametrize("why", CONFLICTS)
async def test_a_conflict_is_told_with_its_three_sides_and_nothing_is_written(
    tmp_path: Path, why: str
) -> None:
    ours, theirs, expected = CONFLICTS[why]
    rig = await parted(tmp_path, BASE, ours, theirs)

    report = await rig.merge("feat")

    assert (report.outcome, report.commit, told(report)) == ("conflicts", None, {expected})
    (conflict,) = report.conflicts
    if conflict.kind == "CardinalityViolation":
        assert (conflict.base, conflict.ours, conflict.theirs) == (
            {"edges": 1},
            {"edges": 2},
            {"edges": 2},
        )
    else:
        key = (expected.type, expected.id)
        assert (conflict.base, conflict.ours, conflict.theirs) == (
            BASE.get(key),
            ours.get(key),
            theirs.get(key),
        )
    (diagnostic,) = report.diagnostics
    assert (diagnostic.code, diagnostic.rule) == ("merge_conflict", expected.kind)
    assert (await rig.roots.head("g")).n == 3
    assert await rig.rows() == ours


async def test_a_repeated_merge_reports_the_commit_that_is_there(tmp_path: Path) -> None:
    rig = await parted(tmp_path, BASE, BASE | city("chur"), BASE | city("sion"))
    stamp = rig.stamp()

    first = await rig.merge("feat", stamp=stamp)
    again = await rig.merge("feat", stamp=stamp)

    assert (again.outcome, again.commit) == ("merged", first.commit)
    assert (await rig.roots.head("g")).n == 4


async def test_a_merge_on_condition_is_refused_on_another_head(tmp_path: Path) -> None:
    rig = await parted(tmp_path, BASE, BASE | city("chur"), BASE | city("sion"))

    with pytest.raises(ReadSetConflictError, match="expected main:2, found main:3"):
        await rig.merge("feat", if_commit="main:2")

    assert (await rig.merge("feat", if_commit="main:3")).commit == "main:4"


async def test_a_merge_that_lost_the_race_is_decided_anew_above_the_winner(tmp_path: Path) -> None:
    rig = await parted(tmp_path, BASE, BASE | city("chur"), BASE | city("sion"))
    append = rig.roots.log.append
    others = MergeRig(LocalStore(tmp_path))
    others.numbers = iter(range(100, 200))  # type: ignore[assignment]  # numbers of its own

    async def overtaken(*args: object, **more: object) -> int:
        rig.roots.log.append = append  # type: ignore[method-assign]
        await others.become(await others.rows() | city("zug"))
        return await append(*args, **more)  # type: ignore[arg-type]

    rig.roots.log.append = overtaken  # type: ignore[method-assign]

    report = await rig.merge("feat")

    assert (report.outcome, report.ours, report.commit) == ("merged", "main:4", "main:5")
    assert await rig.rows() == BASE | city("chur") | city("sion") | city("zug")


class KilledError(Exception):
    """The writer died here."""


def killer(at: int) -> Callable[[str], None]:
    left = [at]

    def die(_: str) -> None:
        if not left[0]:
            raise KilledError
        left[0] -= 1

    return die


@pytest.mark.slow
@pytest.mark.parametrize("at", range(16) if LONG else (0, 2, 5))
async def test_a_merge_killed_at_any_write_leaves_the_old_commit_and_can_be_repeated(
    tmp_path: Path, at: int
) -> None:
    ours = without(BASE | city("chur") | person("ann", "bern", age=1), ("City", "genf"))
    theirs = BASE | person("bob", "bern", age=2) | person("eva", "bern") | city("sion")
    rig = await parted(tmp_path, BASE, ours, theirs)
    dying = MergeRig(LocalStore(tmp_path), before=killer(at))
    stamp = rig.stamp()
    try:
        report = await dying.merge("feat", stamp=stamp)
    except KilledError:
        assert (await rig.roots.head("g")).n == 3
        assert await rig.rows() == ours
        report = await rig.merge("feat", stamp=stamp)

    assert (report.outcome, report.commit) == ("merged", "main:4")
    assert await rig.rows() == merged(SORTS, BASE, ours, theirs)
    assert (await rig.graphs.verify("g")).is_whole
