"""The rows of one load into a graph in memory, held against what the graph has."""

from collections import Counter
from typing import Any, Literal

from agentctl.graph.lines import Fault, Row
from agentctl.graph.values import shown
from agentctl.graph.violations import Violations
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.testing.naive import Entity, Tables

Mode = Literal["append", "merge", "overwrite"]


def of_column(row: Entity, column: str) -> Any:  # noqa: ANN401  # a value as it is stored
    """Returns what a row has in a column; its ends are columns too."""
    ends = {"src": row.src, "dst": row.dst}
    return ends[column] if column in ends else row.values.get(column)


class MemoryLoad:
    """The rows of one load, held against a graph."""

    def __init__(self, ir: SchemaIr, before: Tables, mode: Mode) -> None:
        self._ir = ir
        self._types = {t.id: t for t in ir.types}
        self._before = before
        self._mode = mode
        self._new: dict[str, dict[str, tuple[Entity, int]]] = {}
        self._line = 0
        self.rows: dict[str, int] = {}
        self.violations = Violations()

    def add(self, read: Row | list[Fault] | None) -> None:
        """Takes one line as it was read."""
        self._line += 1
        if isinstance(read, list):
            self.violations.add(self._line, read)
        elif read is not None:
            self._add_row(read)

    def finish(self) -> Tables:
        """Returns the tables as they would be; `violations` says whether they may."""
        after = {type_id: dict(rows) for type_id, rows in self._before.items()}
        for type_id, staged in self._new.items():
            if self._mode == "overwrite":
                after[type_id] = {}
            for row_id, (entity, line) in staged.items():
                if self._mode == "append" and row_id in after[type_id]:
                    said = f"{self._types[type_id].name} {shown(row_id)} is in the graph already"
                    self.violations.add(line, [Fault("load_key_violation", said)])
                after[type_id][row_id] = entity
        if not self.violations.unreadable:
            for edge in self._ir.types:
                if edge.kind == "edge":
                    self._check_endpoints(edge, after)
                    self._check_cardinality(edge, after)
        self._check_constraints(after)
        return after

    def _check_constraints(self, after: Tables) -> None:
        for ir_type in self._ir.types:
            for constraint in ir_type.constraints:
                if constraint.kind == "unique":
                    self._check_unique(ir_type, constraint.columns, after)

    def _check_unique(self, ir_type: IrType, names: tuple[str, ...], after: Tables) -> None:
        columns = {p.name: p.column for p in ir_type.properties}
        staged = self._new.get(ir_type.id, {})
        seen: dict[tuple[Any, ...], str] = {}
        rows = after.get(ir_type.id, {})
        for row in sorted(rows.values(), key=lambda row: staged.get(row.id, (row, 0))[1]):
            values = tuple(of_column(row, columns.get(name, name)) for name in names)
            if None in values:
                continue
            first = seen.setdefault(values, row.id)
            if first != row.id:
                line = staged[row.id][1] if row.id in staged else None
                other = staged[first][1] if first in staged else None
                said = f"line {other}" if other else f"{ir_type.name} {shown(first)}"
                message = f"{ir_type.name}.{', '.join(names)}: {said} has the same values"
                self.violations.add(line, [Fault("unique_violated", message)])

    def _check_cardinality(self, edge: IrType, after: Tables) -> None:
        least, most = edge.cardinality.minimum, edge.cardinality.maximum
        if not least and most is None:
            return
        source = self._ir.type_named("node", edge.source or "")
        assert source is not None
        leaving = Counter(row.src for row in after[edge.id].values())
        lines = {row.src: line for row, line in self._new.get(edge.id, {}).values()}
        for node in after[source.id]:
            count = leaving[node]
            if count < least or (most is not None and count > most):
                edges = f"{count} {edge.name} edge{'' if count == 1 else 's'}"
                permitted = f"@card({least}..{'' if most is None else most})"
                said = f"{edges} would leave {source.name} {shown(node)}, outside {permitted}"
                fault = Fault("cardinality_violated", f"{edge.name}.from: {said}")
                self.violations.add(lines.get(node), [fault])

    def _add_row(self, row: Row) -> None:
        ir_type = self._types[row.type_id]
        staged = self._new.setdefault(row.type_id, {})
        if row.id in staged:
            said = f"{ir_type.name} {shown(row.id)} is on line {staged[row.id][1]} already"
            self.violations.add(self._line, [Fault("load_key_violation", said)])
            return
        columns = [p.column for p in ir_type.properties]
        entity = Entity(
            id=row.id,
            values=dict(zip(columns, row.values, strict=True)),
            src=row.src or "",
            dst=row.dst or "",
        )
        staged[row.id] = (entity, self._line)
        self.rows[ir_type.name] = self.rows.get(ir_type.name, 0) + 1

    def _check_endpoints(self, edge: IrType, after: Tables) -> None:
        lines = {row_id: line for row_id, (_, line) in self._new.get(edge.id, {}).items()}
        for member, name in (("from", edge.source), ("to", edge.target)):
            node = self._ir.type_named("node", name or "")
            assert node is not None
            for entity in after[edge.id].values():
                end = entity.src if member == "from" else entity.dst
                if end not in after[node.id]:
                    said = f"{edge.name}.{member}: there is no {node.name} {shown(end)}"
                    self.violations.add(
                        lines.get(entity.id), [Fault("load_endpoint_missing", said)]
                    )
