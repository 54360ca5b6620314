"""What the checks find in changed rows is what a look at the whole graph finds. Source: graph-engine 2."""

import math
import random
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import VIOLATION_COUNT_MAX, Violations
from agentctl.graph.writes.changes import Changes, TypeChange
from agentctl.graph.writes.checking import check
from agentctl.ids import ulid
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.testing.sampling import LONG, seed_of_run
from agentctl.testing.staged_rows import staged_from
from tests.graph.writes.writes_bench import Bench

SCHEMA = """
node A { k: String @key  n: I32? @unique  e: enum(p, q)?  s: String?  f: F64?
  @range(n, 0..20) @check(s, "^[a-c]*$") @unique(e, s) }
node B { t: String }
edge E: A -> A @card(0..2) { w: I32?  @unique(src, dst) }
edge F: A -> B @card(1..2)
edge G: B -> A
"""
ENDS = {"E": ("A", "A"), "F": ("A", "B"), "G": ("B", "A")}
CARD = {"E": (0, 2), "F": (1, 2)}
UNIQUE = (("A", ("n",)), ("A", ("e", "s")), ("E", ("dst", "src")))

Row = dict[str, object]
Model = dict[str, dict[str, Row]]
Found = tuple[str, str, str, str]
"""Rule, type, property, id; without the id where it is not the same for all orders."""


def good_graph() -> Model:
    """A graph that keeps every rule, with some room and some tight places."""
    ids = {
        name: [ulid(9, bytes([i, at]) + bytes(8)) for i in range(8)]
        for at, name in enumerate("BEFG")
    }
    model: Model = {name: {} for name in "ABEFG"}
    for i in range(6):
        model["A"][f"a{i}"] = {
            "k": f"a{i}", "n": i if i < 4 else None, "e": "p" if i < 3 else None, "s": "abc"[: i % 4], "f": i / 2
        }  # fmt: skip
        model["B"][ids["B"][i]] = {"t": str(i)}
        model["F"][ids["F"][i]] = {"src": f"a{i}", "dst": ids["B"][i]}
        model["G"][ids["G"][i]] = {"src": ids["B"][i], "dst": f"a{(i + 1) % 6}"}
        model["E"][ids["E"][i]] = {"src": f"a{i // 2}", "dst": f"a{i % 2}", "w": None}
    return model


def lines_of(model: Model) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for name, rows in model.items():
        for row_id, row in rows.items():
            data = {k: v for k, v in row.items() if k not in ("src", "dst")}
            if name in ENDS:
                data["id"] = row_id
                lines.append({"edge": name, "from": row["src"], "to": row["dst"], "data": data})
            else:
                lines.append({"type": name, "data": data | ({} if name == "A" else {"id": row_id})})
    return lines


class Change:
    """A random change of one type, as a value and as the engine takes it."""

    def __init__(self, rng: random.Random, name: str, model: Model) -> None:
        there = sorted(model[name])
        self.replaces_all = rng.random() < 0.1
        gone = [] if self.replaces_all else [i for i in there if rng.random() < 0.15]
        self.deleted = gone
        self.staged: Model = {name: {}}
        fresh = (
            [f"a{i}" for i in range(6, 9)]
            if name == "A"
            else [ulid(7, bytes([rng.randrange(256)]) + bytes(9)) for _ in range(2)]
        )
        kept = [i for i in there if i not in gone]
        written = [*kept, *fresh]
        for row_id in rng.sample(written, min(rng.randrange(0, 4), len(written))):
            self.staged[name][row_id] = random_row(rng, name, row_id, model)
        self.inserts_only = rng.random() < 0.2
        self.name = name

    def for_engine(self, ir_type: IrType) -> TypeChange:
        rows = self.staged[self.name]
        columns: dict[str, list[object]] = {"id": list(rows)}
        for column in [
            *(("src", "dst") if ir_type.kind == "edge" else ()),
            *(p.column for p in ir_type.properties),
        ]:
            columns[column] = [row.get(column) for row in rows.values()]
        return TypeChange(
            type=ir_type,
            rows=staged_from(ir_type, columns) if rows else None,
            deleted=pa.array(self.deleted, pa.utf8()) if self.deleted else None,
            replaces_all=self.replaces_all,
            inserts_only=self.inserts_only,
        )


def random_row(rng: random.Random, name: str, row_id: str, model: Model) -> Row:
    if name == "A":
        return {
            "k": row_id,
            "n": rng.choice([None, rng.randrange(8), -1, 21, 20]),
            "e": rng.choice([None, "p", "q", "r"]),
            "s": rng.choice([None, "", "a", "ab", "abd"]),
            "f": rng.choice([None, 0.5, -0.0, math.inf, math.nan]),
        }
    if name == "B":
        return {"t": rng.choice([None, "x"])}
    source, target = ENDS[name]
    pools = [
        [*sorted(model[end]), "nowhere", *(["a6", "a7"] if end == "A" else [])]
        for end in (source, target)
    ]
    ends: Row = {"src": rng.choice(pools[0]), "dst": rng.choice(pools[1])}
    return ends | ({"w": rng.randrange(3)} if name == "E" else {})


def after(model: Model, changes: list[Change]) -> Model:
    result = {name: dict(rows) for name, rows in model.items()}
    for change in changes:
        if change.replaces_all:
            result[change.name] = {}
        for row_id in change.deleted:
            del result[change.name][row_id]
        result[change.name].update(change.staged[change.name])
    return result


def wrong_in(model: Model, before: Model, changes: list[Change]) -> set[Found]:
    """Everything that is wrong with a graph, found by looking at all of it."""
    staged = {(c.name, i) for c in changes for i in c.staged[c.name]}
    found: set[Found] = set()
    for change in changes:
        if change.inserts_only and not change.replaces_all:
            found |= {
                ("key", change.name, "", i)
                for i in change.staged[change.name]
                if i in before[change.name]
            }
    for row_id, row in model["A"].items():
        found |= {(rule, "A", prop, row_id) for rule, prop in wrong_values(row)}
    found |= {("required", "B", "t", i) for i, row in model["B"].items() if row["t"] is None}
    for name, columns in UNIQUE:
        tuples = [tuple(row[c] for c in columns) for row in model[name].values()]
        whole = [values for values in tuples if None not in values]
        if len({*whole}) < len(whole):
            found.add(("unique", name, ", ".join(columns), ""))
    found |= wrong_ends(model, staged)
    for edge, (low, high) in CARD.items():
        leaving = Counter(row["src"] for row in model[edge].values())
        found |= {
            ("cardinality", edge, "from", node)
            for node in model[ENDS[edge][0]]
            if not low <= leaving[node] <= high
        }
    return found


def wrong_ends(model: Model, staged: set[tuple[str, str]]) -> set[Found]:
    found: set[Found] = set()
    for edge, ends in ENDS.items():
        for row_id, row in model[edge].items():
            for column, node in zip(("src", "dst"), ends, strict=True):
                if row[column] not in model[node]:
                    rule = "endpoint" if (edge, row_id) in staged else "orphan"
                    found.add((rule, edge, {"src": "from", "dst": "to"}[column], row_id))
    return found


def wrong_values(row: Row) -> list[tuple[str, str]]:
    n, e, s, f = (row[c] for c in "nesf")
    wrong = []
    if isinstance(n, int) and not 0 <= n <= 20:
        wrong.append(("range", "n"))
    if e not in (None, "p", "q"):
        wrong.append(("enum", "e"))
    if isinstance(s, str) and not re.search("^[a-c]*$", s):
        wrong.append(("check", "s"))
    if isinstance(f, float) and not math.isfinite(f):
        wrong.append(("finite", "f"))
    return wrong


def told_by(violations: Violations) -> set[Found]:
    found: set[Found] = set()
    for told in violations.told:
        row_id = "" if told.rule == "unique" else str(told.id)
        found.add((told.rule, told.type_name, told.property or "", row_id))
    return found


async def test_random_changes_are_judged_as_a_look_at_the_whole_graph_judges_them(
    tmp_path: Path,
) -> None:
    model = good_graph()
    here = await Bench(tmp_path).becomes(SCHEMA)
    await here.load(*lines_of(model))
    rng = random.Random(seed_of_run())
    print("seed", seed_of_run())  # noqa: T201  # to repeat a failure
    cases = 2_000 if LONG else 60

    def judge(snapshot: Snapshot) -> Counter[str]:
        seen: Counter[str] = Counter()
        for case in range(cases):
            names = [name for name in "ABEFG" if rng.random() < (0.5 if case % 3 else 0.2)]
            changes = [Change(rng, name, model) for name in names]
            types = [c.for_engine(named(snapshot.ir, c.name)) for c in changes]
            violations = Violations(of_load=False)

            matched = check(snapshot, Changes(types={t.type.id: t for t in types}), violations)

            result = after(model, changes)
            expected = wrong_in(result, model, changes)
            assert violations.count < VIOLATION_COUNT_MAX
            assert told_by(violations) == expected
            for change, kind in zip(changes, types, strict=True):
                replaced = (
                    0
                    if change.replaces_all
                    else len({*change.staged[change.name]} & {*model[change.name]})
                )
                assert matched.get(kind.type.id, 0) == replaced
            seen.update(rule for rule, *_ in expected)
            seen["good"] += not expected
        return seen

    roots = here.graphs._roots
    seen = await roots.on_snapshot("g", await roots.head("g"), judge)

    assert {*seen} >= {"key", "required", "enum", "range", "check", "finite", "unique"}
    assert {*seen} >= {"endpoint", "orphan", "cardinality", "good"}


def named(ir: SchemaIr, name: str) -> IrType:
    return next(t for t in ir.types if t.name == name)


async def test_each_rule_is_told_by_its_code_in_a_write_and_in_a_load(tmp_path: Path) -> None:
    here = await Bench(tmp_path).becomes(
        "node A { k: String @key  n: I32? @unique } edge E: A -> A @card(0..1)"
    )
    await here.load(
        {"type": "A", "data": {"k": "a", "n": 1}},
        {"type": "A", "data": {"k": "b", "n": 2}},
        {"edge": "E", "from": "a", "to": "b"},
    )

    def judge(snapshot: Snapshot) -> list[list[str]]:
        node, edge = snapshot.ir.types
        rows = staged_from(node, {"id": ["a", "c"], "k": ["a", None], "n": [None, None]})
        gone = TypeChange(type=node, rows=rows, deleted=pa.array(["b"]), inserts_only=True)
        more = staged_from(edge, {"id": ["x", "y"], "src": ["a", "a"], "dst": ["a", "nowhere"]})
        first = Changes(
            types={node.id: gone, edge.id: TypeChange(type=edge, rows=more, fresh_ids=True)}
        )
        again = staged_from(node, {"id": ["d"], "k": ["d"], "n": [2]})
        second = Changes(types={node.id: TypeChange(type=node, rows=again)})
        codes = []
        for of_load in (False, True):
            violations = Violations(of_load=of_load)
            check(snapshot, first, violations)
            check(snapshot, second, violations)
            codes.append(sorted(d.code for d in violations.diagnostics("graph.g")))
        return codes

    roots = here.graphs._roots
    of_write, of_load = await roots.on_snapshot("g", await roots.head("g"), judge)

    assert of_write == [
        "cardinality_violated",
        "endpoint_missing",
        "key_violated",
        "orphan_edge",
        "unique_violated",
        "value_violated",
    ]
    assert of_load == [
        "cardinality_violated",
        "load_endpoint_missing",
        "load_key_violation",
        "load_value_invalid",
        "orphan_edge",
        "unique_violated",
    ]


@pytest.mark.parametrize("given", ["ids", "unique"])
async def test_what_comes_twice_in_a_change_is_told_of_the_later_rows(
    tmp_path: Path, given: str
) -> None:
    here = await Bench(tmp_path).becomes("node A { k: String @key n: I32? @unique }")
    twice: dict[str, list[object]] = {"id": ["a", "b", "a"], "k": ["a", "b", "a"]}
    alike: dict[str, list[object]] = {
        "id": ["a", "b", "c"],
        "k": ["a", "b", "c"],
        "n": [1, None, 1],
    }

    def judge(snapshot: Snapshot) -> list[str]:
        ir_type = named(snapshot.ir, "A")
        rows = staged_from(ir_type, twice if given == "ids" else alike)
        violations = Violations(of_load=False)
        change = TypeChange(type=ir_type, rows=rows)
        check(snapshot, Changes(types={ir_type.id: change}), violations)
        return [v.message for v in violations.told]

    roots = here.graphs._roots
    found = await roots.on_snapshot("g", await roots.head("g"), judge)

    if given == "ids":
        assert found == ["A 'a' is given twice"]
    else:
        assert found == ["A 'c', n: another row of this write has the same values"]


async def test_the_list_of_violations_is_bounded_and_the_count_is_not(tmp_path: Path) -> None:
    here = await Bench(tmp_path).becomes(
        "node A { n: I32 @range(n, 0..9) } edge E: A -> A @card(0..1)"
    )
    count = 1_000

    def judge(snapshot: Snapshot) -> Violations:
        node, edge = snapshot.ir.types
        ids = [ulid(3, i.to_bytes(10)) for i in range(count)]
        many = staged_from(node, {"id": ids, "n": [10] * count})
        lost = staged_from(edge, {"id": ids, "src": ["x"] * count, "dst": ids})
        violations = Violations(of_load=False)
        types = {
            t.id: TypeChange(type=t, rows=r, fresh_ids=True)
            for t, r in ((node, many), (edge, lost))
        }
        check(snapshot, Changes(types=types), violations)
        return violations

    roots = here.graphs._roots
    found = await roots.on_snapshot("g", await roots.head("g"), judge)

    assert found.count == 2 * count, "each value and each lost end"
    diagnostics = found.diagnostics("graph.g")
    assert len(diagnostics) == VIOLATION_COUNT_MAX + 1
    assert f"{found.count} in all" in diagnostics[-1].message
