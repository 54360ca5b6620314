"""Edges held against the nodes that they leave and reach, within bounded memory.

The ids of one node type lie in an index, of a large type those of one part of all hashes at a time,
and every edge that has an end in that part is looked up as its batch comes by. So is counted how many
edges leave each node.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agentctl.graph.adjacency.hashing import hash_texts
from agentctl.graph.adjacency.id_index import ABSENT, IdIndex, Positions, id_index, joined
from agentctl.graph.care.stored_rows import StoredRows
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import Violation, Violations
from agentctl.graph.writes.changes import Changes, RowsInMemory, TypeChange
from agentctl.graph.writes.check_edges import MEMBER, End, ends_of, outside_cardinality
from agentctl.graph.writes.held import Held
from agentctl.languages.schema.ir import IrType
from agentctl.languages.schema.types import Cardinality

PART_ROWS: Final = 1 << 21
"""So many ids of nodes are held in one pass over the edges: some 50 bytes each, if they are short."""

Counts = npt.NDArray[np.int64]


class Nodes:
    """The ids of one node type whose hashes leave one remainder."""

    def __init__(self, rows: StoredRows, remainder: int, divisor: int) -> None:
        self.type = rows.type
        self._remainder, self._divisor = remainder, divisor
        texts = (self._own(batch.column("id")) for batch in rows.batches(["id"]))
        self.ids: IdIndex = id_index(joined((ids for _, ids in texts), pa.utf8()))

    def absent(self, ends: pa.Array) -> tuple[Positions, Positions]:
        """Returns the rows of *ends* that name no node and ought to be here; and where the others are."""
        rows, texts = self._own(ends)
        positions = self.ids.positions(texts)
        missing = np.flatnonzero(positions == ABSENT)
        there = positions[positions != ABSENT]
        return missing if rows is None else rows[missing], there

    def _own(self, texts: pa.Array) -> tuple[Positions | None, pa.Array]:
        """Returns those whose hashes belong here, and their rows; None for all."""
        if self._divisor == 1:
            return None, texts
        own = hash_texts(texts) % np.uint64(self._divisor) == self._remainder
        rows = np.flatnonzero(own)
        return rows, texts.take(pa.array(rows))


def check_ends(snapshot: Snapshot, violations: Violations, *, part_rows: int = PART_ROWS) -> None:
    """Tells of every edge with an end that is no node, and of every node with too few or many edges."""
    edges = [t for t in snapshot.ir.types if t.kind == "edge"]
    for node in snapshot.ir.types:
        legs = [(e, ends) for e in edges if (ends := _at(e, node))]
        if node.kind != "node" or not legs:
            continue
        for part in _parts(StoredRows(snapshot, node), part_rows):
            for edge, ends in legs:
                _check(snapshot, violations, edge, ends, part)


def _parts(rows: StoredRows, part_rows: int) -> Iterator[Nodes]:
    count = max(1, -(-rows.count() // part_rows))
    yield from (Nodes(rows, remainder, count) for remainder in range(count))


def _at(edge: IrType, node: IrType) -> tuple[End, ...]:
    """Returns the ends of an edge type that are nodes of a type."""
    return tuple(end for end, name in ends_of(edge) if name == node.name)


def _check(
    snapshot: Snapshot, violations: Violations, edge: IrType, ends: tuple[End, ...], nodes: Nodes
) -> None:
    counts: Counts = np.zeros(len(nodes.ids), np.int64)
    counted = "src" in ends and edge.cardinality != Cardinality()
    for batch in StoredRows(snapshot, edge).batches(["id", *ends]):
        for end in ends:
            missing, there = nodes.absent(batch.column(end))
            if len(missing):
                _tell_missing(snapshot, violations, edge, end, batch.take(pa.array(missing)))
            if counted and end == "src":
                counts += np.bincount(there, minlength=len(counts))
    if counted:
        _tell_miscounted(violations, edge, nodes.ids, counts)


def _tell_missing(
    snapshot: Snapshot, violations: Violations, edge: IrType, end: End, rows: pa.RecordBatch
) -> None:
    change = TypeChange(type=edge, rows=RowsInMemory(pa.Table.from_batches([rows])))
    held = Held(snapshot, Changes(types={edge.id: change}), violations)
    held.tell_rows(
        change,
        pa.repeat(pa.scalar(value=True), len(rows)),
        rule="endpoint",
        prop=MEMBER[end],
        column=end,
        saying=f"there is no {dict(ends_of(edge))[end]} {{}}",
    )


def _tell_miscounted(violations: Violations, edge: IrType, ids: IdIndex, counts: Counts) -> None:
    least, most = edge.cardinality.minimum, edge.cardinality.maximum
    beyond = counts < least
    if most is not None:
        beyond |= counts > most
    wrong = np.flatnonzero(beyond)
    if len(wrong):
        # Edges are counted at the first of nodes that have one id; that it repeats is told elsewhere.
        wrong = wrong[ids.positions(ids.take(wrong)) == wrong]
    told = wrong[: violations.room]
    violations.more(len(wrong) - len(told))
    for source, count in zip(ids.take(told).to_pylist(), counts[told].tolist(), strict=True):
        violations.tell(
            Violation(
                rule="cardinality",
                type_name=edge.name,
                id=source,
                property="from",
                message=outside_cardinality(edge, source, count),
            )
        )
