"""A whole graph in dictionaries, and what its schema says of it. Source: languages 1.2, 1.3, 2.2.

Read from the lines that a load takes and written as the lines that an export gives, so that two
graphs are equal where their lines are. `violations` looks at everything, every time.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from agentctl.languages.schema.types import (
    Catalog,
    Check,
    EdgeType,
    NodeType,
    Property,
    Range,
    Unique,
)
from tests.graph.oracle.oracle_values import MisfitError, Raw, key_id, rank, read, shown, stored

Owner = NodeType | EdgeType
Rule = Literal[
    "required", "value", "enum", "range", "check", "key", "unique", "endpoint", "cardinality"
]
"""What a graph can break."""


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A node or an edge; every property has a value or None."""

    type: Owner
    id: str
    values: Mapping[str, Raw]
    src: str = ""
    """Of an edge: the id of the node it leaves."""
    dst: str = ""

    @property
    def is_edge(self) -> bool:
        """Whether it is an edge."""
        return isinstance(self.type, EdgeType)


Table = dict[str, Entity]
"""Entities of one type, by id."""


class BrokenRuleError(Exception):
    """A change would break the schema; `rules` says all of what."""

    def __init__(self, rules: frozenset[Rule]) -> None:
        super().__init__(", ".join(sorted(rules)))
        self.rules = rules


class Graph:
    """The nodes and edges of one graph."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.nodes: dict[str, Table] = {t.name: {} for t in catalog.nodes}
        self.edges: dict[str, Table] = {t.name: {} for t in catalog.edges}

    def copy(self) -> "Graph":
        """Returns another graph that changes apart from this one."""
        other = Graph(self.catalog)
        other.nodes = {name: dict(table) for name, table in self.nodes.items()}
        other.edges = {name: dict(table) for name, table in self.edges.items()}
        return other

    def table(self, owner: Owner) -> Table:
        """Returns the entities of a type."""
        return (self.edges if isinstance(owner, EdgeType) else self.nodes)[owner.name]

    def owners(self) -> Iterator[Owner]:
        """Yields every type that has entities."""
        yield from self.catalog.nodes
        yield from self.catalog.edges

    def put(self, entity: Entity) -> None:
        """Sets an entity, in place of the one of that type and id."""
        self.table(entity.type)[entity.id] = entity

    def load(self, lines: Iterable[Mapping[str, object]], mint: Callable[[], str]) -> None:
        """Adds the entities of NDJSON documents; the caller asks `violations` afterwards.

        Raises:
            BrokenRuleError: a value fits no property, or a required one is missing.
        """
        for line in lines:
            data = line.get("data", {})
            assert isinstance(data, dict)
            ends: dict[str, str] = {}
            owner: Owner | None = self.catalog.node(str(line.get("type")))
            if "edge" in line:
                owner = self.catalog.edge(str(line["edge"]))
                ends = {"src": str(line["from"]), "dst": str(line["to"])}
            assert owner is not None, line
            values = {p.name: _read(p, data) for p in owner.properties}
            row_id = identity(owner, values)
            if row_id is None:  # an empty text is a key like any other
                row_id = str(data.get("id") or mint())
            if row_id in self.table(owner):
                raise BrokenRuleError(frozenset({"key"}))
            self.put(Entity(type=owner, id=row_id, values=values, **ends))

    def lines(self, *, ids: bool) -> list[str]:
        """Returns what the graph holds, a sorted line for each entity; generated ids only if *ids*."""
        return sorted(
            json.dumps(_document(entity, ids=ids), ensure_ascii=False, sort_keys=True)
            for owner in self.owners()
            for entity in self.table(owner).values()
        )

    def violations(self) -> frozenset[Rule]:
        """Returns every rule of the schema that something of the graph breaks."""
        return frozenset(_broken(self))


def identity(owner: Owner, values: Mapping[str, Raw]) -> str | None:
    """Returns the id that the key gives; None where ids are generated."""
    if isinstance(owner, EdgeType) or not owner.key:
        return None
    # Ids of properties are minted in the order of declaration, which a composite key keeps.
    key = [p for p in owner.properties if p.name in owner.key]
    return key_id((p.type.scalar, values[p.name]) for p in key)


def fitted(prop: Property, value: Raw) -> Raw:
    """Returns *value* as the property holds it, enum membership included.

    Raises:
        BrokenRuleError: it does not fit.
    """
    if value is None and not prop.type.nullable:
        raise BrokenRuleError(frozenset({"required"}))
    try:
        return stored(prop.type, value)
    except MisfitError as failure:
        raise BrokenRuleError(frozenset({"value"})) from failure


def default_of(prop: Property) -> Raw:
    """Returns what an entity has that was given no value."""
    if prop.default is not None:
        return fitted(prop, prop.default.value)
    if not prop.type.nullable and prop.embed is None:
        raise BrokenRuleError(frozenset({"required"}))
    return None


def _read(prop: Property, data: Mapping[str, object]) -> Raw:
    if prop.name not in data:
        return default_of(prop)
    if data[prop.name] is None and not prop.type.nullable:
        raise BrokenRuleError(frozenset({"required"}))
    try:
        return read(prop.type, data[prop.name])
    except MisfitError as failure:
        raise BrokenRuleError(frozenset({"value"})) from failure


def _document(entity: Entity, *, ids: bool) -> dict[str, object]:
    owner = entity.type
    data = {
        p.name: shown(p.type, entity.values[p.name])
        for p in owner.properties
        if entity.values[p.name] is not None or p.default is not None  # else a load gives it
    }
    if ids or (isinstance(owner, NodeType) and owner.key):
        data = {"id": entity.id} | data
    if isinstance(owner, EdgeType):
        return {"edge": owner.name, "from": entity.src, "to": entity.dst, "data": data}
    return {"type": owner.name, "data": data}


def _broken(graph: Graph) -> Iterator[Rule]:
    for owner in graph.owners():
        entities = list(graph.table(owner).values())
        for entity in entities:
            yield from _broken_values(entity)
        for constraint in owner.constraints:
            if isinstance(constraint, Unique):
                yield from _repeated(entities, constraint)
    for edge in graph.catalog.edges:
        yield from _broken_ends(graph, edge)


def _broken_values(entity: Entity) -> Iterator[Rule]:
    for prop in entity.type.properties:
        value = entity.values[prop.name]
        if value is None:
            if not prop.type.nullable and prop.embed is None:
                yield "required"
        elif prop.type.enum_values is not None and value not in prop.type.enum_values:
            yield "enum"
    for constraint in entity.type.constraints:
        if isinstance(constraint, Range):
            value = entity.values[constraint.property]
            low, high = constraint.minimum, constraint.maximum
            if value is not None and (
                (low is not None and value < low) or (high is not None and value > high)
            ):
                yield "range"
        elif isinstance(constraint, Check):
            value = entity.values[constraint.property]
            if value is not None and re.search(constraint.pattern, value) is None:
                yield "check"


def _repeated(entities: list[Entity], constraint: Unique) -> Iterator[Rule]:
    """A tuple with a null in it is exempt: languages 2.7."""
    seen: set[tuple[object, ...]] = set()
    for entity in entities:
        ends = {"src": entity.src, "dst": entity.dst} if entity.is_edge else {}
        values = tuple({**entity.values, **ends}[c] for c in constraint.columns)
        if any(v is None for v in values):
            continue
        if (key := tuple(rank(v) for v in values)) in seen:
            yield "unique"
        seen.add(key)


def _broken_ends(graph: Graph, edge: EdgeType) -> Iterator[Rule]:
    """`@card` counts the edges of each source: languages 1.3."""
    sources, targets = graph.nodes[edge.source], graph.nodes[edge.target]
    leaving: Counter[str] = Counter()
    for entity in graph.edges[edge.name].values():
        if entity.src not in sources or entity.dst not in targets:
            yield "endpoint"
        leaving[entity.src] += 1
    low, high = edge.cardinality.minimum, edge.cardinality.maximum
    for source in sources:
        if leaving[source] < low or (high is not None and leaving[source] > high):
            yield "cardinality"
