"""What differs between any two commits, found from what Lance rewrote, against reading everything."""

import itertools
import random
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.branching.diff import changed, compared, entity_changes
from agentctl.graph.branching.fragments import Part, Version, parts_that_differ
from agentctl.graph.branching.points import resolve
from agentctl.graph.layout import MAIN
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.languages.schema.ir import IrType
from agentctl.testing.sampling import LONG, sampled, seed_of_run
from tests.graph.merging.merge_model import Graph, Row
from tests.graph.merging.merge_rig import SCHEMA, MergeRig, State, city, person, stepped
from tests.graph.storage.storage_rig import payload

Changes = dict[tuple[str, str], tuple[str, frozenset[str], Row | None, Row | None]]


async def snapshots(rig: MergeRig, before: str, after: str) -> tuple[Snapshot, Snapshot]:
    """Returns both points; a test may read them on its own thread."""
    commits = [await resolve(rig.roots, "g", at=at) for at in (before, after)]
    irs = [await rig.roots.ir("g", commit) for commit in commits]
    tables = await rig.roots.on_tables("g", commits[0].incarnation, lambda tables: tables)
    assert isinstance(tables, Tables)
    one, other = (Snapshot(c, ir, tables) for c, ir in zip(commits, irs, strict=True))
    return one, other


async def told(rig: MergeRig, before: str, after: str) -> Changes:
    one, other = await snapshots(rig, before, after)
    return {
        (change.type, change.id): (
            change.change,
            frozenset(change.properties),
            change.before,
            change.after,
        )
        for _, diff in changed(one, other)
        for change in entity_changes(diff, limit=1_000)
    }


def naive(before: Graph, after: Graph) -> Changes:
    found: Changes = {}
    for key in before.keys() | after.keys():
        one, other = before.get(key), after.get(key)
        if one is None:
            found[key] = ("inserted", frozenset(), None, other)
        elif other is None:
            found[key] = ("deleted", frozenset(), one, None)
        elif one != other:
            names = frozenset(name for name in one if one[name] != other[name])
            found[key] = ("updated", names, one, other)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", sampled(range(60), 3, of="histories compared"))
async def test_any_two_commits_of_random_branches_differ_as_their_rows_do(
    tmp_path: Path, case: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentctl.graph.branching.rewritten.PAIR_ROWS_MIN", case % 2)
    rng = random.Random(f"{seed_of_run()}:{case}:snapshots")
    rig = MergeRig(LocalStore(tmp_path))
    start = stepped(rng, city("c0") | city("c1") | person("p0", "c0") | person("p1", "c1"), 6)
    await rig.begin(start)
    points: dict[str, Graph] = {"main:2": start}
    for branch in ("feat", "feat/two"):
        await rig.branch(branch, rng.choice([MAIN, "feat"]) if branch != "feat" else MAIN)
    for _ in range(5):
        branch = rng.choice([MAIN, "feat", "feat/two"])
        rows = await rig.rows(branch)
        if rng.random() < 0.3:
            await rig.graphs.optimize("g", branch=branch, stamp=rig.stamp())
        elif rng.random() < 0.2 and branch == MAIN:
            head = (await rig.roots.head("g")).n
            await rig.graphs.revert("g", 2, observed=head, stamp=rig.stamp())
            rows = start
        else:
            rows = stepped(rng, rows, rng.randrange(1, 5))
            await rig.become(rows, branch)
        points[f"{branch}:{(await rig.roots.head('g', branch)).n}"] = rows

    for before, after in itertools.permutations(points, 2):
        assert await told(rig, before, after) == naive(points[before], points[after])


def parts_between(
    before: Snapshot, after: Snapshot, ir_type: IrType
) -> tuple[list[Part], list[Part]]:
    one, other = (Version(s.dataset(ir_type), s.version(ir_type)) for s in (before, after))
    return parts_that_differ(one, other, read=ir_type)


def counted(parts: list[Part]) -> int:
    return sum(
        part.fragment.count_rows() if part.offsets is None else len(part.offsets) for part in parts
    )


async def test_no_more_rows_are_read_than_changed_whatever_the_graph_holds(tmp_path: Path) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    many: State = {}
    for n in range(3_000):
        many |= city(f"c{n}", n)
    await rig.begin(many)
    await rig.branch("feat")
    await rig.become(many | city("c7", -1) | city("new"), "feat")
    await rig.become({k: r for k, r in many.items() if k[1] not in ("c8", "c9")})

    before, after = await snapshots(rig, "main:3", "feat:2")
    cities = before.node("City")
    mine, theirs = parts_between(before, after, cities)

    assert (counted(mine), counted(theirs)) == (1, 4)
    assert len(await told(rig, "main:3", "feat:2")) == 4


async def test_rows_that_a_compaction_copied_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentctl.graph.branching.rewritten.PAIR_ROWS_MIN", 1)
    rig = MergeRig(LocalStore(tmp_path))
    many: State = {}
    for n in range(300):
        many |= city(f"c{n:03d}", n)
    await rig.begin(many)
    await rig.become(many | city("c005", -5))
    await rig.branch("feat")
    await rig.become(many | city("c005", -5) | city("c006", -6) | city("new"), "feat")
    done = await rig.graphs.optimize("g", branch="feat", stamp=rig.stamp())
    await rig.become(many | city("c005", -5) | city("c007", -7) | city("own"))

    before, after = await snapshots(rig, "main:4", "feat:3")
    cities = before.node("City")
    assert done.types["City"]
    mine, theirs = parts_between(before, after, cities)
    assert (counted(mine), counted(theirs)) == (3, 3)
    assert {key[1] for key in await told(rig, "main:4", "feat:3")} == {"c006", "c007", "new", "own"}


async def test_many_deletions_are_found_in_the_form_that_lance_gives_them(tmp_path: Path) -> None:
    """Lance writes some as a list of offsets and many as a bitmap."""
    rig = MergeRig(LocalStore(tmp_path))
    many: State = {}
    for n in range(16_000):
        many |= city(f"c{n:05d}", n)
    await rig.begin(many)
    few = {k: r for i, (k, r) in enumerate(sorted(many.items())) if i % 2}
    await rig.become(few)
    fewer = {k: r for i, (k, r) in enumerate(sorted(few.items())) if i % 100}
    await rig.become(fewer)

    before, after = await snapshots(rig, "main:3", "main:4")
    report = compared(before, after, sample=3)

    (fragment,) = after.dataset(after.node("City")).get_fragments()
    file = fragment.metadata.deletion_file
    assert file is not None
    assert file.file_type == "bitmap"
    (cities,) = report.types
    assert (cities.inserted, cities.updated, cities.deleted) == (0, 0, 80)
    gone = sorted(key[1] for key in few.keys() - fewer.keys())
    assert [change.id for change in cities.sample] == gone[:3]


async def test_a_new_property_alone_changes_no_row(tmp_path: Path) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(city("bern") | city("genf"))
    head = await rig.roots.head("g")
    more = SCHEMA.replace("size: I32?", "size: I32?  note: String?  level: I32 = 3")
    await rig.migrate(payload(more, await rig.roots.ir("g", head)), MAIN)
    await rig.become(
        await rig.rows() | {("City", "genf"): {"slug": "genf", "level": 4, "note": "x"}}
    )

    one, other = await snapshots(rig, "main:2", "main:3")
    assert compared(one, other).schema_changed
    assert await told(rig, "main:2", "main:3") == {}
    assert await told(rig, "main:2", "main:4") == {
        ("City", "genf"): (
            "updated",
            frozenset({"level", "note"}),
            {"slug": "genf", "size": None, "note": None, "level": 3},
            {"slug": "genf", "size": None, "note": "x", "level": 4},
        )
    }


async def test_a_deletion_file_that_cannot_be_read_is_made_good_by_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(city("bern") | city("genf") | city("chur"))
    await rig.become(city("bern") | city("chur"))
    await rig.become(city("bern"))
    monkeypatch.setattr("agentctl.graph.branching.fragments._bytes_of", lambda *_: None)

    found = await told(rig, "main:3", "main:4")

    assert found == naive(city("bern") | city("chur"), city("bern"))


@pytest.mark.slow
@pytest.mark.skipif(not LONG, reason="a million rows: make check-long")
async def test_of_a_million_rows_only_the_changed_ones_are_read(tmp_path: Path) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    many: State = {("City", f"c{n}"): {"slug": f"c{n}", "size": n} for n in range(1_000_000)}
    await rig.begin(many)
    await rig.branch("feat")
    await rig.become(many | city("c7", -1), "feat")

    before, after = await snapshots(rig, "main:2", "feat:2")
    cities = before.node("City")
    mine, theirs = parts_between(before, after, cities)

    assert before.rows(cities) == 1_000_000
    assert (counted(mine), counted(theirs)) == (1, 1)
