"""What a mutation does to one snapshot: its statements in order, into changes. In a worker thread.

Nothing is written here, and of the schema only what a single value needs is asked: the rest is
`checking`'s. Source: graph-engine 4, languages 2.2, 2.4.
"""

from collections.abc import Callable, Mapping

from agentctl.graph.columns import column_of
from agentctl.graph.lines import key_id, key_properties
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.values import Stored, Value, as_stored
from agentctl.graph.violations import Rule, Violation, Violations
from agentctl.graph.writes.changes import Changes
from agentctl.graph.writes.choosing import Chooser
from agentctl.graph.writes.pending import PendingRows, with_values
from agentctl.languages.query import plan
from agentctl.languages.schema.ir import IrProperty, IrType, default_of
from agentctl.languages.schema.types import Scalar

_ENDS = {"from": "src", "to": "dst"}


class Mutating:
    """One execution of the statements of a query."""

    def __init__(
        self,
        snapshot: Snapshot,
        params: Mapping[str, object],
        *,
        now: int,
        mint: Callable[[], str],
        violations: Violations,
    ) -> None:
        self._snapshot = snapshot
        self._params = params
        self._now = now
        self._mint = mint
        self._violations = violations
        self._pending: dict[str, PendingRows] = {}
        self.affected = {"node": 0, "edge": 0}
        """How many rows the statements changed, by kind."""

    def do(self, mutations: tuple[plan.Mutation, ...]) -> Changes:
        """Returns what *mutations* change; what a value cannot be is told and left out."""
        for mutation in mutations:
            match mutation:
                case plan.Insert():
                    self._insert(mutation)
                case plan.Update():
                    self._update(mutation)
                case plan.Delete():
                    self._delete(mutation)
        changes = {type_id: pending.change() for type_id, pending in self._pending.items()}
        return Changes(types={type_id: c for type_id, c in changes.items() if c is not None})

    def _insert(self, insert: plan.Insert) -> None:
        ir_type = self._type(insert.target)
        given = {a.property: a.value for a in insert.assignments}
        values: dict[str, object] = {}
        fits = True
        for prop in ir_type.properties:
            fit, value = self._value(ir_type, prop, given.get(prop.name))
            values[prop.column] = value
            fits = fits and fit
        if ir_type.kind == "edge":
            for end, column in _ENDS.items():
                found = self._plain(given[end])
                values[column] = found
                fits = fits and self._is_given(ir_type, end, found)
        for prop in key_properties(ir_type):
            fits = fits and self._is_given(ir_type, prop.name, values[prop.column])
        self.affected[insert.target.kind] += 1
        if fits:
            row_id = _key_id(ir_type, values) if ir_type.key else self._mint()
            self._rows(ir_type).insert(row_id, values, minted=not ir_type.key)

    def _update(self, update: plan.Update) -> None:
        ir_type = self._type(update.target)
        rows = self._rows(ir_type).chosen(self._chooser(ir_type, update.condition))
        if not rows.num_rows:
            return
        self.affected[update.target.kind] += rows.num_rows
        by_name = {p.name: p for p in ir_type.properties}
        columns = {}
        for assigned in update.assignments:
            prop = by_name[assigned.property]
            fit, value = self._value(ir_type, prop, assigned.value)
            if not fit:
                return
            columns[prop.column] = column_of(prop, [value] * rows.num_rows)
        self._rows(ir_type).put(with_values(rows, columns))

    def _delete(self, delete: plan.Delete) -> None:
        ir_type = self._type(delete.target)
        pending = self._rows(ir_type)
        gone = pending.chosen(self._chooser(ir_type, delete.condition))
        pending.delete(gone)
        self.affected[delete.target.kind] += gone.num_rows
        if ir_type.kind == "edge" or not gone.num_rows:
            return
        for edge in self._snapshot.ir.types:
            for end, name in (("src", edge.source), ("dst", edge.target)):
                if edge.kind == "edge" and name == ir_type.name:
                    edges = self._rows(edge)
                    lost = edges.incident(end, gone["id"])
                    edges.delete(lost)
                    self.affected["edge"] += lost.num_rows

    def _chooser(self, ir_type: IrType, condition: plan.Condition) -> Chooser:
        return Chooser(ir_type, condition, self._params, self._now)

    def _value(
        self, ir_type: IrType, prop: IrProperty, given: plan.Value | plan.Now | plan.ParamRef | None
    ) -> tuple[bool, Stored | None]:
        """Returns whether the value is one of the property's, and it; not given, the default."""
        default = default_of(prop)
        if given is None:
            return True, None if default is None else as_stored(prop.type, default.value)
        plain = self._plain(given)
        if plain is None:
            return True, None
        assert isinstance(plain, str | int | float | bool | tuple)
        try:
            return True, as_stored(prop.type, plain)
        except ValueError as failure:
            self._tell("type", ir_type, prop.name, str(failure))
            return False, None

    def _plain(self, given: plan.Value | plan.Now | plan.ParamRef) -> object:
        match given:
            case plan.Value():
                return given.value
            case plan.Now():
                return self._now
            case plan.ParamRef():
                found = self._params[given.name]
                return tuple(found) if isinstance(found, list) else found

    def _is_given(self, ir_type: IrType, name: str, value: object) -> bool:
        if value is None:
            self._tell("required", ir_type, name, "null, but it is required")
        return value is not None

    def _tell(self, rule: Rule, ir_type: IrType, prop: str, said: str) -> None:
        message = f"{ir_type.name}.{prop}: {said}"
        self._violations.tell(
            Violation(rule=rule, type_name=ir_type.name, id=None, property=prop, message=message)
        )

    def _type(self, target: plan.Fact) -> IrType:
        found = self._snapshot.type_named(target.kind, target.type_name)
        assert found is not None, "a query is run against the schema that it was checked with"
        return found

    def _rows(self, ir_type: IrType) -> PendingRows:
        return self._pending.setdefault(ir_type.id, PendingRows(self._snapshot, ir_type))


def _key_id(ir_type: IrType, values: Mapping[str, object]) -> str:
    parts: list[tuple[Scalar, Value | None]] = []
    for prop in key_properties(ir_type):
        value = values[prop.column]
        assert isinstance(value, str | int | float | bool)
        parts.append((Scalar(prop.scalar), value))
    return key_id(parts)
