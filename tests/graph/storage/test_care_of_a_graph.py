"""Verify, optimize and cleanup: what they find, what they leave alone. Source: graph-engine 6."""

import functools
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.data_port import CleanupReport, Retention
from agentctl.graph.layout import commit_key
from agentctl.graph.port import GraphError
from agentctl.graph.roots import tag_of
from agentctl.graph.tables import Tables
from tests.graph.storage.storage_rig import Rig, payload, people, time_of

NONE = timedelta(0)


class StopHereError(Exception):
    """Where a cleanup broke off."""


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    found = Rig(LocalStore(tmp_path))
    await found.create("ann", "bob")
    return found


async def cleaned(
    rig: Rig, *, keep: int = 1, older_than: timedelta = NONE, rehearse: bool = False
) -> CleanupReport:
    stamp = rig.stamp()
    now = datetime.fromisoformat(stamp.at)
    retention = Retention(keep=keep, older_than=older_than, grace=NONE)
    return await rig.graphs.cleanup("g", retention, now=now, stamp=stamp, rehearse=rehearse)


async def problems(rig: Rig) -> list[str]:
    return [found.message for found in (await rig.graphs.verify("g")).problems]


async def test_a_cleanup_lets_go_of_older_commits_and_what_they_alone_named(rig: Rig) -> None:
    await rig.remove("bob")
    await rig.add("cyd")

    report = await cleaned(rig)

    assert (report.commits, report.unfinished) == ({"main": 3}, None)
    assert report.bytes_removed > 0
    assert await rig.slugs() == {"ann", "cyd"}
    with pytest.raises(GraphError) as caught:
        await rig.slugs(at="main:2")
    assert caught.value.diagnostic.code == "graph_collected"
    assert [c.id for c in await rig.graphs.commits("g")][-1] == "main:1"
    verified = await rig.graphs.verify("g")
    assert (verified.problems, verified.collected, verified.rows) == ((), 3, 2)


async def test_a_second_cleanup_finds_nothing_and_writes_nothing(rig: Rig) -> None:
    await rig.add("cyd")
    await cleaned(rig)
    before = await rig.roots.head("g")

    report = await cleaned(rig)

    assert (report.commits, report.bytes_removed) == ({}, 0)
    assert await rig.roots.head("g") == before


async def test_a_rehearsal_says_the_same_and_does_nothing(rig: Rig) -> None:
    await rig.add("cyd")

    said = await cleaned(rig, rehearse=True)

    assert (said.commits, said.rehearsal) == ({"main": 2}, True)
    assert await rig.slugs(at="2") == {"ann", "bob"}
    assert (await cleaned(rig)).commits == said.commits


async def test_what_branches_tags_and_pins_need_stays_and_can_be_read(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())  # cut from main:2
    await rig.add("cyd")  # main:3
    await rig.graphs.tag("g", "v1", stamp=rig.stamp())
    await rig.add("dan")  # main:4
    await rig.graphs.pin("g", 4, stamp=rig.stamp())
    await rig.add("eve")  # main:5, kept by nothing once there is another
    await rig.add("fay", branch="dev")
    await rig.add("gus")  # main:6

    report = await cleaned(rig)

    assert report.commits == {"main": 2}
    assert await rig.slugs(at="2") == {"ann", "bob"}
    assert await rig.slugs(at="v1") == {"ann", "bob", "cyd"}
    assert await rig.slugs(at="4") == {"ann", "bob", "cyd", "dan"}
    assert await rig.slugs("dev") == {"ann", "bob", "fay"}
    with pytest.raises(GraphError):
        await rig.slugs(at="5")
    assert await problems(rig) == []


async def test_what_was_in_force_within_the_retention_stays(rig: Rig) -> None:
    await rig.add("cyd")  # main:3, at minute 3
    await rig.add("dan")  # main:4
    await rig.add("eve")  # main:5

    report = await cleaned(rig, older_than=timedelta(minutes=2, seconds=30))  # at minute 6

    assert report.commits == {"main": 2}
    assert await rig.slugs(at="3") == {"ann", "bob", "cyd"}
    assert len(await rig.slugs(at="4")) == 4


async def test_a_deleted_branch_is_collected_with_its_lance_branches(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")
    await rig.graphs.branch_create("g", "exp", source="dev", stamp=rig.stamp())
    await rig.add("dan", branch="exp")
    await rig.graphs.branch_delete("g", "dev", observed=2, stamp=rig.stamp())

    first = await cleaned(rig)
    kept = await rig.slugs("exp")
    await rig.graphs.branch_delete("g", "exp", observed=3, stamp=rig.stamp())
    second = await cleaned(rig)

    assert first.lance_branches == 0  # another branch was cut from it
    assert kept == {"ann", "bob", "cyd", "dan"}
    assert second.lance_branches == 2
    assert await rig.slugs() == {"ann", "bob"}
    assert await problems(rig) == []


async def test_what_a_writer_left_behind_goes_and_what_a_writer_is_about_to_commit_stays(
    rig: Rig,
) -> None:
    left = []

    head = await rig.roots.head("g")
    person = payload().ir.types[0]

    def leave(tables: Tables, number: int) -> None:
        tag = tag_of(number, rig.stamp())
        made = tables.append(person, head.types[person.id], people(f"p{number}"), tag=tag)
        tables.pin(person, made, tag)
        left.append(made)

    for number in (3, 9):  # the fence of the cleanup takes 3; 9 is of a writer after it
        left_as = functools.partial(leave, number=number)
        await rig.roots.on_tables("g", head.incarnation, left_as)
    await cleaned(rig)
    there = await rig.roots.on_tables(
        "g", head.incarnation, lambda tables: [tables.has(person.id, state) for state in left]
    )

    assert there == [False, True]
    assert await problems(rig) == []


async def test_what_was_read_before_a_cleanup_is_not_served_from_memory_after_it(rig: Rig) -> None:
    await rig.remove("bob")
    assert "bob" in await rig.slugs(at="main:2")

    await cleaned(rig)

    with pytest.raises(GraphError) as caught:
        await rig.slugs(at="main:2")
    assert caught.value.diagnostic.code == "graph_collected"


async def test_a_branch_is_not_cut_from_what_a_cleanup_let_go_of(rig: Rig) -> None:
    await rig.add("cyd")
    await cleaned(rig)

    for refused in (
        rig.graphs.branch_create("g", "dev", at="2", stamp=rig.stamp()),
        rig.graphs.tag("g", "v1", at="2", stamp=rig.stamp()),
        rig.graphs.pin("g", 2, stamp=rig.stamp()),
    ):
        with pytest.raises(GraphError) as caught:
            await refused
        assert caught.value.diagnostic.code in ("graph_collected", "graph_revert_refused")
    assert [b.name for b in await rig.graphs.branches("g")] == ["main"]
    assert await rig.graphs.tags("g") == ()
    assert await rig.graphs.pins("g") == ()


async def test_a_cleanup_that_broke_off_is_gone_on_with_by_the_next(
    rig: Rig, tmp_path: Path
) -> None:
    await rig.add("cyd")

    def stop(label: str) -> None:
        if label.startswith("unpin"):
            raise StopHereError

    broken = Rig(LocalStore(tmp_path), stop)
    broken.numbers = rig.numbers
    with pytest.raises(StopHereError):
        await cleaned(broken)
    again = await cleaned(rig)

    assert again.bytes_removed > 0
    assert await rig.slugs() == {"ann", "bob", "cyd"}
    assert await problems(rig) == []


async def test_a_writer_that_began_before_a_cleanup_loses_its_number(rig: Rig) -> None:
    await rig.add("cyd")
    before = await rig.roots.head("g")
    await cleaned(rig)

    with pytest.raises(GraphError) as caught:
        await rig.graphs.detach("g", observed=before.n, stamp=rig.stamp())
    assert caught.value.diagnostic.code == "read_set_conflict"


async def test_verify_tells_of_a_dataset_that_is_gone_and_of_a_commit_that_counts_wrongly(
    rig: Rig,
) -> None:
    head = await rig.roots.head("g")
    person = payload().ir.types[0]
    key = commit_key("g", head.n)
    found = await rig.store.read(key)
    assert found is not None
    await rig.store.replace(key, found.data.replace(b'"rows": 2', b'"rows": 7'))
    wrong = await problems(rig)
    folder = rig.roots.folder("g", head.incarnation)
    await folder.remove_dataset(person.id, lambda _: None)
    gone = await problems(rig)

    assert "The dataset version of Person of commit main:2 does not have 7 rows." in wrong
    assert "The dataset version of Person of commit main:2 is not there." in gone


async def test_verify_tells_of_rows_that_the_schema_does_not_permit(rig: Rig) -> None:
    await rig.add("ann")

    assert any("ann" in said for said in await problems(rig))


async def test_optimize_makes_large_files_of_small_ones_and_keeps_the_rows(rig: Rig) -> None:
    await rig.add(*(f"p{n}" for n in range(60)))  # enough for an index
    for n in range(4):
        await rig.add(f"q{n}")
    before = await rig.slugs()

    report = await rig.graphs.optimize("g", stamp=rig.stamp())
    again = await rig.graphs.optimize("g", stamp=rig.stamp())

    assert report.commit == "main:8"
    assert report.types["Person"][0].startswith("indexed 4 rows in ")
    assert report.types["Person"][-1] == "compacted 6 fragments into 1"
    assert (again.commit, await rig.slugs()) == (None, before)
    assert await problems(rig) == []


async def test_a_branch_is_optimized_on_its_own(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")

    report = await rig.graphs.optimize("g", branch="dev", stamp=rig.stamp())

    assert report.commit == "dev:3"
    assert await rig.slugs("dev") == {"ann", "bob", "cyd"}
    assert await rig.slugs() == {"ann", "bob"}


async def test_points_are_numbers_ids_tags_branches_and_times(rig: Rig) -> None:
    await rig.add("cyd")  # main:3, minute 3
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())  # minute 4
    await rig.add("dan", branch="dev")  # dev:2, minute 5
    await rig.graphs.tag("g", "v1", branch="dev", stamp=rig.stamp())

    async def named(at: str, branch: str = "main") -> str:
        return (await rig.graphs.commit_at("g", branch=branch, at=at)).id

    assert [await named(at) for at in ("2", "main:1", "dev:1", "v1")] == [
        "main:2",
        "main:1",
        "dev:1",
        "dev:2",
    ]
    assert await named(time_of(2)) == "main:2"
    assert await named("2026-11-21T01:02:30+01:00") == "main:2"
    assert await named(time_of(5), "dev") == "dev:2"
    assert await named(time_of(3), "dev") == "main:3"
    assert [await named(at) for at in ("dev", "main")] == ["dev:2", "main:3"]
    await rig.graphs.tag("g", "dev", at="main:1", stamp=rig.stamp())
    assert await named("dev") == "main:1", "a tag has its name first"
    for at in ("9", "main:9", "nope", "2020-01-01T00:00:00Z", "0", ""):
        with pytest.raises(GraphError) as caught:
            await named(at)
        assert caught.value.diagnostic.code == "graph_point_missing"


async def test_a_tag_names_one_commit_for_good(rig: Rig) -> None:
    stamp = rig.stamp()
    made = await rig.graphs.tag("g", "v1", stamp=stamp)
    again = await rig.graphs.tag("g", "v1", stamp=stamp)
    await rig.add("cyd")

    with pytest.raises(GraphError) as caught:
        await rig.graphs.tag("g", "v1", stamp=rig.stamp())
    assert (made, made.commit) == (again, "main:2")
    assert caught.value.diagnostic.code == "graph_tag_exists"
    assert await rig.graphs.tags("g") == (made,)
    assert [await rig.graphs.untag("g", "v1"), await rig.graphs.untag("g", "v1")] == [True, False]
    with pytest.raises(GraphError) as caught:
        await rig.graphs.tag("g", "12", stamp=rig.stamp())
    assert caught.value.diagnostic.code == "graph_branch_invalid"


async def test_nothing_is_erased_under_a_branch_or_a_tag(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.graphs.tag("g", "v1", stamp=rig.stamp())

    with pytest.raises(GraphError) as caught:
        await rig.graphs.erase("g", observed=2, stamp=rig.stamp())
    assert caught.value.diagnostic.code == "graph_pinned"
    assert "branch dev, tag v1" in caught.value.diagnostic.message


async def test_an_erasure_takes_what_deleted_branches_held(rig: Rig, tmp_path: Path) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("secretly", branch="dev")
    await rig.graphs.branch_delete("g", "dev", observed=2, stamp=rig.stamp())

    await rig.graphs.erase("g", observed=2, stamp=rig.stamp())

    assert holding(tmp_path, b"secretly") == []
    assert await rig.slugs() == {"ann", "bob"}
    assert await problems(rig) == []


def holding(folder: Path, said: bytes) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and said in p.read_bytes()]
