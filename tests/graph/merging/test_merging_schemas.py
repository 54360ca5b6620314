"""Branches whose schemas differ are migrated at the merge. Source: graph-engine 2, 5."""

import itertools
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, SchemaPayload
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from tests.graph.merging.merge_rig import SCHEMA, MergeRig, State, city, person
from tests.graph.storage.storage_rig import payload

BASE: State = city("bern", 1) | city("genf", 2) | person("ann", "bern")
RICHER = SCHEMA.replace("size: I32?", "size: I32?  level: I32 = 3")
STRICTER = SCHEMA.replace("size: I32?", "size: I32? @range(size, 0..10)")
POORER = SCHEMA.replace("  size: I32?", "")
WITHOUT_KNOWS = "\n".join(line for line in SCHEMA.splitlines() if "Knows" not in line)


async def parted(tmp_path: Path, text: str, *, migrated: str) -> MergeRig:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(BASE)
    await rig.branch("feat")
    before = await rig.roots.ir("g", await rig.roots.head("g"))
    await rig.migrate(payload(text, before), migrated)
    return rig


def levelled(level: int, *rows: State) -> State:
    """Returns the rows with a level for each city."""
    found: State = {}
    for some in rows:
        for key, row in some.items():
            found[key] = row | ({"level": level} if key[0] == "City" else {})
    return found


@pytest.mark.parametrize("migrated", [MAIN, "feat"])
async def test_rows_of_the_branch_that_stayed_behind_are_migrated(
    tmp_path: Path, migrated: str
) -> None:
    rig = await parted(tmp_path, RICHER, migrated=migrated)
    behind = "feat" if migrated == MAIN else MAIN
    await rig.become(
        levelled(4, city("genf", 2)) | levelled(3, city("bern", 1)) | person("ann", "bern"),
        migrated,
    )
    await rig.become(BASE | city("bern", 9) | city("chur"), behind)

    report = await rig.merge("feat")

    assert report.outcome == "merged"
    assert await rig.rows() == (
        levelled(3, city("bern", 9), city("chur"))
        | levelled(4, city("genf", 2))
        | person("ann", "bern")
    )
    head = await rig.roots.head("g")
    assert head.schema.source_digest == payload(RICHER).source_digest


@pytest.mark.parametrize("migrated", [MAIN, "feat"])
async def test_a_value_that_the_other_schema_does_not_permit_is_a_conflict(
    tmp_path: Path, migrated: str
) -> None:
    rig = await parted(tmp_path, STRICTER, migrated=migrated)
    behind = "feat" if migrated == MAIN else MAIN
    await rig.become(BASE | city("genf", 7), migrated)
    await rig.become(BASE | city("chur", 99), behind)

    report = await rig.merge("feat")

    (conflict,) = report.conflicts
    assert (conflict.kind, conflict.type, conflict.id, conflict.properties) == (
        "ValueConstraintViolation",
        "City",
        "chur",
        ("size",),
    )
    row = {"slug": "chur", "size": 99}
    sides = (row, None) if behind == MAIN else (None, row)
    assert (conflict.base, (conflict.ours, conflict.theirs)) == (None, sides)


async def test_a_change_to_a_dropped_property_is_a_conflict(tmp_path: Path) -> None:
    rig = await parted(tmp_path, POORER, migrated=MAIN)
    await rig.become(BASE | city("genf", 5) | city("chur", 1), "feat")

    report = await rig.merge("feat")

    assert [(c.kind, c.id, c.properties) for c in report.conflicts] == [
        ("DeleteVsUpdate", "genf", ("size",))
    ]


async def test_rows_of_a_dropped_type_are_a_conflict(tmp_path: Path) -> None:
    rig = await parted(tmp_path, WITHOUT_KNOWS, migrated="feat")
    await rig.become(BASE | {("Knows", "k"): {"from": "ann", "to": "ann", "since": None}})
    await rig.become({k: r for k, r in BASE.items() if k[1] != "genf"}, "feat")

    report = await rig.merge("feat")

    (conflict,) = report.conflicts
    assert (conflict.kind, conflict.type, conflict.id) == ("DeleteVsUpdate", "Knows", "k")
    assert (conflict.ours, conflict.theirs) == ({"from": "ann", "to": "ann", "since": None}, None)


async def test_two_schemas_that_both_moved_on_are_refused(tmp_path: Path) -> None:
    rig = await parted(tmp_path, RICHER, migrated=MAIN)
    behind = await rig.roots.ir("g", await rig.roots.head("g", "feat"))
    await rig.migrate(payload(STRICTER, behind), "feat")

    with pytest.raises(GraphError) as refused:
        await rig.merge("feat")

    assert refused.value.diagnostic.code == "merge_schema_diverged"


async def test_one_schema_that_both_branches_moved_on_to_is_no_obstacle(tmp_path: Path) -> None:
    """Each migration gives what it adds an id of its own."""
    text = RICHER + "node Club { slug: String @key  since: I32? }\n"
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(BASE)
    await rig.branch("feat")
    before = await rig.roots.ir("g", await rig.roots.head("g"))
    await rig.migrate(payload(text, before), MAIN)
    await rig.migrate(_again(text, before), "feat")
    old = levelled(3, BASE)
    ours = old | levelled(4, city("bern", 1)) | club("chess", 1)
    theirs = old | levelled(5, city("genf", 2)) | club("go", 2)
    await rig.become(ours)
    await rig.become(theirs, "feat")

    report = await rig.merge("feat")
    again = await rig.merge("feat")

    assert (report.outcome, report.conflicts) == ("merged", ())
    assert await rig.rows() == ours | levelled(5, city("genf", 2)) | club("go", 2)
    assert again.outcome == "already_up_to_date"

    later = theirs | club("go", 3) | levelled(6, city("genf", 2)) | club("dice", 1)
    await rig.become(later, "feat")
    back = await rig.merge("feat")
    assert (back.outcome, back.conflicts) == ("merged", ())
    whole = ours | levelled(6, city("genf", 2)) | club("go", 3) | club("dice", 1)
    assert await rig.rows() == whole
    await rig.become(whole | club("chess", 9))
    assert (await rig.merge(MAIN, "feat")).outcome == "fast_forward"
    assert await rig.rows("feat") == whole | club("chess", 9)


async def test_what_both_branches_set_in_a_new_property_of_theirs_is_a_conflict(
    tmp_path: Path,
) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(BASE)
    await rig.branch("feat")
    before = await rig.roots.ir("g", await rig.roots.head("g"))
    await rig.migrate(payload(RICHER, before), MAIN)
    await rig.migrate(_again(RICHER, before), "feat")
    await rig.become(levelled(3, BASE) | levelled(4, city("bern", 1)))
    await rig.become(levelled(3, BASE) | levelled(5, city("bern", 1)), "feat")

    (conflict,) = (await rig.merge("feat")).conflicts

    assert (conflict.kind, conflict.id, conflict.properties) == (
        "DivergentUpdate",
        "bern",
        ("level",),
    )


def club(slug: str, since: int) -> State:
    return {("Club", slug): {"slug": slug, "since": since}}


def _again(text: str, before: SchemaIr) -> SchemaPayload:
    """Returns the schema with what is new under other ids than `payload` gives."""
    made = payload(text)
    compiled = compile_schema(text.encode(), file="g.pg")
    assert compiled.catalog is not None
    numbers = itertools.count(5_000)
    return msgspec.structs.replace(
        made, ir=evolve_ir(before, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10)))
    )


async def test_one_name_for_two_properties_of_two_branches_is_compared_as_two(
    tmp_path: Path,
) -> None:
    rig = MergeRig(LocalStore(tmp_path))
    await rig.begin(BASE)
    await rig.branch("feat")
    before = await rig.roots.ir("g", await rig.roots.head("g"))
    await rig.migrate(payload(SCHEMA.replace("size: I32?", "size: I32?  x: String?"), before), MAIN)
    await rig.migrate(_again(SCHEMA.replace("size: I32?", "size: I32?  x: I32?"), before), "feat")
    await rig.become(BASE | {("City", "bern"): {"slug": "bern", "size": 1, "x": "far"}})

    there = await rig.graphs.diff("g", "main:4", "feat:2")
    back = await rig.graphs.diff("g", "feat:2", "main:4")

    assert (there.types, there.schema_changed) == ((), True)
    (cities,) = back.types
    assert (cities.updated, cities.properties) == (1, {"x": 1})
