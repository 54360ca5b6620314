"""What a merged graph would break of its schema, as conflicts with the three sides of each entity."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa

from agentctl.graph.branching.conflicts import KIND_OF_RULE, Conflict, Found, Side, element_of
from agentctl.graph.branching.differences import read_as
from agentctl.graph.branching.sides import ENDS, sides_of
from agentctl.graph.branching.twins import by_id_or_name
from agentctl.graph.lookups import rows_with
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import Violation, Violations
from agentctl.graph.writes.changes import Changes
from agentctl.languages.schema.ir import IrType, SchemaIr

_OF_EDGES = frozenset({"endpoint", "orphan", "cardinality"})
"""Rules of edges alone; the other types are found by the rows that are staged."""


def broken(  # the three sides, and what was found
    base: Snapshot,
    ours: Snapshot,
    theirs: Snapshot,
    ir: SchemaIr,
    changes: Changes,
    violations: Violations,
) -> Found:
    """Returns *violations* as conflicts, in their order."""
    if not violations.count:
        return Found()
    typed = [(_type_of(ir, changes, told), told) for told in violations.told]
    sides = [_Sides(snapshot, typed) for snapshot in (base, ours, theirs)]
    listed = [
        Conflict(
            kind=KIND_OF_RULE[told.rule],
            element=element_of(ir_type),
            type=ir_type.name,
            id=told.id,
            properties=_spelled(told.property),
            base=sides[0].of(ir_type, told),
            ours=sides[1].of(ir_type, told),
            theirs=sides[2].of(ir_type, told),
            message=told.message,
        )
        for ir_type, told in typed
    ]
    return Found(listed=tuple(listed), count=violations.count)


def _spelled(told: str | None) -> tuple[str, ...]:
    """Returns the properties that a violation names, an edge's ends as ``from`` and ``to``."""
    names = (name.strip() for name in told.split(",")) if told else ()
    return tuple(ENDS.get(name, name) for name in names)


class _Sides:
    """The entities in question as one snapshot has them, each type read once."""

    def __init__(self, snapshot: Snapshot, typed: Sequence[tuple[IrType, Violation]]) -> None:
        self._snapshot = snapshot
        self._there = {
            t.id: there
            for t, _ in typed
            if (there := by_id_or_name(snapshot.ir.types, t)) is not None
        }
        rows: defaultdict[str, set[str]] = defaultdict(set)
        sources: defaultdict[str, set[str]] = defaultdict(set)
        for ir_type, told in typed:
            if told.id is not None:
                (sources if told.rule == "cardinality" else rows)[ir_type.id].add(told.id)
        self._rows = {type_id: self._read(type_id, ids) for type_id, ids in rows.items()}
        self._edges = {type_id: self._count(type_id, ids) for type_id, ids in sources.items()}

    def of(self, ir_type: IrType, told: Violation) -> Side | None:
        """Returns one entity; of a node with the wrong number of edges that number."""
        if told.id is None:
            return None
        if told.rule == "cardinality":
            return {"edges": self._edges[ir_type.id].get(told.id, 0)}
        return self._rows[ir_type.id].get(told.id)

    def _read(self, type_id: str, ids: set[str]) -> Mapping[str, Side]:
        ir_type = self._there.get(type_id)
        if ir_type is None:
            return {}
        dataset = self._snapshot.dataset(ir_type)
        wanted = pa.array(sorted(ids))
        rows = rows_with(dataset, "id", wanted, columns=dataset.schema.names)
        rows = read_as(ir_type, rows)
        return dict(zip(rows["id"].to_pylist(), sides_of(ir_type, rows), strict=True))

    def _count(self, type_id: str, sources: set[str]) -> Mapping[str, int]:
        ir_type = self._there.get(type_id)
        if ir_type is None:
            return {}
        wanted = pa.array(sorted(sources))
        found = rows_with(self._snapshot.dataset(ir_type), "src", wanted, columns=["src"])
        counts: defaultdict[str, int] = defaultdict(int)
        for source in found["src"].to_pylist():
            counts[source] += 1
        return counts


def _type_of(ir: SchemaIr, changes: Changes, told: Violation) -> IrType:
    """Returns the type that a violation is of: a node and an edge type may share their name."""
    if told.rule in _OF_EDGES:
        edge = ir.type_named("edge", told.type_name)
        assert edge is not None, told.type_name
        return edge
    named = [t for t in ir.types if t.name == told.type_name]
    staged = [t for t in named if _has(changes, t, told.id)]
    return (staged or named)[0]


def _has(changes: Changes, ir_type: IrType, row_id: str | None) -> bool:
    change = changes.types.get(ir_type.id)
    if change is None or change.rows is None or row_id is None:
        return False
    return row_id in change.rows.table(["id"])["id"].to_pylist()
