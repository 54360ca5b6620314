"""What is wrong with a load, by line: collected with a bound, counted without one."""

from collections.abc import Sequence
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.span import Span
from agentctl.graph.lines import Fault

VIOLATION_COUNT_MAX: Final = 100
UNREADABLE: Final = frozenset({"load_line_invalid", "load_value_invalid"})
INPUT_NAME: Final = "input"
"""Stands for the file in spans: the port is handed lines and knows no name."""


class Violations:
    """Faults of lines."""

    def __init__(self) -> None:
        self._kept: list[tuple[int | None, Fault]] = []
        self.count = 0

    def add(self, line: int | None, faults: Sequence[Fault]) -> None:
        """Adds the faults of a line, counted from 1, or of the load as a whole."""
        self.count += len(faults)
        room = VIOLATION_COUNT_MAX - len(self._kept)
        self._kept.extend((line, fault) for fault in faults[: max(room, 0)])

    @property
    def unreadable(self) -> bool:
        """Whether some line is no row of the schema, whatever the graph holds."""
        return any(fault.code in UNREADABLE for _, fault in self._kept)

    def diagnostics(self, path: str) -> tuple[Diagnostic, ...]:
        """Returns them by line; the last one says how many there are beyond the bound."""
        found = [
            error(fault.code, path, fault.message, where=_span(line))
            for line, fault in sorted(self._kept, key=lambda kept: kept[0] or 0)
        ]
        more = self.count - len(found)
        if more:
            found.append(
                error(
                    "load_line_invalid",
                    path,
                    f"{more} more faults are not listed; {self.count} in all.",
                )
            )
        return tuple(found)


def _span(line: int | None) -> Span | None:
    if line is None:
        return None
    return Span(file=INPUT_NAME, line=line, column=1, end_line=line, end_column=1)
