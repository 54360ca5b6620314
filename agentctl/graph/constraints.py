"""What a load must not break: keys are unique, endpoints exist. Checked over all rows at once.

Works on columns, never on whole rows, and reads of the graph only the ids and endpoints that the
load touches. Source: graph-engine 2, access-and-faces 2.4.
"""

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import LINE
from agentctl.graph.lines import Fault
from agentctl.graph.lookup import rows_where, scan
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.spool import StagedType
from agentctl.graph.values import shown
from agentctl.graph.violations import VIOLATION_COUNT_MAX, Violations
from agentctl.languages.schema.ir import IrType

Mode = Literal["append", "merge", "overwrite"]


class LoadCheck:
    """Checks staged rows against one snapshot."""

    def __init__(
        self, snapshot: Snapshot, staged: dict[str, StagedType], mode: Mode, found: Violations
    ) -> None:
        self._snapshot = snapshot
        self._staged = staged
        self._mode = mode
        self._found = found
        self.matched: dict[str, int] = {}
        """How many staged rows replace one that is there, by type id."""

    def keys(self) -> None:
        """Checks that no id is given twice, and in mode append that none is there already."""
        for staged in self._staged.values():
            if staged.given_ids:
                self._ids_once(staged)
                self._ids_against_graph(staged)

    def endpoints(self) -> None:
        """Checks that every staged edge leaves and reaches a node, and so does every kept one."""
        for staged in self._staged.values():
            if staged.type.kind == "edge":
                self._endpoints_of(staged, "src", staged.type.source)
                self._endpoints_of(staged, "dst", staged.type.target)
        if self._mode == "overwrite":
            self._kept_edges()

    def _ids_once(self, staged: StagedType) -> None:
        table = staged.table(["id", LINE])
        groups = table.group_by("id").aggregate([(LINE, "count"), (LINE, "min")])
        repeated = groups.filter(pc.greater(groups[f"{LINE}_count"], 1))
        if not repeated.num_rows:
            return
        first = dict(
            zip(repeated["id"].to_pylist(), repeated[f"{LINE}_min"].to_pylist(), strict=True)
        )
        for row_id, line in self._lines(staged, "id", pa.array(list(first))):
            if line != first[row_id]:
                said = f"{staged.type.name} {shown(row_id)} is on line {first[row_id]} already"
                self._found.add(line, [Fault("load_key_violation", said)])

    def _ids_against_graph(self, staged: StagedType) -> None:
        if self._mode == "overwrite":
            return
        ids = _distinct(staged.table(["id"])["id"])
        there = rows_where(self._snapshot.dataset(staged.type), "id", ids, columns=["id"])["id"]
        self.matched[staged.type.id] = len(there)
        if self._mode == "append" and len(there):
            for row_id, line in self._lines(staged, "id", there.combine_chunks()):
                said = f"{staged.type.name} {shown(row_id)} is in the graph already"
                self._found.add(line, [Fault("load_key_violation", said)])

    def _endpoints_of(self, staged: StagedType, column: str, node_name: str | None) -> None:
        assert node_name is not None
        node = self._snapshot.node(node_name)
        missing = self._not_there(node, _distinct(staged.table([column])[column]))
        member = "from" if column == "src" else "to"
        for value, line in self._lines(staged, column, missing):
            said = f"{staged.type.name}.{member}: there is no {node.name} {shown(value)}"
            self._found.add(line, [Fault("load_endpoint_missing", said)])

    def _not_there(self, node: IrType, ids: pa.Array) -> pa.Array:
        staged = self._staged.get(node.id)
        if staged is not None:
            ids = _without(ids, staged.table(["id"])["id"])
        if len(ids) and not (staged is not None and self._mode == "overwrite"):
            found = rows_where(self._snapshot.dataset(node), "id", ids, columns=["id"])
            ids = _without(ids, found["id"])
        return ids

    def _kept_edges(self) -> None:
        """A replaced node type may leave edges of other types without their nodes."""
        for edge in self._snapshot.ir.types:
            if edge.kind != "edge" or edge.id in self._staged or not self._snapshot.rows(edge):
                continue
            for column, name in (("src", edge.source), ("dst", edge.target)):
                assert name is not None
                node = self._snapshot.node(name)
                if node.id in self._staged:
                    self._kept_endpoints(edge, column, node)

    def _kept_endpoints(self, edge: IrType, column: str, node: IrType) -> None:
        used = _distinct(scan(self._snapshot.dataset(edge), [column])[column])
        lost = _without(used, self._staged[node.id].table(["id"])["id"])
        if len(lost):
            said = (
                f"{len(lost)} {node.name} rows that {edge.name} edges still name are not in the"
                f" input, among them {shown(lost[0].as_py())}; load {edge.name} with it, or merge"
            )
            self._found.add(None, [Fault("load_endpoint_missing", said)])

    def _lines(self, staged: StagedType, column: str, values: pa.Array) -> list[tuple[str, int]]:
        """Returns value and line of the rows that have one of *values*; counts those left out."""
        if not len(values):
            return []
        table = staged.table([column, LINE])
        table = table.filter(pc.is_in(table[column], value_set=values)).sort_by(LINE)
        shortened = table.slice(0, 2 * VIOLATION_COUNT_MAX)
        self._found.count += table.num_rows - shortened.num_rows
        return list(zip(shortened[column].to_pylist(), shortened[LINE].to_pylist(), strict=True))


def _distinct(values: pa.ChunkedArray) -> pa.Array:
    found = pc.unique(values)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _without(values: pa.Array, others: pa.ChunkedArray) -> pa.Array:
    if not len(others):
        return values
    return values.filter(pc.invert(pc.is_in(values, value_set=_distinct(others))))
