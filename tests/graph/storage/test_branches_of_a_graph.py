"""Branches as the storage has them: cut, written, deleted, used again. Source: graph-engine 1, 5."""

import os
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.branching.branches import cut_from, started_by
from agentctl.graph.layout import branch_of_ref, number_of_ref, ref_name
from agentctl.graph.port import GraphError, ReadSetConflictError
from tests.graph.storage.storage_rig import INCARNATION, LATER, Rig, payload


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    found = Rig(LocalStore(tmp_path))
    await found.create("ann", "bob")
    return found


def code_of(caught: pytest.ExceptionInfo[GraphError]) -> str:
    return caught.value.diagnostic.code


async def test_a_branch_has_what_it_was_cut_from_and_goes_its_own_way(rig: Rig) -> None:
    made = await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")
    await rig.add("dan")

    assert made.head.id == "dev:1"
    assert await rig.slugs("dev") == {"ann", "bob", "cyd"}
    assert await rig.slugs() == {"ann", "bob", "dan"}
    assert [b.name for b in await rig.graphs.branches("g")] == ["main", "dev"]
    assert (await rig.graphs.observe("g")).branches == ("main", "dev")


async def test_a_branch_is_one_object_and_copies_nothing(rig: Rig, tmp_path: Path) -> None:
    before = files_below(tmp_path)

    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())

    new = files_below(tmp_path) - before
    assert new == {f"graphs/g.omni/_graph/commits/dev/{1:020d}.json"}


async def test_a_type_gets_a_lance_branch_with_the_first_write_and_keeps_it(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    cut = await rig.state("dev")
    await rig.add("cyd", branch="dev")
    first = await rig.state("dev")
    await rig.add("dan", branch="dev")
    second = await rig.state("dev")

    assert (cut, first.lance_branch) == (await rig.state(), second.lance_branch)
    assert first.lance_branch.startswith("dev.2.")
    assert second.lance_version == first.lance_version + 1 == cut.lance_version + 2


async def test_a_branch_of_a_branch_at_an_older_commit_has_the_rows_of_that_commit(
    rig: Rig,
) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")
    await rig.add("dan", branch="dev")
    await rig.graphs.branch_create("g", "a/b_c", source="dev", at="2", stamp=rig.stamp())
    await rig.add("eve", branch="a/b_c")
    await rig.remove("ann", branch="a/b_c")

    assert await rig.slugs("a/b_c") == {"bob", "cyd", "eve"}
    assert await rig.slugs("dev") == {"ann", "bob", "cyd", "dan"}
    start = await started_by(rig.roots, "g", await rig.roots.head("g", "a/b_c"))
    assert cut_from(start) == ("dev", 2)


async def test_what_a_writer_left_on_a_branch_without_a_commit_is_not_built_upon(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    number = next(rig.numbers)
    lost = await rig.add("lost", branch="dev", stamp=rig.stamp(number))
    key = f"graphs/g.omni/_graph/commits/dev/{lost:020d}.json"
    await rig.store.delete(key)

    await rig.add("cyd", branch="dev", stamp=rig.stamp(number))
    again = await rig.slugs("dev")
    await rig.add("dan", branch="dev")

    assert again == {"ann", "bob", "cyd"}
    assert await rig.slugs("dev") == {"ann", "bob", "cyd", "dan"}


async def test_a_deleted_branch_is_gone_and_its_commits_are_read_by_their_ids(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")
    stamp = rig.stamp()

    number = await rig.graphs.branch_delete("g", "dev", observed=2, stamp=stamp)

    assert number == 3
    assert await rig.graphs.branch_delete("g", "dev", observed=2, stamp=stamp) == 3
    with pytest.raises(GraphError) as caught:
        await rig.add("dan", branch="dev")
    assert code_of(caught) == "graph_branch_missing"
    assert await rig.slugs(at="dev:2") == {"ann", "bob", "cyd"}
    with pytest.raises(GraphError) as caught:
        await rig.slugs(at="dev:3")
    assert code_of(caught) == "graph_point_missing"


async def test_a_name_that_is_used_again_goes_on_with_its_numbers_and_begins_anew(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")
    await rig.graphs.branch_create("g", "exp", source="dev", stamp=rig.stamp())
    await rig.graphs.branch_delete("g", "dev", observed=2, stamp=rig.stamp())
    made = await rig.graphs.branch_create("g", "dev", source="exp", stamp=rig.stamp())
    await rig.add("dan", branch="dev")

    assert made.head.id == "dev:4"
    assert await rig.slugs("dev") == {"ann", "bob", "cyd", "dan"}
    assert await rig.slugs("exp") == {"ann", "bob", "cyd"}
    assert await rig.slugs() == {"ann", "bob"}


async def test_creating_a_branch_twice_with_one_nonce_is_harmless_and_with_another_refused(
    rig: Rig,
) -> None:
    stamp = rig.stamp()
    first = await rig.graphs.branch_create("g", "dev", stamp=stamp)
    again = await rig.graphs.branch_create("g", "dev", stamp=stamp)

    assert first == again
    with pytest.raises(GraphError) as caught:
        await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    assert code_of(caught) == "graph_branch_exists"


@pytest.mark.parametrize(
    "name",
    ["main", "", "/", "a//b", "a/", "-a", "a.", "a..b", "a b", "a:1", "ä", "x" * 101, "../x"],
)
async def test_what_no_branch_can_be_called_is_refused(rig: Rig, name: str) -> None:
    with pytest.raises(GraphError) as caught:
        await rig.graphs.branch_create("g", name, stamp=rig.stamp())

    assert code_of(caught) == "graph_branch_invalid"


async def test_main_is_not_deleted_as_a_branch(rig: Rig) -> None:
    with pytest.raises(GraphError) as caught:
        await rig.graphs.branch_delete("g", "main", observed=2, stamp=rig.stamp())

    assert code_of(caught) == "graph_branch_invalid"


async def test_a_branch_that_somebody_wrote_to_meanwhile_is_not_deleted(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")

    with pytest.raises(ReadSetConflictError):
        await rig.graphs.branch_delete("g", "dev", observed=1, stamp=rig.stamp())


async def test_a_writer_of_an_older_epoch_writes_no_branch(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp(epoch=3))

    with pytest.raises(GraphError) as caught:
        await rig.graphs.branch_delete("g", "dev", observed=1, stamp=rig.stamp(epoch=2))
    assert code_of(caught) == "lease_lost"


async def test_branches_end_with_their_graph_and_come_back_with_it(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.add("cyd", branch="dev")
    await rig.graphs.branch_create("g", "old", stamp=rig.stamp())
    await rig.graphs.branch_delete("g", "old", observed=1, stamp=rig.stamp())
    await rig.graphs.detach("g", observed=2, stamp=rig.stamp())
    kinds = {b: (await rig.roots.log.newest_first("g", limit=1, branch=b))[0].kind for b in ALL}
    with pytest.raises(GraphError) as caught:
        await rig.slugs("dev")

    await rig.graphs.restore("g", incarnation=INCARNATION, stamp=rig.stamp())

    assert kinds == dict.fromkeys(ALL, "tombstone")
    assert code_of(caught) == "graph_detached"
    assert [b.name for b in await rig.graphs.branches("g")] == ["main", "dev"]
    assert await rig.slugs("dev") == {"ann", "bob", "cyd"}


ALL = ("main", "dev", "old")


async def test_a_new_graph_of_that_id_has_none_of_the_branches_of_the_old_one(rig: Rig) -> None:
    await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    await rig.graphs.detach("g", observed=2, stamp=rig.stamp())
    await rig.graphs.create("g", schema=payload(), incarnation=LATER, stamp=rig.stamp())

    assert [b.name for b in await rig.graphs.branches("g")] == ["main"]
    with pytest.raises(GraphError) as caught:
        await rig.slugs(at="dev:1")
    assert code_of(caught) == "graph_point_missing"
    made = await rig.graphs.branch_create("g", "dev", stamp=rig.stamp())
    assert made.head.id == "dev:3"


@pytest.mark.parametrize("branch", ["main", "a/b", "a_-b", "a__b", "a_/b", "x-1.2", "a/b_c/d"])
def test_a_name_in_lance_says_branch_and_number(branch: str) -> None:
    name = ref_name(branch, 12, "f" * 32)

    assert (branch_of_ref(name), number_of_ref(name)) == (branch, 12)
    assert "/" not in name


def test_no_two_branches_have_one_name_in_lance() -> None:
    names = ["a/b", "a_-b", "a__b", "a_b", "a-b", "a.b", "a/b.1", "a", "main"]

    assert len({ref_name(name, 1, "0") for name in names}) == len(names)


def files_below(folder: Path) -> set[str]:
    found = set()
    for path, _, names in os.walk(folder):
        found |= {str(Path(path, name).relative_to(folder)) for name in names}
    return found


@pytest.mark.parametrize("name", ["12", "2026-11-21T120000Z", "2026-11-21T120000-05"])
async def test_no_tag_is_called_what_stands_for_another_point(tmp_path: Path, name: str) -> None:
    """Else who reads at the tag would read whatever was newest at that time."""
    rig = Rig(LocalStore(tmp_path))
    await rig.create("ann")

    with pytest.raises(GraphError) as caught:
        await rig.graphs.tag("g", name, stamp=rig.stamp())

    assert caught.value.diagnostic.code == "graph_branch_invalid"
    assert await rig.graphs.tags("g") == ()
