"""Merges between branches that merged each other before: several bases, and no change is lost."""

from pathlib import Path

from agentctl.adapters.backends.local import LocalStore
from tests.graph.merging.merge_rig import MergeRig, city

BASE = city("bern", 1) | city("chur", 1) | city("genf", 1)
OURS = BASE | city("bern", 2)
THEIRS = BASE | city("chur", 2)
BOTH = OURS | THEIRS | city("bern", 2) | city("chur", 2)


async def crossed(tmp_path: Path, *, theirs_last: bool) -> MergeRig:
    """Returns branches `a` and `b`, each of which merged what the other one did first."""
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(BASE)
    for name in ("one", "two"):
        await rig.branch(name)
    changes = [("one", OURS), ("two", THEIRS)]
    for name, rows in changes if theirs_last else reversed(changes):
        await rig.become(rows, name)
    await rig.branch("a", "one")
    await rig.branch("b", "two")
    assert (await rig.merge("two", "a")).outcome == "merged"
    assert (await rig.merge("one", "b")).outcome == "merged"
    assert await rig.rows("a") == await rig.rows("b") == BOTH
    return rig


async def test_what_one_branch_took_back_is_not_silently_brought_again(tmp_path: Path) -> None:
    for theirs_last in (True, False):
        rig = await crossed(tmp_path / str(theirs_last), theirs_last=theirs_last)
        taken_back = BOTH | city("bern", 1)
        await rig.become(taken_back, "a")

        for source, into in (("b", "a"), ("a", "b")):
            report = await rig.merge(source, into)

            assert report.outcome == "conflicts"
            assert [(c.kind, c.id, c.properties) for c in report.conflicts] == [
                ("DivergentUpdate", "bern", ("size",))
            ]
        assert await rig.rows("a") == taken_back
        assert await rig.rows("b") == BOTH


async def test_what_one_branch_deleted_again_is_not_silently_brought_again(tmp_path: Path) -> None:
    rig = await crossed(tmp_path, theirs_last=False)
    left = {key: row for key, row in BOTH.items() if key != ("City", "bern")}
    await rig.become(left, "b")

    report = await rig.merge("b", "a")

    assert report.outcome == "conflicts"
    assert [(c.kind, c.id) for c in report.conflicts] == [("DeleteVsUpdate", "bern")]
    assert report.conflicts[0].theirs is None
    assert await rig.rows("a") == BOTH


async def test_where_bases_agree_branches_that_crossed_merge_as_any_others(tmp_path: Path) -> None:
    rig = await crossed(tmp_path, theirs_last=True)
    await rig.become(BOTH | city("genf", 5), "a")
    await rig.become(BOTH | city("zug", 7), "b")

    report = await rig.merge("b", "a")

    assert report.outcome == "merged"
    assert await rig.rows("a") == BOTH | city("genf", 5) | city("zug", 7)
    assert (await rig.merge("b", "a")).outcome == "already_up_to_date"
