"""A big cluster folder, made from a seed: for benchmarks, and for tests of what must stay fast.

The same arguments give the same bytes. Every file is right: the folder validates without a
diagnostic. Half of the queries use what the languages of agentctl add to OmniGraph 0.10.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

GRAPH: Final = "big"
_FIRST: Final = (
    "Stored", "Planned", "Shared", "Local", "Remote", "Open", "Signed", "Tested", "Built", "Known",
    "Early", "Late", "Small", "Large", "Public", "Private", "Daily", "Linked", "Spare", "Final",
)  # fmt: skip
_SECOND: Final = (
    "Part", "Team", "Order", "Ticket", "Person", "Place", "Device", "Report", "Package", "Service",
    "Account", "Project",
)  # fmt: skip
_VERBS: Final = ("Uses", "Owns", "Needs", "Follows", "Replaces", "Mentions", "Contains", "Serves")


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """An edge type of the big schema."""

    name: str
    source: str
    target: str

    @property
    def used(self) -> str:
        """Its name as a query spells it."""
        return self.name[0].lower() + self.name[1:]


class BigCluster(msgspec.Struct, frozen=True, kw_only=True):
    """How big it is."""

    seed: int = 7
    types: int = 200
    """Node and edge types together: three of five are nodes; at most 400."""
    files: int = 1_000
    queries_per_file: int = 10
    held: bool = False
    """Whether the schema has only what graphs of this release hold, so that it can be applied."""


class _Pick(msgspec.Struct, frozen=True, kw_only=True):
    """What a query is about: some of it, as its form asks."""

    key: str
    node: str
    edge: Edge
    number: int


def big_cluster(size: BigCluster) -> dict[str, bytes]:
    """Returns the contents of a cluster folder by path: one graph, its schema, a folder of queries."""
    chance = random.Random(size.seed)  # noqa: S311  # a shape, not a secret
    nodes, edges = _types(size.types, chance)
    files = {
        "cluster.yaml": _cluster_file(),
        f"{GRAPH}.pg": "\n".join(
            (*_interfaces(), *_nodes(nodes, lists=not size.held), *_edges(edges))
        ),
    }
    for number in range(size.files):
        texts = [
            _query(f"{number:04d}_{n}", nodes, edges, chance) for n in range(size.queries_per_file)
        ]
        if size.held:
            texts = [_without_lists(text) for text in texts]
        files[f"queries/q{number:04d}.gq"] = "\n".join(texts)
    return {path: text.encode() for path, text in files.items()}


def write_cluster(folder: Path, files: dict[str, bytes]) -> None:
    """Writes *files* under *folder*."""
    (folder / "queries").mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        (folder / path).write_bytes(data)


def _cluster_file() -> str:
    return (
        "version: 1\nmetadata:\n  name: big\ngraphs:\n"
        f"  {GRAPH}:\n    schema: {GRAPH}.pg\n    queries: queries\n"
    )


def _types(count: int, chance: random.Random) -> tuple[tuple[str, ...], tuple[Edge, ...]]:
    names = [first + second for second in _SECOND for first in _FIRST]
    nodes = tuple(names[: max(1, count * 3 // 5)])
    edges: list[Edge] = []
    for number in range(count - len(nodes)):
        source, target = chance.choice(nodes), chance.choice(nodes)
        verb = _VERBS[number % len(_VERBS)]
        edges.append(Edge(name=f"{verb}{number}{target}", source=source, target=target))
    return nodes, tuple(edges) or (Edge(name="Uses", source=nodes[0], target=nodes[0]),)


def _interfaces() -> Iterator[str]:
    yield "interface Named {\n  name: String @index\n}\n"


def _without_lists(text: str) -> str:
    return text.replace(", $tags: [String]?", "").replace(", tags: $tags", "")


def _nodes(names: tuple[str, ...], *, lists: bool) -> Iterator[str]:
    tags = "  tags: [String]?\n" if lists else ""
    for number, name in enumerate(names):
        named = " implements Named" if number % 3 == 0 else ""
        own = "" if named else "  name: String\n"
        yield (
            f'node {name} @description("Rows of {name}, number {number}."){named} {{\n'
            f"  slug: String @key\n{own}"
            "  kind: enum(core, guest, other)\n"
            "  size: I32?\n  weight: F64?\n  active: Bool\n  born: Date?\n  seen: DateTime?\n"
            f"{tags}"
            "  @range(size, 0..500)\n"
            "}\n"
        )


def _edges(edges: tuple[Edge, ...]) -> Iterator[str]:
    for edge in edges:
        yield (
            f"edge {edge.name}: {edge.source} -> {edge.target} {{\n"
            "  since: Date?\n  weight: F64?\n"
            "}\n"
        )


def _query(key: str, nodes: tuple[str, ...], edges: tuple[Edge, ...], chance: random.Random) -> str:
    form = chance.choice(_FORMS)
    pick = _Pick(
        key=key,
        node=chance.choice(nodes),
        edge=chance.choice(edges),
        number=chance.randrange(1, 400),
    )
    return form(pick)


def _lookup(pick: _Pick) -> str:
    return f"""\
// Form {pick.number}: one row by its key.
query find_{pick.key}($slug: String) @description("The {pick.node} of that slug.") {{
  match {{
    $a: {pick.node} {{ slug: $slug }}
  }}
  return {{ $a.slug, $a.name as name, $a.kind, $a.size }}
  limit 1
}}
"""


def _filtered(pick: _Pick) -> str:
    return f"""\
query list_{pick.key}($floor: I32, $kind: String) {{
  match {{
    $a: {pick.node} {{ active: true }}
    $a.size >= $floor
    $a.kind = $kind
    $a.born > date("2020-01-0{pick.number % 9 + 1}")
    $a.name starts_with "n{pick.number}"
  }}
  return {{ $a.slug as slug, $a.size as size, $a.seen as seen }}
  order {{ size desc, slug }}
  limit {pick.number}
}}
"""


def _traversed(pick: _Pick) -> str:
    return f"""\
query walk_{pick.key}($slug: String) {{
  match {{
    $a: {pick.edge.source} {{ slug: $slug }}
    $a {pick.edge.used} $b
    $b.weight < {pick.number}.5
    not {{ $b.kind = "guest" }}
  }}
  return {{ $a.name as source, $b.name as target, $b.weight }}
  order {{ target asc }}
  limit 100
}}
"""


def _grouped(pick: _Pick) -> str:
    return f"""\
query count_{pick.key}($since: Date) {{
  match {{
    $a: {pick.edge.source}
    $a $e:{pick.edge.used} $b
    $e.since >= $since
    $b.size > {pick.number}
  }}
  return {{ $a.kind as kind, count($b) as many, sum($b.size) as total, max($b.weight) as top }}
  order {{ many desc, kind }}
  limit 20
}}
"""


def _either(pick: _Pick) -> str:
    return f"""\
query pick_{pick.key}($kinds: [String], $page: I64) {{
  match {{
    $a: {pick.node}
    ($a.size > {pick.number} or $a.size is null) and not $a.kind in $kinds
    $a.weight <= -1.5e3 or $a.active = true
  }}
  return distinct {{ $a.kind as kind, $a.size as size, }}
  order {{ kind, size desc }}
  limit 50
  offset $page
}}
"""


def _optional(pick: _Pick) -> str:
    return f"""\
query seen_{pick.key}($slug: String) {{
  match {{
    $a: {pick.edge.source} {{ slug: $slug }}
    optional {{
      $a {pick.edge.used} $b
      $b.size < {pick.number}
    }}
    exists {{ $a {pick.edge.used} $c }}
  }}
  return {{ $a.@id as id, $b.name as other }}
  order {{ other }}
  limit 10
}}
"""


def _inserted(pick: _Pick) -> str:
    return f"""\
query add_{pick.key}($slug: String, $name: String, $tags: [String]?) {{
  insert {pick.node} {{
    slug: $slug, name: $name, kind: "core", active: true,
    size: {pick.number}, seen: now(), tags: $tags
  }}
}}
"""


def _updated(pick: _Pick) -> str:
    # No SQL, though it looks so.
    return f"""\
query set_{pick.key}($slug: String, $name: String, $weight: F64?, $born: Date?) {{
  update {pick.node} set {{
    name: $name, size: {pick.number}, weight: $weight, born: $born
  }} where slug = $slug
}}
"""  # noqa: S608


_FORMS: Final[tuple[Callable[[_Pick], str], ...]] = (
    _lookup, _filtered, _traversed, _grouped, _either, _optional, _inserted, _updated,
)  # fmt: skip
