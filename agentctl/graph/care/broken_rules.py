"""All rows of a graph held against its schema, as if they were written now; within bounded memory.

Finds what `writes.checking.check` finds of a change that writes every row again, and tells it in the
same words; but of no type it holds more than a batch of rows, a hash of each row while it looks for
what comes twice, and the ids of one node type while it looks edges up. Measured, a million nodes with
short ids take some 45 MiB and a million edges some 30, on top of 75 MiB; up to `ends.PART_ROWS` and
`repeats.PART_ROWS` of one type, 2 and 8 million. What is larger is looked at in several passes, which
take longer and hold no more.
"""

import functools

import msgspec
import pyarrow as pa

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.graph.care.ends import check_ends
from agentctl.graph.care.repeats import repeated_rows
from agentctl.graph.care.stored_rows import StoredRows
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import Rule, Violations
from agentctl.graph.writes.changes import Changes, RowsInMemory, TypeChange
from agentctl.graph.writes.check_keys import columns_of
from agentctl.graph.writes.check_values import check_values, is_judged
from agentctl.graph.writes.held import Held
from agentctl.languages.schema.ir import IrType


def broken_rules(snapshot: Snapshot, path: str) -> tuple[Diagnostic, ...]:
    """Returns what of the rows of a graph its schema does not permit: the first ones, and a count."""
    violations = Violations(of_load=False)
    look_at_rows(snapshot, violations)
    return violations.diagnostics(path)


def look_at_rows(snapshot: Snapshot, violations: Violations) -> None:
    """Adds to *violations* what of the rows of a graph its schema does not permit."""
    for ir_type in snapshot.ir.types:
        rows = StoredRows(snapshot, ir_type)
        _values(snapshot, violations, rows)
        _repeats(snapshot, violations, rows)
    check_ends(snapshot, violations)


def _values(snapshot: Snapshot, violations: Violations, rows: StoredRows) -> None:
    """Looks at every value by itself, of the columns that the schema says something of."""
    judged = tuple(p for p in rows.type.properties if is_judged(rows.type, p))
    if not judged:
        return
    ir_type = msgspec.structs.replace(rows.type, properties=judged)
    for batch in rows.batches(["id", *(p.column for p in judged)]):
        check_values(_held(snapshot, violations, ir_type, pa.Table.from_batches([batch]))[0])


def _repeats(snapshot: Snapshot, violations: Violations, rows: StoredRows) -> None:
    """Looks for ids that come twice, and for values that a `@unique` permits once."""
    ir_type = rows.type

    def tell(told: pa.Table, rule: Rule, prop: str | None, saying: str) -> None:
        held, change = _held(snapshot, violations, ir_type, told)
        every = pa.repeat(pa.scalar(value=True), told.num_rows)
        held.tell_rows(change, every, rule=rule, prop=prop, saying=saying)

    repeated_rows(rows, ["id"], lambda told: tell(told, "key", None, "is given twice"))
    for names in (c.columns for c in ir_type.constraints if c.kind == "unique"):
        alike = functools.partial(
            tell, rule="unique", prop=", ".join(names), saying="another row has the same values"
        )
        repeated_rows(rows, columns_of(ir_type, names), alike)


def _held(
    snapshot: Snapshot, violations: Violations, ir_type: IrType, rows: pa.Table
) -> tuple[Held, TypeChange]:
    """Returns some rows as a change of their type, for the checks of writes to look at."""
    change = TypeChange(type=ir_type, rows=RowsInMemory(rows))
    return Held(snapshot, Changes(types={ir_type.id: change}), violations), change
