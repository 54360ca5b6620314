"""The three-way merge as values, against a naive model of what it means. Source: graph-engine 5."""

import itertools
import math
import random
from collections.abc import Callable, Mapping

import pyarrow as pa
import pytest

from agentctl.graph.branching.differences import TypeDiff, differences, holding, read_as
from agentctl.graph.branching.migrated import lost_rows, lost_values, migrated
from agentctl.graph.branching.sides import sides_of
from agentctl.graph.branching.threeway import MergedType, merge_type
from agentctl.graph.columns import column_of, physical_schema
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
from agentctl.testing.sampling import sampled, seed_of_run
from tests.graph.merging.merge_model import Graph, Sort, Told, merged

SCHEMA = """
node Thing { slug: String @key  name: String?  size: I32?  weight: F64?  at: DateTime?  day: Date?
  tags: [String]?  vec: Vector(2)?  u: U64?  on: Bool? }
"""
CASES = 120


def minter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: ulid(5, next(numbers).to_bytes(10))


def ir_of(
    text: str, old: SchemaIr | None = None, mint: Callable[[], str] | None = None
) -> SchemaIr:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return evolve_ir(old, compiled.catalog, mint or minter())


THING = ir_of(SCHEMA).types[0]
VALUES: Mapping[str, tuple[object, ...]] = {
    "name": (None, "a", "b"),
    "size": (None, 1, 2),
    "weight": (None, 0.5, math.nan),
    "at": (None, 1_000, 1_001),
    "day": (None, 7, 8),
    "tags": (None, ("x",), ("x", "y")),
    "vec": (None, (0.0, 1.0), (0.0, 2.0)),
    "u": (None, 2**63, 2**63 + 1),
    "on": (None, True, False),
}
Rows = dict[str, dict[str, object]]


def table_of(rows: Rows, ir_type: IrType = THING) -> pa.Table:
    ids = list(rows)
    columns = {"id": pa.array(ids, pa.utf8())} | {
        p.column: column_of(p, [i if p.name == "slug" else rows[i].get(p.name) for i in ids])
        for p in ir_type.properties
    }
    return pa.table(columns).cast(physical_schema(ir_type))


def shown(table: pa.Table) -> dict[str, Mapping[str, object]]:
    return dict(zip(table["id"].to_pylist(), sides_of(THING, table), strict=True))


def graph_of(rows: Rows) -> Graph:
    return {("Thing", row_id): row for row_id, row in shown(table_of(rows)).items()}


def random_rows(rng: random.Random) -> Rows:
    ids = [f"t{n}" for n in range(rng.randrange(8))]
    return {i: {name: rng.choice(among) for name, among in VALUES.items()} for i in ids}


def changed(rng: random.Random, rows: Rows) -> Rows:
    """Returns the rows after some steps of a branch."""
    rows = {row_id: dict(row) for row_id, row in rows.items()}
    for _ in range(rng.randrange(6)):
        row_id = f"t{rng.randrange(10)}"
        what = rng.random()
        if row_id in rows and what < 0.25:
            del rows[row_id]
        elif row_id in rows:
            name = rng.choice(sorted(VALUES))
            rows[row_id][name] = rng.choice(VALUES[name])
        else:
            some = rng.choice(sorted(VALUES))
            rows[row_id] = dict.fromkeys(VALUES) | {some: rng.choice(VALUES[some])}
    return rows


def diff_of(base: Rows, after: Rows) -> TypeDiff:
    return differences(THING, table_of(base), table_of(after))


def applied(rows: Rows, result: MergedType) -> Graph:
    after = dict(graph_of(rows))
    for row_id in result.deleted.to_pylist():
        del after["Thing", row_id]
    for row_id, row in shown(result.rows).items():
        assert after.get(("Thing", row_id)) != row, "what is there already is not written"
        after["Thing", row_id] = row
    return after


def told(result: MergedType) -> set[Told]:
    return {Told(c.kind, c.type, c.id or "", frozenset(c.properties)) for c in result.found.listed}


@pytest.mark.parametrize("case", sampled(range(20 * CASES), CASES, of="values merged"))
def test_random_branches_merge_as_the_naive_model_says(case: int) -> None:
    rng = random.Random(f"{seed_of_run()}:{case}")
    base = random_rows(rng)
    ours, theirs = changed(rng, base), changed(rng, base)

    result = merge_type(diff_of(base, ours), diff_of(base, theirs))

    expected = merged({"Thing": Sort("Thing")}, graph_of(base), graph_of(ours), graph_of(theirs))
    if isinstance(expected, set):
        assert told(result) == expected
        assert result.found.count == len(expected)
    else:
        assert not result.found.count
        assert applied(ours, result) == expected


@pytest.mark.parametrize("case", sampled(range(4 * CASES), CASES // 4, of="values mirrored"))
def test_merging_the_other_way_round_gives_the_same_rows_and_mirrored_conflicts(case: int) -> None:
    rng = random.Random(f"{seed_of_run()}:{case}:mirror")
    base = random_rows(rng)
    ours, theirs = changed(rng, base), changed(rng, base)
    mine, other = diff_of(base, ours), diff_of(base, theirs)

    one, mirrored = merge_type(mine, other), merge_type(other, mine)

    assert told(one) == told(mirrored)
    sides = {c.id: (c.ours, c.theirs) for c in one.found.listed}
    assert sides == {c.id: (c.theirs, c.ours) for c in mirrored.found.listed}
    if not one.found.count:
        assert applied(ours, one) == applied(theirs, mirrored)


@pytest.mark.parametrize("case", sampled(range(4 * CASES), CASES // 4, of="values compared"))
def test_differences_say_what_became_of_every_row_and_property(case: int) -> None:
    rng = random.Random(f"{seed_of_run()}:{case}:diff")
    base = random_rows(rng)
    after = changed(rng, base)
    before_rows, after_rows = shown(table_of(base)), shown(table_of(after))

    diff = diff_of(base, after)

    assert shown(diff.inserted) == {i: r for i, r in after_rows.items() if i not in before_rows}
    assert shown(diff.deleted) == {i: r for i, r in before_rows.items() if i not in after_rows}
    both = [i for i in sorted(after_rows) if i in before_rows and before_rows[i] != after_rows[i]]
    assert list(shown(diff.after)) == both
    assert shown(diff.before) == {i: before_rows[i] for i in both}
    for name in VALUES:
        differing = [before_rows[i][name] != after_rows[i][name] for i in both]
        assert list(diff.differs.get(name, [False] * len(both))) == differing


def test_each_conflict_has_base_ours_and_theirs() -> None:
    base: Rows = {"a": {"size": 1, "name": "a"}, "b": {"size": 1}}
    ours: Rows = {"a": {"size": 2, "name": "a"}, "c": {"size": 3, "at": 1_000}}
    theirs: Rows = {"a": {"size": 3, "name": "b"}, "b": {"size": 2}, "c": {"size": 4, "at": 1_000}}

    result = merge_type(diff_of(base, ours), diff_of(base, theirs))

    a, b, c = result.found.listed
    assert (a.kind, a.id, a.properties) == ("DivergentUpdate", "a", ("size",))
    sides = [side and (side["size"], side["name"]) for side in (a.base, a.ours, a.theirs)]
    assert sides == [(1, "a"), (2, "a"), (3, "b")]
    assert (b.kind, b.id, b.properties, b.ours) == ("DeleteVsUpdate", "b", ("size",), None)
    assert (c.kind, c.id, c.properties, c.base) == ("DivergentInsert", "c", ("size",), None)
    assert c.theirs is not None
    assert c.theirs["at"] == "1970-01-01T00:00:01.000Z"


def test_more_conflicts_than_are_listed_are_counted() -> None:
    base: Rows = {f"t{n:03d}": {"size": 0} for n in range(300)}
    ours: Rows = {row_id: {"size": 1} for row_id in base}
    theirs: Rows = {row_id: {"size": 2} for row_id in base}

    found = merge_type(diff_of(base, ours), diff_of(base, theirs)).found

    assert found.count == 300
    assert [c.id for c in found.listed] == [f"t{n:03d}" for n in range(100)]


def test_what_a_branch_did_to_a_dropped_property_is_a_conflict_and_the_rest_is_migrated() -> None:
    mint = minter()
    old = ir_of("node Thing { slug: String @key  name: String?  size: I32? }", mint=mint)
    new = ir_of("node Thing { slug: String @key  size: I64?  n: I32 = 7 }", old, mint)
    before, after = old.types[0], new.types[0]
    base: Rows = {"a": {"size": 1}, "b": {"size": 1}}
    theirs: Rows = {"a": {"size": 2}, "b": {"size": 1, "name": "b"}, "c": {"size": 5}}
    diff = differences(before, table_of(base, before), table_of(theirs, before))

    lost = lost_values(after, diff, "ours")
    moved = migrated(after, diff)

    assert [(c.kind, c.id, c.properties, c.ours) for c in lost.listed] == [
        ("DeleteVsUpdate", "b", ("name",), None)
    ]
    assert moved.after.to_pylist() == [{"id": "a", "slug": "a", "size": 2, "n": 7}]
    assert moved.inserted.to_pylist() == [{"id": "c", "slug": "c", "size": 5, "n": 7}]
    assert [c.id for c in lost_rows(diff, "ours").listed] == ["a", "b", "c"]
    assert read_as(after, diff.deleted).num_rows == 0


def test_who_looks_back_from_a_widened_property_reads_it_as_wide_as_it_is() -> None:
    mint = minter()
    old = ir_of("node Thing { slug: String @key  size: I32? }", mint=mint)
    new = ir_of("node Thing { slug: String @key  size: I64? }", old, mint)
    before, after = old.types[0], new.types[0]
    table = table_of({"a": {"size": 2**40}}, after)

    assert holding(after, before) == after
    assert read_as(holding(before, after), table)["size"].to_pylist() == [2**40]
