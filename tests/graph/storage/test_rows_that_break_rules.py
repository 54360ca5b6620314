"""What a look at all stored rows finds, some rows at a time. Source: graph-engine 6."""

import math
import random
from collections import Counter
from pathlib import Path

import lance
import pyarrow as pa

from agentctl.graph.care.broken_rules import look_at_rows
from agentctl.graph.care.ends import check_ends
from agentctl.graph.care.repeats import repeated_rows
from agentctl.graph.care.stored_rows import BATCH_ROWS, StoredRows
from agentctl.graph.columns import physical_schema
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import VIOLATION_COUNT_MAX, Violations
from agentctl.graph.writes.changes import Changes, RowsInMemory, TypeChange
from agentctl.graph.writes.checking import check
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.testing.sampling import LONG, seed_of_run
from agentctl.testing.staged_rows import staged_from
from tests.graph.storage.storage_rig import payload

SCHEMA = """
node A { k: String @key  n: I32? @unique  e: enum(p, q)?  s: String?  f: F64? @unique
  d: Date? @unique  @range(n, 0..20) @check(s, "^[a-c]*$") @unique(e, s) }
node B { t: String }
edge E: A -> A @card(0..2) { w: I32?  @unique(src, dst) }
edge F: A -> B @card(1..2)
edge G: B -> A
"""
LATE = """
node A { k: String @key  n: I32? @unique @range(n, 0..1000000) }
edge E: A -> A @card(0..2)
"""
Told = Counter[tuple[str, str, str | None, str | None]]
"""Rule, type, property and id of each problem."""


class Loose(Snapshot):
    """Datasets that no commit names."""

    def __init__(self, ir: SchemaIr, datasets: dict[str, lance.LanceDataset]) -> None:
        self.ir = ir
        self.datasets = datasets

    def dataset(self, ir_type: IrType) -> lance.LanceDataset:
        return self.datasets[ir_type.id]

    def rows(self, ir_type: IrType) -> int:
        return int(self.dataset(ir_type).count_rows())


def stored(folder: Path, text: str, rows: dict[str, list[pa.Table]]) -> Loose:
    """Returns datasets of a schema that hold *rows*, each table as files of its own."""
    ir = payload(text).ir
    datasets: dict[str, lance.LanceDataset] = {}
    for owner in ir.types:
        place = str(folder / f"{owner.name}.lance")
        for table in rows[owner.name]:
            datasets[owner.id] = lance.write_dataset(table, place, mode="append")
    return Loose(ir, datasets)


def told_by(violations: Violations) -> Told:
    assert violations.count < VIOLATION_COUNT_MAX
    return Counter((v.rule, v.type_name, v.property, v.id) for v in violations.told)


def judged_as_written(snapshot: Loose) -> Told:
    """What the check of writes says of a change that writes every row again."""
    violations = Violations(of_load=False)
    types = {
        t.id: TypeChange(
            type=t, rows=RowsInMemory(snapshot.dataset(t).to_table()), replaces_all=True
        )
        for t in snapshot.ir.types
    }
    check(snapshot, Changes(types=types), violations)
    return told_by(violations)


def random_rows(rng: random.Random, owner: IrType) -> pa.Table:
    """Rows of which some break each rule."""
    count = rng.randrange(1, 5)
    columns: dict[str, list[object]] = {"id": [f"{owner.name.lower()}{rng.randrange(9)}" for _ in range(count)]}  # fmt: skip
    if owner.kind == "edge":
        for end, name in (("src", owner.source), ("dst", owner.target)):
            columns[end] = [f"{str(name).lower()}{rng.randrange(9)}" for _ in range(count)]
    choices: dict[str, list[object]] = {
        "k": ["k", None],
        "n": [None, -1, 3, 4, 21],
        "e": [None, "p", "q", "r"],
        "s": [None, "abc", "a", "x"],
        "f": [None, 0.0, -0.0, 1.5, math.nan, math.inf],
        "d": [None, 1, 2, 3],
        "t": ["t", "t", None],
    }
    for prop in owner.properties:
        columns[prop.column] = [rng.choice(choices.get(prop.name, [None])) for _ in range(count)]
    schema = physical_schema(owner)
    return pa.Table.from_batches(staged_from(owner, columns).batches(schema), schema=schema)


def test_some_rows_at_a_time_show_what_all_of_them_do(tmp_path: Path) -> None:
    rng = random.Random(seed_of_run())
    print("seed", seed_of_run())  # noqa: T201  # to repeat a failure
    seen: Counter[str] = Counter()
    for case in range(200 if LONG else 12):
        parts = rng.randrange(1, 4)
        rows = {
            t.name: [random_rows(rng, t) for _ in range(parts)] for t in payload(SCHEMA).ir.types
        }
        snapshot = stored(tmp_path / str(case), SCHEMA, rows)
        violations, ends = Violations(of_load=False), Violations(of_load=False)

        look_at_rows(snapshot, violations)
        check_ends(snapshot, ends, part_rows=2)

        expected = judged_as_written(snapshot)
        assert told_by(violations) == expected
        of_ends = {k: n for k, n in expected.items() if k[0] in ("endpoint", "cardinality")}
        assert told_by(ends) == of_ends
        seen.update(rule for rule, *_ in expected)
    assert {*seen} == {
        *("required", "enum", "range", "check", "finite", "key", "unique"),
        *("endpoint", "cardinality"),
    }


def test_what_comes_twice_is_found_in_any_number_of_passes(tmp_path: Path) -> None:
    ids = [f"p{n % 70}" for n in range(100)]
    table = pa.table({"id": ids, "k": ids, "n": pa.array(range(100), pa.int32())})
    snapshot = stored(tmp_path, LATE, {"A": [table], "E": [no_edges()]})
    rows = StoredRows(snapshot, snapshot.node("A"), batch_rows=7)
    told: list[str] = []

    repeated_rows(
        rows,
        ["id"],
        lambda found: told.extend(found["id"].to_pylist()),
        part_rows=9,
        suspect_count=2,
    )

    assert sorted(told) == sorted(f"p{n}" for n in range(30))


def test_both_zeros_are_one_value(tmp_path: Path) -> None:
    text = "node A { k: String @key  f: F64? @unique }"
    ids = ["a", "b", "c"]
    table = pa.table({"id": ids, "k": ids, "f": [0.0, 1.0, -0.0]})
    snapshot = stored(tmp_path, text, {"A": [table]})
    violations = Violations(of_load=False)

    look_at_rows(snapshot, violations)

    found = Counter({("unique", "A", "f", "c"): 1})
    assert (told_by(violations), judged_as_written(snapshot)) == (found, found)


def no_edges() -> pa.Table:
    return edges([], [])


def edges(sources: list[str], targets: list[str]) -> pa.Table:
    texts = (pa.array(column, pa.utf8()) for column in (sources, targets))
    ids = pa.array([f"e{n:09}" for n in range(len(sources))], pa.utf8())
    return pa.table([ids, *texts], names=["id", "src", "dst"])


def test_a_problem_in_the_last_of_many_batches_is_found(tmp_path: Path) -> None:
    count = 2 * BATCH_ROWS + 100
    ids = [f"p{n}" for n in range(count)]
    numbers = list(range(count))
    ids[-1], numbers[-2], numbers[-3] = ids[0], numbers[1], -1
    table = pa.table({"id": ids, "k": ids, "n": pa.array(numbers, pa.int32())})
    near, far = ids[: count - 4], ids[1 : count - 3]
    near += [ids[7], ids[7], "nobody"]
    far += [ids[8], ids[9], "nobody"]
    snapshot = stored(tmp_path, LATE, {"A": [table], "E": [edges(near, far)]})
    violations = Violations(of_load=False)

    look_at_rows(snapshot, violations)

    last = f"e{len(near) - 1:09}"
    assert told_by(violations) == Counter(
        {
            ("range", "A", "n", ids[-3]): 1,
            ("key", "A", None, "p0"): 1,
            ("unique", "A", "n", ids[-2]): 1,
            ("endpoint", "E", "from", last): 1,
            ("endpoint", "E", "to", last): 1,
            ("cardinality", "E", "from", "p7"): 1,
        }
    )
