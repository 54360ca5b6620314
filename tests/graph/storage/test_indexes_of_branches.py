"""Indexes that a branch has of the one it was cut from, once its files are compacted. Source: graph-engine 1, 2."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph import tables as engine
from agentctl.graph.asking import Point
from agentctl.graph.data_port import Retention
from agentctl.graph.index_homes import inherited_indexes, strayed_indexes
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, NdjsonSource
from agentctl.graph.snapshot import Snapshot
from agentctl.testing.checked_queries import checked
from tests.graph.storage.storage_rig import Rig

SCHEMA = "node Person { slug: String @key  age: I32? @index }\nedge Knows: Person -> Person\n"
AGED = checked(
    "query q($age: I32) { match { $p: Person { age: $age } } return { $p.slug } }", SCHEMA
)
NAMED = checked(
    "query q($slug: String) { match { $p: Person { slug: $slug } } return { $p.age } }", SCHEMA
)
INSERT = checked(
    "query q($slug: String, $age: I32) { insert Person { slug: $slug, age: $age } }", SCHEMA
)
UPDATE = checked(
    "query q($slug: String, $age: I32) { update Person set { age: $age } where slug = $slug }",
    SCHEMA,
)
DELETE = checked("query q($slug: String) { delete Person where slug = $slug }", SCHEMA)
INDEXES = {"id_btree", "slug_btree", "age_btree"}
REBUILT = ("rebuilt age_btree", "rebuilt id_btree", "rebuilt slug_btree")


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    """A graph whose people lie in two files, with indexes over both, and a branch of it."""
    found = Rig(LocalStore(tmp_path))
    await found.create(text=SCHEMA)
    await load(found, *((f"p{n}", n) for n in range(30)))
    await load(found, *((f"p{n}", n) for n in range(30, 60)))
    await found.graphs.optimize("g", stamp=found.stamp())  # covers both with the indexes
    await load(found, *((f"p{n}", n) for n in range(60, 120)))
    await found.graphs.branch_create("g", "dev", stamp=found.stamp())
    return found


@pytest.fixture
async def strayed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The same, and `dev` was optimized by an engine that leaves the indexes where they are not."""
    await optimized_as_before(rig, monkeypatch)
    return rig


async def optimized_as_before(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engine, "inherited_indexes", lambda _: ())
        await rig.graphs.optimize("g", branch="dev", stamp=rig.stamp())
    assert await indexes(rig, "dev") == ("strayed", INDEXES)


async def load(rig: Rig, *people: tuple[str, int], branch: str = MAIN) -> None:
    lines = tuple(
        f'{{"type":"Person","data":{{"slug":"{slug}","age":{age}}}}}'.encode()
        for slug, age in people
    )
    report = await rig.graphs.load_from(
        "g",
        [NdjsonSource(lines=lines)],
        branch=branch,
        options=LoadOptions(mode="merge"),
        stamp=rig.stamp(),
    )
    assert report.diagnostics == ()


async def indexes(rig: Rig, branch: str) -> tuple[str, set[str]]:
    """Returns whose the indexes of the people are on a branch, and their names."""

    def look(snapshot: Snapshot) -> tuple[str, set[str]]:
        dataset = snapshot.dataset(snapshot.node("Person"))
        names = {index.name for index in dataset.describe_indices()}
        if strayed_indexes(dataset):
            return "strayed", {*strayed_indexes(dataset)}
        return "inherited" if inherited_indexes(dataset) else "own", names

    return await rig.roots.on_snapshot("g", await rig.roots.head("g", branch), look)


async def aged(rig: Rig, age: int, branch: str = "dev", at: str | None = None) -> set[object]:
    reply = await rig.graphs.run("g", AGED, {"age": age}, point=Point(branch=branch, at=at))
    return {row["p.slug"] for row in reply.rows}


async def age_of(rig: Rig, slug: str, branch: str = "dev") -> list[object]:
    reply = await rig.graphs.run("g", NAMED, {"slug": slug}, point=Point(branch=branch))
    return [row["p.age"] for row in reply.rows]


async def mutate(rig: Rig, query: object, branch: str = "dev", **values: object) -> None:
    await rig.graphs.mutate("g", query, values, branch=branch, stamp=rig.stamp())  # type: ignore[arg-type]  # one of the three


async def assert_can_be_used(rig: Rig, branch: str = "dev") -> None:
    """Reads by index, and writes in every way that looks something up."""
    assert await aged(rig, 7, branch) == {"p7"}
    assert await age_of(rig, "p80", branch) == [80]
    await load(rig, ("p7", 700), ("new", 701), branch=branch)
    await mutate(rig, UPDATE, branch, slug="p8", age=800)
    await mutate(rig, DELETE, branch, slug="p9")
    await mutate(rig, INSERT, branch, slug="newer", age=900)
    found = [await age_of(rig, slug, branch) for slug in ("p7", "new", "p8", "p9", "newer", "p80")]
    assert found == [[700], [701], [800], [], [900], [80]]
    assert [await aged(rig, age, branch) for age in (7, 8, 9, 700)] == [set(), set(), set(), {"p7"}]
    await rig.graphs.optimize("g", branch=branch, stamp=rig.stamp())
    assert await aged(rig, 800, branch) == {"p8"}
    assert await indexes(rig, branch) == ("own", INDEXES)
    assert (await rig.graphs.verify("g")).problems == ()


async def test_a_branch_that_was_only_optimized_can_be_read_and_written(rig: Rig) -> None:
    report = await rig.graphs.optimize("g", branch="dev", stamp=rig.stamp())

    assert report.types["Person"][-1] == "compacted 2 fragments into 1"
    assert await indexes(rig, "dev") == ("own", INDEXES)
    await assert_can_be_used(rig)
    assert await aged(rig, 7, MAIN) == {"p7"}


async def test_a_branch_that_lost_rows_is_optimized_and_can_be_read_and_written(rig: Rig) -> None:
    await mutate(rig, DELETE, slug="p50")
    assert await indexes(rig, "dev") == ("inherited", INDEXES)
    await rig.graphs.optimize("g", branch="dev", stamp=rig.stamp())

    assert await aged(rig, 50) == set()
    await assert_can_be_used(rig)


async def test_a_branch_of_a_branch_is_optimized_and_can_be_read_and_written(rig: Rig) -> None:
    await mutate(rig, DELETE, slug="p50")
    await rig.graphs.branch_create("g", "a/b", source="dev", stamp=rig.stamp())
    await mutate(rig, DELETE, "a/b", slug="p51")
    await rig.graphs.optimize("g", branch="a/b", stamp=rig.stamp())

    await assert_can_be_used(rig, "a/b")
    assert [await aged(rig, age) for age in (50, 51)] == [set(), {"p51"}]


async def test_a_branch_whose_indexes_strayed_is_read_without_and_mended_by_a_write(
    strayed: Rig,
) -> None:
    before = await strayed.roots.head("g", "dev")

    await assert_can_be_used(strayed)

    at = f"dev:{before.n}"
    assert [await aged(strayed, age, at=at) for age in (7, 8, 9)] == [{"p7"}, {"p8"}, {"p9"}]


async def test_a_write_in_each_way_is_the_first_on_a_branch_whose_indexes_strayed(
    strayed: Rig,
) -> None:
    for name in ("one", "two", "three", "four"):
        await strayed.graphs.branch_create("g", name, source="dev", stamp=strayed.stamp())

    await mutate(strayed, DELETE, "one", slug="p9")
    await mutate(strayed, UPDATE, "two", slug="p9", age=7)
    await load(strayed, ("p9", 8), branch="three")
    await strayed.graphs.optimize("g", branch="four", stamp=strayed.stamp())

    assert [await age_of(strayed, "p9", b) for b in ("one", "two", "three", "four")] == [
        [],
        [7],
        [8],
        [9],
    ]
    for name in ("one", "two", "three"):
        assert await indexes(strayed, name) == ("own", INDEXES)


async def test_optimizing_mends_indexes_that_strayed_where_there_is_nothing_else_to_do(
    strayed: Rig,
) -> None:
    report = await strayed.graphs.optimize("g", branch="dev", stamp=strayed.stamp())

    assert report.types["Person"] == REBUILT
    assert await indexes(strayed, "dev") == ("own", INDEXES)
    assert await aged(strayed, 7) == {"p7"}


async def test_optimizing_mends_indexes_that_strayed_and_covers_what_they_lacked(
    strayed: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engine, "strayed_indexes", lambda _: ())
        await strayed.add("late", branch="dev")

    report = await strayed.graphs.optimize("g", branch="dev", stamp=strayed.stamp())

    assert report.types["Person"] == (*REBUILT, "compacted 2 fragments into 1")
    assert await age_of(strayed, "late") == [None]
    await assert_can_be_used(strayed)


async def test_a_branch_whose_indexes_strayed_is_merged_both_ways(strayed: Rig) -> None:
    await load(strayed, ("p7", 70))
    await strayed.graphs.merge("g", MAIN, into="dev", stamp=strayed.stamp())
    await load(strayed, ("p8", 70), branch="dev")
    await strayed.graphs.merge("g", "dev", into=MAIN, stamp=strayed.stamp())

    assert await aged(strayed, 70) == await aged(strayed, 70, MAIN) == {"p7", "p8", "p70"}
    assert (await strayed.graphs.verify("g")).problems == ()


async def test_a_state_whose_indexes_strayed_is_reverted_to(strayed: Rig) -> None:
    n = (await strayed.roots.head("g", "dev")).n
    await load(strayed, ("p7", 70), branch="dev")

    await strayed.graphs.revert("g", n, branch="dev", observed=n + 1, stamp=strayed.stamp())

    assert await aged(strayed, 70) == {"p70"}
    await assert_can_be_used(strayed)


@pytest.mark.parametrize("kept", ["inherited", "strayed"])
async def test_a_cleanup_leaves_what_a_branch_reads_of_the_one_it_was_cut_from(
    kept: str, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mutate(rig, DELETE, slug="p50")
    if kept == "strayed":
        await optimized_as_before(rig, monkeypatch)
    await rig.graphs.branch_create("g", "a/b", source="dev", stamp=rig.stamp())
    for branch in (MAIN, "dev"):
        await load(rig, *((f"q{n}", 1_000 + n) for n in range(60)), branch=branch)
        await rig.graphs.optimize("g", branch=branch, stamp=rig.stamp())
    stamp = rig.stamp()
    nothing = timedelta(0)
    retention = Retention(keep=1, older_than=nothing, grace=nothing)

    report = await rig.graphs.cleanup(
        "g", retention, now=datetime.fromisoformat(stamp.at), stamp=stamp
    )

    assert report.commits
    assert await indexes(rig, "a/b") == (kept, INDEXES)
    assert await aged(rig, 1_007) == await aged(rig, 1_007, MAIN) == {"q7"}
    assert await aged(rig, 1_007, "a/b") == set()
    await assert_can_be_used(rig, "a/b")
