"""The rows that a mutation's condition makes true: pushed into the scan as far as it can be.

One meaning of conditions: those of reads (`reads.conditions`), with the variable ``""``.
Source: languages 2.2, 3.1.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.lookups import READ_ROWS
from agentctl.graph.reads.conditions import Conditions
from agentctl.graph.reads.evaluating import evaluated
from agentctl.graph.reads.expressions import Joined, Test, columns_of
from agentctl.graph.reads.frame import Frame, plain
from agentctl.graph.reads.pushing import pushed
from agentctl.languages.query.plan import Condition
from agentctl.languages.schema.ir import IrType

if TYPE_CHECKING:
    import lance

_ENDS = {".@src": "src", ".@dst": "dst"}


class Chooser:
    """One condition over the rows of one type, its parameters filled in."""

    def __init__(
        self, ir_type: IrType, condition: Condition, params: Mapping[str, object], now: int
    ) -> None:
        conditions = Conditions(params, now, type_of=_no_type, fresh=_no_mark)
        self._test = conditions.test(condition)
        assert not conditions.below, "the condition of a mutation has no blocks"
        self._columns = {f".{p.name}": p.column for p in ir_type.properties} | _ENDS

    def rows_of(self, dataset: "lance.LanceDataset") -> pa.Table:
        """Returns the whole rows of a dataset that meet the condition."""
        names = dataset.schema.names
        whole = self._pushed(self._test)
        if whole is not None:
            return dataset.scanner(columns=names, filter=whole).to_table()
        scanner = dataset.scanner(columns=names, filter=self._partly(), batch_size=READ_ROWS)
        kept = [self.among(pa.Table.from_batches([batch])) for batch in scanner.to_batches()]
        return pa.concat_tables(kept) if kept else dataset.schema.empty_table().select(names)

    def among(self, rows: pa.Table) -> pa.Table:
        """Returns those of *rows* that meet the condition."""
        wanted = {name: self._columns[name] for name in columns_of(self._test)}
        columns = {name: plain(rows[column]) for name, column in wanted.items()}
        mask = evaluated(self._test, Frame(rows.num_rows, columns))
        return rows.filter(pc.fill_null(mask, fill_value=False))

    def _partly(self) -> str | None:
        """Returns the parts of an ``and`` that a scan can test, as one filter."""
        if not isinstance(self._test, Joined) or self._test.word != "and":
            return None
        parts = [self._pushed(part) for part in self._test.tests]
        known = [f"({part})" for part in parts if part is not None]
        return " AND ".join(known) or None

    def _pushed(self, test: Test) -> str | None:
        return pushed(test, self._columns.get)


def _no_type(var: str) -> tuple[str, bool]:
    msg = f"the condition of a mutation asks no type of {var!r}"
    raise AssertionError(msg)


def _no_mark() -> str:
    msg = "the condition of a mutation has no blocks"
    raise AssertionError(msg)
