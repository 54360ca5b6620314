"""What migrations do to datasets: crash points, branches, indexes. Source: graph-engine 2."""

from pathlib import Path

import lance
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.asking import Point
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, SchemaPayload
from tests.graph.writes.writes_bench import INCARNATION, Bench, DyingAt, StoppedError, stamp

BEFORE = """
node A { k: String @key  i: I32? @index  f: F32?  gone: String? }
edge E: A -> A { w: I32? }
"""
AFTER = """
node A { k: String @key  i: I64? @index @unique  f: F64?  more: [String] = ["x"] }
node B { k: String @key  of: Vector(2)? }
edge E: A -> A @card(0..2) { w: I64? }
edge F: A -> B
"""
ROWS = (
    {"type": "A", "data": {"k": "a", "i": 1, "f": 0.5, "gone": "g"}},
    {"type": "A", "data": {"k": "b"}},
    {"edge": "E", "from": "a", "to": "b", "data": {"w": 7}},
)
MIGRATED = [
    {"k": "a", "i": 1, "f": 0.5, "more": ["x"]},
    {"k": "b", "i": None, "f": None, "more": ["x"]},
]


async def filled(tmp_path: Path) -> Bench:
    here = await Bench(tmp_path).becomes(BEFORE)
    await here.load(*ROWS)
    return here


def indexing(here: Bench, place: int) -> LanceGraphs:
    """A port that indexes from the first row on and dies at one write."""
    return LanceGraphs(
        LocalStore(here.root), before_table_write=DyingAt(place), mint=here.minted, index_rows_min=1
    )


def columns_of(here: Bench, name: str) -> dict[str, str]:
    type_id = next(t.id for t in here.ir.types if t.name == name)
    place = here.root / f"graphs/g.omni/data/{INCARNATION}/{type_id}.lance"
    return {field.name: str(field.type) for field in lance.dataset(str(place)).schema}


@pytest.mark.slow
async def test_a_migration_that_dies_at_any_write_leaves_the_old_schema_and_can_be_done_again(
    tmp_path: Path,
) -> None:
    here = await filled(tmp_path)
    before = await here.graphs.observe("g")
    schema = here.payload(AFTER)
    died = 0

    while died < 100:
        try:
            await indexing(here, died).migrate(
                "g", schema=schema, observed=here.commit, stamp=stamp(700)
            )
        except StoppedError:
            died += 1
            seen = await here.graphs.observe("g")
            assert (seen.commit, seen.source_digest) == (before.commit, before.source_digest)
            assert len(await here.rows("A")) == 2
        else:
            break

    assert 8 < died < 100, "there are many writes to die at, and an end of them"
    here.ir, here.commit = schema.ir, here.commit + 1
    assert await here.rows("A") == MIGRATED
    assert columns_of(here, "A")["i"] == "int64"
    await here.load({"type": "A", "data": {"k": "c", "i": 1 << 40}})
    await here.do('update A set { i: 9007199254740993 } where k = "b"')
    assert [row["i"] for row in await here.rows("A") if isinstance(row, dict)] == [
        1,
        "9007199254740993",
        1 << 40,
    ]


async def test_a_branch_keeps_its_schema_until_it_is_asked(tmp_path: Path) -> None:
    here = await filled(tmp_path)
    await here.graphs.branch_create("g", "try", stamp=stamp(next(here.stamps)))
    old = here.ir
    await here.becomes(AFTER)
    await here.load({"type": "B", "data": {"k": "b"}}, {"edge": "F", "from": "a", "to": "b"})
    new, here.ir = here.ir, old

    kept = await here.do('update A set { gone: "h" } where k = "b"', branch="try")
    here.ir = new
    number = await here.graphs.migrate(
        "g", schema=same(AFTER, here), observed=2, stamp=stamp(701), branch="try"
    )
    after = await here.do(
        'insert B { k: "x" of: [1, 2] } insert F { from: "b" to: "x" }'
        ' insert A { k: "c" i: 9007199254740993 more: [] }',
        branch="try",
    )

    assert (kept.commit, number, after.commit) == ("try:2", 3, "try:4")
    assert (after.affected_nodes, after.affected_edges) == (2, 1)
    assert await here.rows("A") == MIGRATED, "main is as it was"
    assert await here.rows("B") == [{"k": "b", "of": None}]
    query = here.query("query a() { match { $x: A } return { $x.k as k, $x.more as more } }")
    found = await here.graphs.run("g", query, {}, point=Point(branch="try"))
    assert [(row["k"], row["more"]) for row in found.rows] == [
        ("a", ["x"]),
        ("b", ["x"]),
        ("c", []),
    ]


def same(text: str, here: Bench) -> SchemaPayload:
    """Returns the schema in force on `main`, as it stands there."""
    return here.payload(text)


async def test_a_branch_whose_rows_break_the_schema_is_refused_it(tmp_path: Path) -> None:
    here = await filled(tmp_path)
    await here.graphs.branch_create("g", "try", stamp=stamp(next(here.stamps)))
    old = here.ir
    await here.becomes(AFTER)
    new, here.ir = here.ir, old
    await here.do('update A set { i: 5 } where k = "a" or k = "b"', branch="try")
    here.ir = new

    with pytest.raises(GraphError) as caught:
        await here.graphs.migrate(
            "g", schema=same(AFTER, here), observed=2, stamp=stamp(701), branch="try"
        )

    assert caught.value.diagnostic.code == "schema_rows_violate"
    assert "1 row that repeats A.i" in caught.value.diagnostic.message


async def test_a_new_edge_type_that_each_node_must_have_is_refused_where_nodes_are(
    tmp_path: Path,
) -> None:
    here = await filled(tmp_path)

    with pytest.raises(GraphError) as caught:
        await here.becomes(BEFORE + "edge N: A -> A @card(1..)")

    assert "2 nodes with a number of N.from edges outside @card(1..)" in str(caught.value)


async def test_a_required_default_is_unique_only_of_a_single_row(tmp_path: Path) -> None:
    here = await filled(tmp_path)

    with pytest.raises(GraphError) as caught:
        await here.becomes(BEFORE.replace("gone: String?", "gone: String? n: I32 = 1 @unique"))

    assert "1 row that repeats A.n" in str(caught.value)
