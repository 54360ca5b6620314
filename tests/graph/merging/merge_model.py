"""What a merge means, naively: dictionaries in, the merged one or the set of conflicts out.

Written from `spec/graph-engine.md` 5 alone, never from the engine: every entity of every state is
looked at, and the whole merged graph is held against all rules.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

Row = Mapping[str, object]
"""Values by property; of an edge also ``from`` and ``to``."""
Graph = Mapping[tuple[str, str], Row]
"""By type and id."""


class Told(NamedTuple):
    """A conflict, without its values."""

    kind: str
    type: str
    id: str
    properties: frozenset[str]


class Sort(NamedTuple):
    """One type of the schema."""

    name: str
    source: str | None = None
    target: str | None = None
    most: int | None = None
    least: int = 0
    unique: tuple[tuple[str, ...], ...] = ()


def merged(sorts: Mapping[str, Sort], base: Graph, ours: Graph, theirs: Graph) -> Graph | set[Told]:
    """Returns the merged graph, or what bars it."""
    rows: dict[tuple[str, str], Row] = {}
    clashes: set[Told] = set()
    for key in {*base, *ours, *theirs}:
        row = _entity(key, base.get(key), ours.get(key), theirs.get(key))
        if isinstance(row, Told):
            clashes.add(row)
        elif row is not None:
            rows[key] = row
    return clashes or {*broken(sorts, ours, rows)} or rows


def _entity(
    key: tuple[str, str], base: Row | None, ours: Row | None, theirs: Row | None
) -> Row | Told | None:
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    if base is None:
        assert ours is not None
        assert theirs is not None
        return Told("DivergentInsert", *key, frozenset(n for n in ours if ours[n] != theirs[n]))
    if ours is None or theirs is None:
        left = ours or theirs
        assert left is not None
        return Told("DeleteVsUpdate", *key, frozenset(n for n in base if left[n] != base[n]))
    row, wrong = dict(base), set()
    for name in base:
        if ours[name] == base[name]:
            row[name] = theirs[name]
        elif theirs[name] in (base[name], ours[name]):
            row[name] = ours[name]
        else:
            wrong.add(name)
    return Told("DivergentUpdate", *key, frozenset(wrong)) if wrong else row


def broken(sorts: Mapping[str, Sort], ours: Graph, rows: Graph) -> Iterator[Told]:
    """Gives what a graph breaks of its rules; of twins those rows that *ours* does not have so."""
    for (name, row_id), row in rows.items():
        sort = sorts[name]
        for end, node in (("from", sort.source), ("to", sort.target)):
            if node is not None and (node, row[end]) not in rows:
                yield Told("OrphanEdge", name, row_id, frozenset({end}))
        if ours.get((name, row_id)) != row:
            yield from _twins(sort, row_id, rows)
    for sort in sorts.values():
        for name, node_id in rows:
            edges = [r for (n, _), r in rows.items() if n == sort.name and r.get("from") == node_id]
            if sort.source == name and not sort.least <= len(edges) <= (sort.most or len(edges)):
                yield Told("CardinalityViolation", sort.name, node_id, frozenset({"from"}))


def _twins(sort: Sort, row_id: str, rows: Graph) -> Iterator[Told]:
    """Gives the unique constraints that a row, which we had otherwise, breaks with another one."""
    for columns in sort.unique:
        mine = [rows[sort.name, row_id][column] for column in columns]
        others = [r for (n, i), r in rows.items() if n == sort.name and i != row_id]
        if None not in mine and any([its[c] for c in columns] == mine for its in others):
            yield Told("UniqueViolation", sort.name, row_id, frozenset(columns))
