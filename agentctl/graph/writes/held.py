"""What the checks of one write share: the changes, the graph before them, and where they tell."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.columns import LINE
from agentctl.graph.lookups import those_in
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.values import shown
from agentctl.graph.violations import Rule, Violation, Violations
from agentctl.graph.writes.changes import Changes, TypeChange
from agentctl.languages.schema.ir import IrType


class Held:
    """Changes, held against the graph that they shall be made to."""

    def __init__(self, snapshot: Snapshot, changes: Changes, violations: Violations) -> None:
        self.snapshot = snapshot
        self.changes = changes
        self.violations = violations
        self._matched: dict[str, pa.ChunkedArray | None] = {}

    def change_of(self, ir_type: IrType) -> TypeChange | None:
        """Returns what becomes of a type's rows."""
        return self.changes.types.get(ir_type.id)

    def with_rows(self) -> Iterator[TypeChange]:
        """Gives the changes that write rows."""
        for change in self.changes.types.values():
            if change.rows is not None and change.rows.rows:
                yield change

    def staged(self, ir_type: IrType, column: str) -> pa.ChunkedArray:
        """Returns one column of a type's staged rows; empty where there are none."""
        change = self.change_of(ir_type)
        if change is None or change.rows is None or not change.rows.rows:
            return pa.chunked_array([], type=pa.utf8())
        return change.rows.table([column])[column]

    def keeps_rows(self, ir_type: IrType) -> bool:
        """Returns whether rows of the type are there that the changes may leave."""
        change = self.change_of(ir_type)
        replaced = change is not None and change.replaces_all
        return not replaced and self.snapshot.rows(ir_type) > 0

    def matched(self, change: TypeChange) -> pa.ChunkedArray | None:
        """Returns the staged ids that are in the graph; None where none can be."""
        type_id = change.type.id
        if type_id not in self._matched:
            asked = change.rows is not None and not change.fresh_ids
            if change.replaced is not None:
                self._matched[type_id] = pa.chunked_array([change.replaced], type=pa.utf8())
            elif asked and self.keeps_rows(change.type):
                ids = self.staged(change.type, "id")
                found = those_in(self.snapshot.dataset(change.type), "id", ids)
                self._matched[type_id] = found
            else:
                self._matched[type_id] = None
        return self._matched[type_id]

    def touched(self, ir_type: IrType) -> pa.ChunkedArray | None:
        """Returns the ids of rows that are there and do not stay as they are; None where none."""
        change = self.change_of(ir_type)
        if change is None or change.replaces_all:
            return None
        parts = [change.deleted] if change.deleted is not None and len(change.deleted) else []
        matched = self.matched(change)
        if matched is not None and len(matched):
            parts += matched.chunks
        return pa.chunked_array(parts, type=pa.utf8()) if parts else None

    def tell_rows(  # noqa: PLR0913  # what is told of a row
        self,
        change: TypeChange,
        failing: pa.Array | pa.ChunkedArray,
        *,
        rule: Rule,
        prop: str | None,
        told: Iterable[str] | None = None,
        column: str | None = None,
        saying: str = "",
    ) -> None:
        """Tells of the staged rows at which the mask *failing* is true, the first ones in full.

        *told* are messages by failing row; else *saying* is formatted with the value of *column*.
        """
        places = pc.indices_nonzero(failing)
        if not len(places):
            return
        first = places.slice(0, self.violations.room)
        self.violations.more(len(places) - len(first))
        if not len(first):
            return
        assert change.rows is not None
        wanted = ["id", *([LINE] if change.lined else []), *([column] if column else [])]
        rows = change.rows.table(wanted).take(first).to_pylist()
        messages = iter(told) if told is not None else None
        for row in rows:
            said = saying.format(shown(row[column])) if messages is None and column else saying
            if messages is not None:
                said = next(messages)
            self.tell(change, rule, prop, said, row_id=row["id"], line=row.get(LINE))

    def tell(
        self,
        change: TypeChange,
        rule: Rule,
        prop: str | None,
        said: str,
        *,
        row_id: str | None,
        line: int | None = None,
    ) -> None:
        """Tells of one staged row: by its line where it has one, by its id else."""
        self.violations.tell(
            Violation(
                rule=rule,
                type_name=change.type.name,
                id=row_id,
                property=prop,
                message=named(change.type, row_id, prop, line) + said,
                line=line,
            )
        )


def named(ir_type: IrType, row_id: str | None, prop: str | None, line: int | None) -> str:
    """Returns how a message begins: ``Person 'ann' ``, ``Person 'ann', age: `` or ``Person.age: ``.

    A property of a row that has a line is told without the id, which may be minted.
    """
    if prop is None:
        return f"{ir_type.name} {shown(row_id)} "
    if line is not None:
        return f"{ir_type.name}.{prop}: "
    return f"{ir_type.name} {shown(row_id)}, {prop}: "
