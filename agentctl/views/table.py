"""Tables for a terminal: columns as wide as they need, two spaces apart, nothing drawn.

Every cell is made safe here, so callers hand in what they have; widths count terminal cells.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from agentctl.foreign import cells
from agentctl.views.shapes import ReadPlanShown, ReplyShown
from agentctl.views.wording import counted, safe

CELL_MAX: Final = 60
"""In terminal cells; more is cut, and the count of what is cut is shown."""
PLAN_CELLS: Final = 200
GAP: Final = "  "


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    cell_max: int = CELL_MAX,
) -> str:
    """Returns a table under its headings, each row on one line.

    Args:
        headings: one for each column.
        rows: texts, foreign or not; each row as long as *headings*.
        right: columns (from 0) that are aligned to the right.
        cell_max: the widest a cell may be.
    """
    shown = [[safe(heading, cell_max) for heading in headings]]
    shown += [[safe(cell, cell_max) for cell in row] for row in rows]
    assert all(len(row) == len(headings) for row in shown)
    widths = [max(cells(row[i]) for row in shown) for i in range(len(headings))]
    return "".join(f"{_line(row, widths, right).rstrip()}\n" for row in shown)


def rows_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Returns the rows of a query as a table; a column of numbers is aligned to the right."""
    right = frozenset(
        i for i, c in enumerate(columns) if rows and all(_is_number(row.get(c)) for row in rows)
    )
    texts = [[value_text(row.get(column)) for column in columns] for row in rows]
    return table(columns, texts, right=right)


def reply_table(reply: ReplyShown) -> str:
    """Returns the reply of a query: its rows, and how many they are."""
    told = f"{counted(reply.row_count, 'row')}.\n"
    if not reply.rows:
        return told
    return f"{rows_table([c.name for c in reply.columns], reply.rows)}\n{told}"


def plan_lines(plan: ReadPlanShown) -> str:
    """Returns the plan of a read: an operator a line, its inputs below it, one level deeper."""
    lines = []
    for step in plan.steps:
        counts = f"about {step.estimate:,}" if step.rows is None else f"{step.rows:,} rows"
        took = "" if step.ms is None else f", {step.ms:g} ms"
        how = "" if step.executor is None else f" by {step.executor}"
        told = safe(f"{step.operator} {step.detail}".strip(), PLAN_CELLS)
        lines.append(f"{'  ' * step.depth}{told}{how} ({counts}{took})\n")
    if plan.analyzed and plan.ms is not None:
        lines.append(f"\n{counted(plan.rows or 0, 'row')} in {plan.ms:g} ms.\n")
    return "".join(lines)


def value_text(value: object) -> str:
    """Returns one value as a person reads it: text bare, null as ``null``, the rest as JSON.

    It is still foreign: `table` makes it safe.
    """
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _line(row: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    padded: list[str] = []
    for i, cell in enumerate(row):
        space = " " * (widths[i] - cells(cell))
        padded.append(space + cell if i in right else cell + space)
    return GAP.join(padded)
