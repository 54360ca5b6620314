"""Staged rows, held against a graph: what does not fit is set aside where that is allowed.

Setting rows aside can take the ground from others (an edge whose node goes), so it is done until
nothing is wrong with what stays. Source: graph-engine 4.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agentctl.graph.columns import LINE
from agentctl.graph.loads.rejects import FAULT_COUNT_MAX, Rejected
from agentctl.graph.loads.sources import REJECTED_MAX, Mode
from agentctl.graph.loads.writing_lines import LineWriter
from agentctl.graph.violations import Violation, Violations
from agentctl.graph.writes.changes import Changes, TypeChange
from agentctl.graph.writes.checking import check

if TYPE_CHECKING:
    from agentctl.graph.loads.spool import Spool, StagedType
    from agentctl.graph.snapshot import Snapshot


class Settled(NamedTuple):
    """Staged rows that a graph can take, or None of them."""

    changes: Changes | None
    matched: Mapping[str, int]
    """As `checking.check` returns them."""
    violations: Violations
    """What the graph does not permit; of rows set aside, or of those for whose sake all is left."""
    rejected: list[Rejected]


class _Everything(Violations):
    """Violations that are listed as far as lines may be set aside."""

    @property
    def room(self) -> int:
        """How many more are listed."""
        return max(REJECTED_MAX + 1 - len(self.told), 0)


def settle(snapshot: "Snapshot", spool: "Spool", *, mode: Mode, rejected_max: int) -> Settled:
    """Returns what of the staged rows is written; what is set aside goes from *spool*.

    Without *rejected_max* everything that is wrong is added to what the spool tells already.
    """
    for staged in spool.staged.values():
        staged.restore()
    if not rejected_max or spool.broken or spool.bad_count > rejected_max:
        matched = check(snapshot, changes_of(spool, mode), spool.violations)
        refused = spool.violations.count > 0
        return Settled(None if refused else changes_of(spool, mode), matched, spool.violations, [])
    rejected: list[Rejected] = []
    told = Violations()
    while True:
        found = _Everything()
        changes = changes_of(spool, mode)
        matched = check(snapshot, changes, found)
        _tell(told, found)
        if not found.count:
            return Settled(changes, matched, told, rejected)
        room = rejected_max - spool.bad_count - len(rejected)
        by_line = _by_line(found)
        if by_line is None or len(by_line) > room:
            return Settled(None, matched, told, [])
        rejected += _set_aside(spool, by_line)


def changes_of(spool: "Spool", mode: Mode) -> Changes:
    """Returns the staged rows as changes."""
    return Changes(
        types={
            type_id: TypeChange(
                type=staged.type,
                rows=staged,
                replaces_all=mode == "overwrite",
                inserts_only=mode == "append",
                fresh_ids=not staged.given_ids,
                lined=True,
            )
            for type_id, staged in spool.staged.items()
        }
    )


def _tell(told: Violations, found: Violations) -> None:
    for violation in found.told:
        told.tell(violation)
    told.more(found.count - len(found.told))


def _by_line(found: Violations) -> dict[int, list[Violation]] | None:
    """Returns what is wrong by line; None where it is not about lines, or too much to list."""
    if found.count > len(found.told):
        return None
    by_line: dict[int, list[Violation]] = {}
    for violation in found.told:
        if violation.line is None:
            return None
        by_line.setdefault(violation.line, []).append(violation)
    return by_line


def _set_aside(spool: "Spool", by_line: dict[int, list[Violation]]) -> list[Rejected]:
    lines = np.array(sorted(by_line), dtype=np.int64)
    rejected = [
        Rejected(
            line,
            [(_CODES.code(v), v.message) for v in by_line[line][:FAULT_COUNT_MAX]],
            spool.aside.keep(text),
        )
        for staged in spool.staged.values()
        for line, text in _lines_of(staged, lines)
    ]
    for staged in spool.staged.values():
        staged.set_aside(lines)
    return sorted(rejected)


def _lines_of(staged: "StagedType", lines: np.ndarray) -> Iterator[tuple[int, bytes]]:
    writer = LineWriter(staged.type)
    for batch in staged.rows_of(lines):
        numbers, texts = batch.column(LINE).to_pylist(), writer.lines(batch).splitlines()
        yield from zip(numbers, texts, strict=True)


class _Codes(Violations):
    """Tells the code that a load gives a violation."""

    def code(self, violation: Violation) -> str:
        return self._codes[violation.rule]


_CODES = _Codes()
