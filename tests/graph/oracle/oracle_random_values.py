"""Random values, small graphs of them, and their spelling in queries; all from one seeded generator.

The pools are small, so that values meet each other; sums of the floats are exact in any order.
"""

import random
from typing import Any, Final

import msgspec

from agentctl.languages.schema.types import Catalog, PropertyType, Scalar
from tests.graph.oracle.oracle import Oracle
from tests.graph.oracle.oracle_asking import catalog_of
from tests.graph.oracle.oracle_graph import Owner
from tests.graph.oracle.oracle_values import shown

SCHEMA: Final = """
node A { k: String @key  s: String?  i: I32? @index  l: I64?  u: U64?  v: U32?  f: F32?  g: F64?  b: Bool?
  d: Date?  t: DateTime?  kind: enum(core, guest, lead)?  tags: [String]?  nums: [I32]?  vec: Vector(2)? }
node B { n: I64 @key  s: String @index  on: Bool }
node C { s: String?  i: I32? }
edge Aa: A -> A { w: I32?  s: String? }
edge Likes: A -> A
edge Ab: A -> B { d: Date?  g: F64? }
edge Ba: B -> A
edge Bc: B -> C { tags: [String]? }
edge Cc: C -> C
"""
"""Every scalar but Blob; keys of two kinds and none; edges within and between types."""

TEXTS: Final = (
    *"aaabb",
    "",
    "ab",
    "ba",
    "a b",
    "core",
    "it's",
    "é😀",
    "a\nb",
    "a\\b%",
    '"',
    "1",
    "2",
)
POOLS: Final[dict[Scalar, tuple[Any, ...]]] = {
    Scalar.STRING: TEXTS,
    Scalar.BOOL: (False, True),
    Scalar.I32: (-(2**31), -1, 0, 1, 1, 1, 2, 2, 2, 2**31 - 1),
    Scalar.I64: (-(2**63), -(2**53) - 1, -1, 0, *(1,) * 6, *(2,) * 4, 2**53 - 1, 2**53, 2**63 - 1),
    Scalar.U32: (0, 1, 1, 2, 2**32 - 1),
    Scalar.U64: (0, 1, 1, 1, 2, 2, 2**53 + 1, 2**63, 2**64 - 1),
    Scalar.F32: (0.1, -0.5, 0.0, 1.0, 1.0, 2.0, 0.25),
    Scalar.F64: (-0.5, 0.0, 0.25, 1.0, 1.0, 2.0, 1.5, 9007199254740992.0),
    Scalar.DATE: (-719162, -1, 0, 0, 1, 1, 2932896),
    Scalar.DATETIME: (-62135596800000, -1, 0, 0, 1, 1, 1600000000123, 253402300799999),
}
NUMBERS: Final = (Scalar.I32, Scalar.I64, Scalar.U32, Scalar.U64, Scalar.F32, Scalar.F64)


class RandomValues:
    """Draws values."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def chance(self, one_in: int) -> bool:
        """Returns true once in so many times."""
        return self.rng.randrange(one_in) == 0

    def value(self, type_: PropertyType, *, nulls: bool = True) -> Any:
        """Returns a value of the type, null now and then where it may be."""
        if nulls and type_.nullable and self.chance(3):
            return None
        if type_.enum_values is not None:
            return self.rng.choice(type_.enum_values)
        pool = POOLS[type_.scalar]
        if type_.vector_dim is not None:
            return tuple(self.rng.choice((-1.0, 0.0, 0.5, 2.0)) for _ in range(type_.vector_dim))
        if type_.list:
            return tuple(self.rng.choice(pool) for _ in range(self.rng.randrange(4)))
        return self.rng.choice(pool)

    def given(self, type_: PropertyType) -> object:
        """Returns a value as JSON gives it."""
        return shown(type_, self.value(type_))


def literal(scalar: Scalar, value: Any) -> str:
    """Returns a value as a query writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if scalar in (Scalar.DATE, Scalar.DATETIME):
        word = "date" if scalar is Scalar.DATE else "datetime"
        return f'{word}("{shown(PropertyType(scalar=scalar), value)}")'
    return repr(value)


def random_graph(rng: random.Random) -> Oracle:
    """Returns an oracle over a small graph of `SCHEMA`."""
    oracle = Oracle(catalog_of(SCHEMA))
    lines = random_lines(rng, oracle.graph.catalog)
    rng.shuffle(lines)  # the order of rows on the disk has no meaning
    oracle.load(msgspec.json.encode(line) for line in lines)
    return oracle


def random_lines(rng: random.Random, catalog: Catalog) -> list[dict[str, object]]:
    """Returns a small graph as lines: few nodes, parallel edges and loops among the edges."""
    values = RandomValues(rng)
    lines: list[dict[str, object]] = []
    ids: dict[str, list[str]] = {}
    for node in catalog.nodes:
        ids[node.name] = []
        for _ in range(rng.randrange(2, 7) if rng.randrange(12) else 0):
            data = _data(values, node)
            name = node.key[0] if node.key else None
            row_id = str(data[name]) if name else f"{len(lines):026d}"
            if row_id not in ids[node.name]:
                ids[node.name].append(row_id)
                lines.append({"type": node.name, "data": data if name else {"id": row_id} | data})
    for edge in catalog.edges:
        sources, targets = ids[edge.source], ids[edge.target]
        for _ in range(rng.randrange(9) if sources and targets else 0):
            data = {"id": f"{len(lines):026d}"} | _data(values, edge)
            ends = {"from": rng.choice(sources), "to": rng.choice(targets)}
            lines.append({"edge": edge.name, **ends, "data": data})
    return lines


def _data(values: RandomValues, owner: Owner) -> dict[str, object]:
    return {p.name: values.given(p.type) for p in owner.properties}
