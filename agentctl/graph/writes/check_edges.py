"""What edges must satisfy with their nodes: endpoints are there, and each source has its number.

Of the graph only what the changes touch is read: the endpoints of staged edges, the edges of nodes
that go, the edges of sources whose number changes. Source: languages 1.3, graph-engine 2.
"""

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import LINE
from agentctl.graph.lookups import (
    READ_ROWS,
    distinct,
    rows_with,
    rows_without,
    those_in,
    without,
)
from agentctl.graph.values import shown
from agentctl.graph.violations import Violation
from agentctl.graph.writes.changes import TypeChange
from agentctl.graph.writes.held import Held
from agentctl.languages.schema.ir import IrType
from agentctl.languages.schema.types import Cardinality

End = Literal["src", "dst"]
MEMBER = {"src": "from", "dst": "to"}
"""How an end is spelled in the languages and in lines."""


def check_endpoints(held: Held) -> None:
    """Checks that every staged edge leaves and reaches a node."""
    for change in held.with_rows():
        if change.type.kind == "edge":
            for end, name in ends_of(change.type):
                _endpoints(held, change, end, held.snapshot.node(name))


def check_orphans(held: Held) -> None:
    """Checks that no edge that stays names a node that goes."""
    for edge in held.snapshot.ir.types:
        if edge.kind != "edge" or not held.keeps_rows(edge):
            continue
        for end, name in ends_of(edge):
            change = held.change_of(held.snapshot.node(name))
            if change is None:
                continue
            if change.replaces_all:
                _left_by_replacement(held, edge, end, change)
            elif change.deleted is not None and len(change.deleted):
                _left_by_deletion(held, edge, end, change)


def check_cardinality(held: Held) -> None:
    """Checks that each source has as many edges as the type permits."""
    for edge in held.snapshot.ir.types:
        if edge.kind == "edge" and edge.cardinality != Cardinality():
            _cardinality(held, edge)


def ends_of(edge: IrType) -> tuple[tuple[End, str], tuple[End, str]]:
    """Returns the columns of both ends of an edge type, and the node type there."""
    assert edge.source is not None
    assert edge.target is not None
    return ("src", edge.source), ("dst", edge.target)


def _endpoints(held: Held, change: TypeChange, end: End, node: IrType) -> None:
    assert change.rows is not None
    values = change.rows.table([end])[end]
    missing = _missing(held, node, values)
    if len(missing):
        held.tell_rows(
            change,
            pc.is_in(values, value_set=missing),
            rule="endpoint",
            prop=MEMBER[end],
            column=end,
            saying=f"there is no {node.name} {{}}",
        )


def _missing(held: Held, node: IrType, ids: pa.ChunkedArray) -> pa.Array:
    """Returns those of *ids* that no node of the type has after the changes, each once."""
    missing = distinct(without(ids, held.staged(node, "id")))
    if len(missing) and held.keeps_rows(node):
        there = those_in(held.snapshot.dataset(node), "id", missing)
        of_node = held.change_of(node)
        if of_node is not None and of_node.deleted is not None:
            there = without(there, of_node.deleted)
        missing = without(missing, there)
    return missing


def _left_by_deletion(held: Held, edge: IrType, end: End, change: TypeChange) -> None:
    assert change.deleted is not None
    found = rows_with(held.snapshot.dataset(edge), end, change.deleted, columns=["id", end])
    found = rows_without(found, "id", held.touched(edge))
    _tell_orphans(held, edge, end, change, found)


def _left_by_replacement(held: Held, edge: IrType, end: End, change: TypeChange) -> None:
    """A replaced node type may leave edges of other types without their nodes."""
    kept = held.staged(change.type, "id")
    touched = held.touched(edge)
    scanner = held.snapshot.dataset(edge).scanner(columns=["id", end], batch_size=READ_ROWS)
    for batch in scanner.to_batches():
        rows = pa.Table.from_batches([batch])
        _tell_orphans(
            held, edge, end, change, rows_without(rows_without(rows, end, kept), "id", touched)
        )


def _tell_orphans(held: Held, edge: IrType, end: End, change: TypeChange, found: pa.Table) -> None:
    told = found.slice(0, held.violations.room)
    held.violations.more(found.num_rows - told.num_rows)
    for row in told.to_pylist():
        held.violations.tell(
            Violation(
                rule="orphan",
                type_name=edge.name,
                id=row["id"],
                property=MEMBER[end],
                message=f"{edge.name} {shown(row['id'])}, {MEMBER[end]}:"
                f" it stays and names {change.type.name} {shown(row[end])}, which goes",
            )
        )


def _cardinality(held: Held, edge: IrType) -> None:
    change = held.change_of(edge)
    staged = held.staged(edge, "src")
    sources = _touched_sources(held, edge, staged)
    if not len(sources):
        return
    parts = staged.chunks
    if held.keeps_rows(edge):
        kept = rows_with(held.snapshot.dataset(edge), "src", sources, columns=["id", "src"])
        parts = [*parts, *rows_without(kept, "id", held.touched(edge))["src"].chunks]
    wrong = _miscounted(pa.chunked_array(parts, type=pa.utf8()), sources, edge.cardinality)
    assert edge.source is not None
    nowhere = _missing(held, held.snapshot.node(edge.source), wrong["source"])
    wrong = rows_without(wrong, "source", nowhere)  # its edges are told of already
    told = wrong.slice(0, held.violations.room)
    held.violations.more(wrong.num_rows - told.num_rows)
    lines = _lines_of(change, told["source"])
    for row in told.to_pylist():
        source = row["source"]
        held.violations.tell(
            Violation(
                rule="cardinality",
                type_name=edge.name,
                id=source,
                property="from",
                message=outside_cardinality(edge, source, row["edges"]),
                line=lines.get(source),
            )
        )


def _miscounted(leaving: pa.ChunkedArray, sources: pa.Array, permitted: Cardinality) -> pa.Table:
    """Returns ``source`` and ``edges`` of those *sources* that occur too rarely or too often."""
    counted = pc.value_counts(leaving)
    table = pa.table(
        {"source": counted.field("values"), "edges": counted.field("counts").cast(pa.int64())}
    )
    table = table.filter(pc.is_in(table["source"], value_set=sources))
    idle = without(sources, table["source"])
    none = pa.table({"source": idle, "edges": pa.repeat(pa.scalar(0, pa.int64()), len(idle))})
    table = pa.concat_tables([table, none])
    wrong = pc.less(table["edges"], permitted.minimum)
    if permitted.maximum is not None:
        wrong = pc.or_(wrong, pc.greater(table["edges"], permitted.maximum))
    return table.filter(wrong)


def outside_cardinality(edge: IrType, source: str, count: int) -> str:
    """Returns what is said of a node that *count* edges leave."""
    least, most = edge.cardinality.minimum, edge.cardinality.maximum
    edges = f"{count} {edge.name} edge{'' if count == 1 else 's'}"
    permitted = f"@card({least}..{'' if most is None else most})"
    return (
        f"{edge.name}.from: {edges} would leave {edge.source} {shown(source)}, outside {permitted}"
    )


def _touched_sources(held: Held, edge: IrType, staged: pa.ChunkedArray) -> pa.Array:
    """Returns the sources, there after the changes, whose number of edges may be another one."""
    assert edge.source is not None
    node = held.snapshot.node(edge.source)
    parts = [distinct(staged)]
    touched = held.touched(edge)
    if touched is not None:
        found = rows_with(held.snapshot.dataset(edge), "id", touched, columns=["src"])
        parts.append(distinct(found["src"]))
    change = held.change_of(edge)
    of_node = held.change_of(node)
    if edge.cardinality.minimum:
        parts.append(distinct(held.staged(node, "id")))
        if change is not None and change.replaces_all and held.keeps_rows(node):
            every = held.snapshot.dataset(node).scanner(columns=["id"]).to_table()["id"]
            parts.append(distinct(every))
    sources = distinct(pa.chunked_array(parts, type=pa.utf8()))
    if of_node is not None and of_node.deleted is not None:
        sources = without(sources, of_node.deleted)
    if of_node is not None and of_node.replaces_all:
        stays = held.staged(node, "id")
        sources = sources.filter(pc.is_in(sources, value_set=stays))
    return sources


def _lines_of(change: TypeChange | None, sources: pa.ChunkedArray) -> dict[str, int]:
    """Returns the last line with an edge of each source."""
    if change is None or change.rows is None or not change.lined or not len(sources):
        return {}
    table = change.rows.table(["src", LINE])
    table = table.filter(pc.is_in(table["src"], value_set=sources))
    return dict(zip(table["src"].to_pylist(), table[LINE].to_pylist(), strict=True))
