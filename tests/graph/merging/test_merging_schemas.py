"""Branches whose schemas differ are migrated at the merge. Source: graph-engine 2, 5."""

from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError
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
