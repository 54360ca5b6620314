"""The change feed: what each commit did, in order, from where one left off. Source: graph-engine 4."""

from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.branching.branches import delete_branch
from agentctl.graph.branching.told import EntityChange, FeedPage
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError
from tests.graph.merging.merge_rig import MergeRig, State, city, knows, person

ONE: State = city("bern") | person("ann", "bern")
TWO: State = ONE | city("genf") | person("bob", "genf", age=3)
THREE: State = {k: r for k, r in TWO.items() if k[1] != "genf" and k[1] != "l-bob"}
THREE |= {("LivesIn", "l-bob"): {"from": "bob", "to": "bern"}}


async def grown(tmp_path: Path) -> MergeRig:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(ONE)
    await rig.become(TWO)
    await rig.become(THREE)
    return rig


async def pages(
    rig: MergeRig, since: str, *, branch: str = MAIN, page: int = 100
) -> list[FeedPage]:
    return [found async for found in rig.graphs.changes("g", since=since, branch=branch, page=page)]


def short(page: FeedPage) -> list[tuple[str, str, str]]:
    return [(change.change, change.type, change.id) for change in page.changes]


async def test_each_commit_tells_what_it_changed_before_and_after(tmp_path: Path) -> None:
    rig = await grown(tmp_path)

    _, second, third = await pages(rig, "beginning")

    assert (second.commit, second.cursor) == ("main:3", "main:3")
    assert short(second) == [
        ("inserted", "Person", "bob"),
        ("inserted", "City", "genf"),
        ("inserted", "LivesIn", "l-bob"),
    ]
    assert short(third) == [("deleted", "City", "genf"), ("updated", "LivesIn", "l-bob")]
    moved = third.changes[1]
    assert moved.properties == ("to",)
    assert (moved.before, moved.after) == (
        {"from": "bob", "to": "genf"},
        {"from": "bob", "to": "bern"},
    )


@pytest.mark.parametrize("size", [1, 2])
async def test_any_cursor_goes_on_where_its_page_ended(tmp_path: Path, size: int) -> None:
    rig = await grown(tmp_path)
    whole = [c for found in await pages(rig, "beginning") for c in found.changes]
    told: list[EntityChange] = []
    cursor = "beginning"
    while found := await pages(rig, cursor, page=size):
        assert all(len(page.changes) <= size for page in found)
        told += found[0].changes
        cursor = found[0].cursor

    assert told == whole
    assert cursor == "main:4"


async def test_now_tells_what_comes_later_and_a_merge_as_one_commit(tmp_path: Path) -> None:
    rig = await grown(tmp_path)
    assert await pages(rig, "now") == []
    await rig.branch("feat")
    await rig.become(THREE | knows("k", "ann", "bob"), "feat")
    await rig.become(THREE | city("chur"))
    await rig.merge("feat")

    found = await pages(rig, "main:4")

    assert [(page.commit, short(page)) for page in found] == [
        ("main:5", [("inserted", "City", "chur")]),
        ("main:6", [("inserted", "Knows", "k")]),
    ]


async def test_commits_that_changed_no_row_move_the_cursor(tmp_path: Path) -> None:
    rig = await grown(tmp_path)
    await rig.graphs.fence("g", observed=4, stamp=rig.stamp())

    (page,) = await pages(rig, "main:4")

    assert (page.changes, page.cursor) == ((), "main:5")


async def test_a_branch_that_was_cut_anew_is_a_gap(tmp_path: Path) -> None:
    rig = await grown(tmp_path)
    await rig.branch("feat")
    await rig.become(THREE | city("chur"), "feat")
    await delete_branch(rig.roots, "g", "feat", observed=2, stamp=rig.stamp())
    await rig.branch("feat")

    with pytest.raises(GraphError) as refused:
        await pages(rig, "feat:1", branch="feat")

    assert refused.value.diagnostic.code == "feed_gap"
    (page,) = await pages(rig, "beginning", branch="feat")
    assert (page.changes, page.cursor) == ((), "feat:4")


@pytest.mark.parametrize("since", ["main:99", "feat:1", "yesterday"])
async def test_what_is_no_point_of_the_feed_is_refused(tmp_path: Path, since: str) -> None:
    rig = await grown(tmp_path)

    with pytest.raises(GraphError) as refused:
        await pages(rig, since)

    assert refused.value.diagnostic.code == "feed_cursor_invalid"


async def test_any_two_points_are_compared_in_counts_with_a_bounded_sample(tmp_path: Path) -> None:
    rig = await grown(tmp_path)

    report = await rig.graphs.diff("g", "main:2", "main:4", sample=1)

    assert (report.before, report.after, report.schema_changed) == ("main:2", "main:4", False)
    assert [(t.type, t.inserted, t.updated, t.deleted) for t in report.types] == [
        ("Person", 1, 0, 0),
        ("LivesIn", 1, 0, 0),
    ]
    assert [len(t.sample) for t in report.types] == [1, 1]
