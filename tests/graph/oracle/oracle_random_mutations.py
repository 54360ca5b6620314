"""Random well-typed mutations over a schema with constraints, many of which they break."""

import random
from typing import Final

import msgspec

from agentctl.languages.schema.types import EdgeType, NodeType, Property, PropertyType, Scalar
from tests.graph.oracle.oracle import Oracle
from tests.graph.oracle.oracle_asking import catalog_of
from tests.graph.oracle.oracle_graph import BrokenRuleError, Graph, Owner
from tests.graph.oracle.oracle_random_queries import COMPARISONS, Made
from tests.graph.oracle.oracle_random_values import (
    NUMBERS,
    POOLS,
    RandomValues,
    literal,
    random_lines,
)

CONSTRAINED: Final = """
node A { k: String @key  s: String?  i: I32?  l: I64?  f: F32?  g: F64?  b: Bool? = true  d: Date?  t: DateTime?
  kind: enum(core, guest, lead) = "guest"  tags: [String]?  vec: Vector(2)?
  @unique(s) @range(i, -1..100) @check(s, "^[^%]*$") @unique(kind, d) }
node B { n: I64 @key  s: String  on: Bool @range(n, ..4) }
node C { s: String?  i: I32? @unique(s, i) }
edge Aa: A -> A { w: I32? @unique(src, dst) }
edge Ab: A -> B @card(0..2) { d: Date? }
edge Ba: B -> A { g: F64 = 0.5 }
edge Cc: C -> C @card(0..1)
"""
"""Every constraint but a least number of edges, which few random graphs would meet."""


def constrained_graph(rng: random.Random) -> Oracle:
    """Returns an oracle over a small graph that breaks no rule: what would is left out."""
    oracle = Oracle(catalog_of(CONSTRAINED))
    for line in random_lines(rng, oracle.graph.catalog):
        before = oracle.graph.copy()
        try:
            oracle.load([msgspec.json.encode(line)])
        except BrokenRuleError:
            oracle.graph = before
    return oracle


class MutationMaker:
    """Makes one mutation of a graph."""

    def __init__(self, rng: random.Random, oracle: Oracle, first: Graph) -> None:
        """*first* is the graph before any mutation: ids that were made since are each one's own."""
        self.rng = rng
        self.values = RandomValues(rng)
        self.graph = oracle.graph
        self.first = first
        self.params: dict[str, tuple[PropertyType, object]] = {}

    def made(self) -> Made:
        """Returns one to three statements: deletes, or inserts and updates."""
        kinds = [self._delete] if self.values.chance(4) else [self._insert, self._update]
        count = self.rng.choice((1, 1, 1, 2, 3))
        body = " ".join(self.rng.choice(kinds)() for _ in range(count))
        params = ", ".join(f"${n}: {t}" for n, (t, _) in self.params.items())
        return Made(
            text=f"query q({params}) {{ {body} }}",
            params={n: v for n, (_, v) in self.params.items()},
        )

    def _insert(self) -> str:
        owner = self.rng.choice(list(self.graph.owners()))
        given = [p for p in owner.properties if self._must(p) or self.values.chance(2)]
        parts = [f"{p.name}: {self._assigned(p)}" for p in given]
        if isinstance(owner, EdgeType):
            parts += [f"from: {self._end(owner.source)}", f"to: {self._end(owner.target)}"]
        if not parts:
            parts = [f"{owner.properties[0].name}: {self._assigned(owner.properties[0])}"]
        self.rng.shuffle(parts)
        return f"insert {owner.name} {{ {', '.join(parts)} }}"

    def _must(self, prop: Property) -> bool:
        return not prop.type.nullable and prop.default is None

    def _update(self) -> str:
        owner = self.rng.choice(self.graph.catalog.nodes)
        free = [p for p in owner.properties if p.name not in owner.key]
        chosen = self.rng.sample(free, self.rng.randint(1, min(3, len(free))))
        parts = [f"{p.name}: {self._assigned(p)}" for p in chosen]
        return f"update {owner.name} set {{ {', '.join(parts)} }} where {self._where(owner)}"

    def _delete(self) -> str:
        owner = self.rng.choice(list(self.graph.owners()))
        return f"delete {owner.name} where {self._where(owner)}"

    def _end(self, type_name: str) -> str:
        node = self.graph.catalog.node(type_name)
        assert node is not None
        ids = [
            i for i in self.graph.nodes[type_name] if node.key or i in self.first.nodes[type_name]
        ]
        known = self.rng.choice(ids) if ids and not self.values.chance(8) else "nobody"
        return literal(Scalar.STRING, known)

    def _assigned(self, prop: Property) -> str:
        type_ = prop.type
        if type_.nullable and self.values.chance(5):
            return "null"
        if type_.scalar is Scalar.DATETIME and self.values.chance(3):
            return "now()"
        value = self.values.value(type_, nulls=False)
        if self.values.chance(3):
            return self._param(msgspec.structs.replace(type_, enum_values=None))
        if isinstance(value, tuple):
            return f"[{', '.join(literal(type_.scalar, v) for v in value)}]"
        if type_.scalar in NUMBERS and self.values.chance(6):
            return self.rng.choice(("1.5", "2.0", "-1", "3000000000"))
        return literal(type_.scalar, value)

    def _param(self, type_: PropertyType) -> str:
        name = f"p{len(self.params)}"
        self.params[name] = (type_, self.values.given(type_))
        return f"${name}"

    def _where(self, owner: Owner) -> str:
        if self.values.chance(4):
            word = self.rng.choice((" and ", " or "))
            return word.join(f"({self._test(owner)})" for _ in range(2))
        test = self._test(owner)
        return f"not ({test})" if self.values.chance(5) else test

    def _test(self, owner: Owner) -> str:
        if isinstance(owner, EdgeType) and self.values.chance(2):
            end = self.rng.choice(("from", "to"))
            return f"{end} = {self._end(owner.source if end == 'from' else owner.target)}"
        if isinstance(owner, NodeType) and owner.key and self.values.chance(2):
            key = next(p for p in owner.properties if p.name in owner.key)
            there = [e.values[key.name] for e in self.graph.table(owner).values()]
            if there:
                return f"{key.name} = {literal(key.type.scalar, self.rng.choice(there))}"
        props = [p for p in owner.properties if p.type.vector_dim is None]
        if not props:
            return 'from != ""'
        return self._of(self.rng.choice(props))

    def _of(self, prop: Property) -> str:
        scalar = prop.type.scalar
        value = literal(scalar, self.rng.choice(prop.type.enum_values or POOLS[scalar]))
        if prop.type.list:
            return f"{prop.name} contains {value}"
        if self.values.chance(4):
            return f"{prop.name} is {self.rng.choice(('', 'not '))}null"
        if self.values.chance(4):
            return f"{prop.name} in [{value}]"
        if scalar is Scalar.DATETIME and self.values.chance(2):
            value = "now()"
        return f"{prop.name} {self.rng.choice(COMPARISONS)} {value}"
