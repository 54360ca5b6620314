"""Texts of queries over small graphs: the engine gives what the oracle gives, by every executor.

Over Arrow tables, so that hundreds of graphs cost little; the corpus and the oracle's own tests ask
the same of Lance.
"""

import json
import random
from typing import TYPE_CHECKING

import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.reads.executors import csr
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.testing.sampling import LONG, seed_of_run
from tests.graph.oracle.oracle import Oracle
from tests.graph.oracle.oracle_asking import Answer, Question, asked, asked_of, catalog_of, line_of
from tests.graph.reads.graph_in_tables import TableGraph

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = """
node P { k: String @key  a: I32?  f: F32?  s: String?  l: [I32]?  b: Bool?  u: U64?  g: F64? }
node C { k: I64 @key  t: String }
edge Knows: P -> P { w: I32?  s: String? }
edge Likes: P -> P
edge At: P -> C { d: Date? }
edge Owns: C -> C
"""
EXECUTORS: tuple[ExecutorName, ...] = ("arrow", "auto", "csr")
"""By adjacencies all ids are positions."""
GRAPHS = 200 if LONG else 12
QUERIES = 40 if LONG else 12

NODES = {"P": ("p", "q", "r"), "C": ("c", "d")}
EDGES = {"knows": ("P", "P"), "likes": ("P", "P"), "at": ("P", "C"), "owns": ("C", "C")}
LITERALS = {
    "a": ("1", "2", "-1", "1.5"),
    "f": ("0.1", "1", "2.5"),
    "s": ('"x"', '"xy"', '""'),
    "b": ("true", "false"),
    "u": ("1", "18446744073709551615", "-3"),
    "g": ("0.1", "1", "9007199254740993"),
    "t": ('"x"', '"y"'),
}


class Writer:
    """Writes queries whose variables are bound before they are used."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = 0

    def query(self) -> str:
        bound = {"p": "P"}
        clauses = ["$p: P", *self.clauses(bound, depth=0)]
        seen = {v: t for v, t in bound.items() if t != "edge"}
        return f"query q() {{ match {{ {' '.join(clauses)} }} {self.result(seen)} }}"

    def clauses(self, bound: dict[str, str], *, depth: int) -> list[str]:
        return [self.clause(bound, depth) for _ in range(self.rng.randint(1, 3 - depth))]

    def clause(self, bound: dict[str, str], depth: int) -> str:
        makes: list[Callable[[dict[str, str]], str]] = [self.hop, self.hop, self.test, self.test]
        if depth < 2:
            makes += [lambda b: self.block(b, depth), lambda b: self.block(b, depth)]
        return self.rng.choice(makes)(bound)

    def hop(self, bound: dict[str, str]) -> str:
        rng = self.rng
        var = rng.choice([v for v, t in bound.items() if t in NODES])
        edge = rng.choice([e for e, ends in EDGES.items() if bound[var] in ends])
        outward = bound[var] == EDGES[edge][0]
        far_type = EDGES[edge][1] if outward else EDGES[edge][0]
        known = [v for v, t in bound.items() if t == far_type]
        if known and rng.random() < 0.3:
            far = rng.choice(known)
        elif rng.random() < 0.2:
            far = "_"
        else:
            self.names += 1
            far = f"v{self.names}"
            bound[far] = far_type
        same = EDGES[edge][0] == EDGES[edge][1]
        spelled = edge
        bounds = ""
        form = rng.random()
        if same and form < 0.2:
            spelled = f"<{edge}>"
        elif edge in ("knows", "likes") and form < 0.4:
            spelled = "(knows | likes)"
        elif form > 0.8:
            self.names += 1
            bound[f"e{self.names}"] = "edge"
            spelled = f"$e{self.names}:{edge}"
        if not spelled.startswith("$") and rng.random() < 0.3:
            low = rng.randint(1, 2)
            bounds = f"{{{low},{low + rng.randint(0, 2)}}}"
        return f"${var} {spelled}{bounds} ${far}"

    def property(self, bound: dict[str, str]) -> tuple[str, str]:
        var = self.rng.choice([v for v, t in bound.items() if t in NODES])
        prop = self.rng.choice(["a", "f", "s", "b", "u", "g"] if bound[var] == "P" else ["t"])
        return f"${var}.{prop}", prop

    def test(self, bound: dict[str, str]) -> str:
        rng = self.rng
        parts = [self.comparison(bound) for _ in range(rng.randint(1, 2))]
        whole = rng.choice([" and ", " or "]).join(parts)
        return f"not ({whole})" if rng.random() < 0.3 else f"({whole})"

    def comparison(self, bound: dict[str, str]) -> str:
        rng = self.rng
        left, prop = self.property(bound)
        people = [v for v, t in bound.items() if t == "P"]
        form = rng.randint(0, 5)
        if form == 0:
            return f"{left} is {rng.choice(['', 'not '])}null"
        if form == 1 and prop in ("a", "g", "u"):
            return f"{left} in [{', '.join(LITERALS[prop])}]"
        if form == 2 and prop in ("s", "t"):
            word = rng.choice(["contains", "starts_with"])
            return f"{left} {word} {rng.choice(LITERALS[prop])}"
        if form == 3:
            pattern = " ".join(["$p knows $_", *self.clauses(dict(bound), depth=2)])
            return f"count {{ {pattern} }} {rng.choice(['>', '=', '<='])} {rng.randint(0, 2)}"
        if form == 4 and people:
            names = [f"${rng.choice(people)}.{rng.choice('afug')}" for _ in range(2)]
            return f"{names[0]} {rng.choice(['<', '=', '>='])} {names[1]}"
        return f"{left} {rng.choice(['=', '!=', '<', '>='])} {rng.choice(LITERALS[prop])}"

    def block(self, bound: dict[str, str], depth: int) -> str:
        word = self.rng.choice(["not", "optional", "exists"])
        inner = dict(bound)
        clauses = [self.hop(inner), *self.clauses(inner, depth=depth + 1)]
        if word == "optional":
            bound.update(dict.fromkeys(inner.keys() - bound.keys(), "edge"))
        return f"{word} {{ {' '.join(clauses)} }}"

    def result(self, seen: dict[str, str]) -> str:
        rng = self.rng
        var = rng.choice(list(seen))
        key = f"${var}.k"
        form = rng.randint(0, 3)
        if form == 0:
            order = rng.choice(["", "order { count($p) desc }", "order { sum($p.a) }"])
            return (
                f"return {{ {key} as key, count($p) as n, sum($p.a) as s, avg($p.g) as m, "
                f"min($p.s) as low, max($p.f) as high, sum($p.f) as fs }} {order}"
            )
        if form == 1:
            part = f"order {{ $p.b desc }} offset {rng.randint(0, 1)}"
            return f"return distinct {{ $p.s, $p.b }} {part}"
        if form == 2:
            return f"return {{ ${var}, $p.l, $p.@type as t }} order {{ $p.f desc, $p.s }} limit 7"
        part = f"limit {rng.randint(0, 9)} offset 1"
        return f"return {{ {key}, $p.a, $p.u }} order {{ $p.a }} {part}"


def lines(rng: random.Random) -> list[str]:
    """Returns a small graph with nulls, parallel edges and loops."""
    people, found = rng.sample("abcdef", rng.randint(1, 5)), []
    companies = rng.sample(range(4), rng.randint(1, 3))
    for key in people:
        data: dict[str, object] = {"k": key}
        pools: dict[str, list[object]] = {
            "a": [1, 2, -1],
            "f": [0.1, 1, 2.5],
            "s": ["x", "xy", "", "é"],
            "l": [[], [1, 2], [2, None]],
            "b": [True, False],
            "u": [1, 2**64 - 1],
            "g": [0.1, 1.0, 1e300],
        }
        data |= {name: rng.choice(pool) for name, pool in pools.items() if rng.random() < 0.7}
        found.append({"type": "P", "data": data})
    found += [{"type": "C", "data": {"k": n, "t": rng.choice("xy")}} for n in companies]
    ends = {"P": people, "C": [str(n) for n in companies]}
    for name, (source, target) in EDGES.items():
        found += [
            {
                "edge": name.capitalize(),
                "from": rng.choice(ends[source]),
                "to": rng.choice(ends[target]),
                "data": {},
            }
            for _ in range(rng.randint(0, 6))
        ]
    return [json.dumps(line) for line in found]


def engine(graph: TableGraph, question: Question, executor: ExecutorName) -> Answer:
    options = ReadOptions(executor=executor)
    try:
        rows = graph.rows(question.checked, question.bound, now=question.now, options=options)
    except GraphError as failure:
        return Answer(refused=(failure.diagnostic.code,))
    return Answer(rows=tuple(line_of(row) for row in rows))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(GRAPHS))
def test_the_engine_gives_what_the_oracle_gives(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if number % 2:  # as where there are many edges: their columns are read whole
        monkeypatch.setattr(csr, "TAKEN_ROWS_MIN", -1)
    rng = random.Random(f"{seed_of_run()}:reads:{number}")
    oracle = Oracle(catalog_of(SCHEMA))
    oracle.load(lines(rng))
    graph = TableGraph(oracle.graph)
    tried = 0
    for _ in range(QUERIES):
        text = Writer(rng).query()
        question = asked(SCHEMA, text, {})
        if isinstance(question, Answer):
            continue
        wanted = asked_of(oracle, question)
        for executor in EXECUTORS:
            assert engine(graph, question, executor) == wanted, text
        tried += 1

    assert tried > QUERIES // 3, "the writer writes what the checker takes"
