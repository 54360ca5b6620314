"""What is wrong with a write: collected with a bound, counted without one.

A load tells of its input by line; every write tells of what the schema does not permit, each by type,
id, property and rule. Source: graph-engine 2.
"""

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentctl.graph.lines import Fault

VIOLATION_COUNT_MAX: Final = 100
UNREADABLE: Final = frozenset({"load_line_invalid", "load_value_invalid"})
INPUT_NAME: Final = "input"
"""Stands for the file in spans: the port is handed lines and knows no name."""

Rule = Literal[
    "type",
    "required",
    "enum",
    "range",
    "check",
    "finite",
    "key",
    "unique",
    "endpoint",
    "cardinality",
    "orphan",
]
"""What a schema asks of rows."""

_OF_LOADS: Final[dict[Rule, str]] = {
    "type": "load_value_invalid",
    "required": "load_value_invalid",
    "enum": "load_value_invalid",
    "range": "load_value_invalid",
    "check": "load_value_invalid",
    "finite": "load_value_invalid",
    "key": "load_key_violation",
    "unique": "unique_violated",
    "endpoint": "load_endpoint_missing",
    "cardinality": "cardinality_violated",
    "orphan": "orphan_edge",
}
_OF_WRITES: Final[dict[Rule, str]] = {
    **_OF_LOADS,
    "type": "value_violated",
    "required": "value_violated",
    "enum": "value_violated",
    "range": "value_violated",
    "check": "value_violated",
    "finite": "value_violated",
    "key": "key_violated",
    "endpoint": "endpoint_missing",
}


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the schema does not permit."""

    rule: Rule
    type_name: str
    id: str | None
    """Of the entity; None where it is told by its line, or of several together."""
    property: str | None
    """The property, ``from`` or ``to`` of an edge, or several with commas; None of an id."""
    message: str
    """One line that names all of this."""
    line: int | None = None
    """Of the input, from 1."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    line: int | None
    code: str
    message: str
    rule: str | None = None


class Violations:
    """Faults of lines, and what the schema does not permit.

    With *of_load* False the codes are those of writes that read no input.
    """

    def __init__(self, *, of_load: bool = True) -> None:
        self._codes = _OF_LOADS if of_load else _OF_WRITES
        self._kept: list[_Kept] = []
        self.told: list[Violation] = []
        """Those of the schema, in the order found, within the bound."""
        self.count = 0

    @property
    def room(self) -> int:
        """How many more are listed; the rest are counted."""
        return max(VIOLATION_COUNT_MAX - len(self._kept), 0)

    def add(self, line: int | None, faults: "Sequence[Fault]") -> None:
        """Adds the faults of a line, counted from 1, or of the load as a whole."""
        self.count += len(faults)
        self._kept.extend(
            _Kept(line=line, code=fault.code, message=fault.message)
            for fault in faults[: self.room]
        )

    def tell(self, violation: Violation) -> None:
        """Adds something that the schema does not permit."""
        self.count += 1
        if self.room:
            self.told.append(violation)
            self._kept.append(
                _Kept(
                    line=violation.line,
                    code=self._codes[violation.rule],
                    message=violation.message,
                    rule=violation.rule,
                )
            )

    def more(self, count: int) -> None:
        """Counts what is not listed."""
        self.count += count

    @property
    def unreadable(self) -> bool:
        """Whether some line is no row of the schema, whatever the graph holds."""
        return any(kept.code in UNREADABLE and kept.rule is None for kept in self._kept)

    def diagnostics(self, path: str) -> tuple[Diagnostic, ...]:
        """Returns them by line; the last one says how many there are beyond the bound."""
        found = [
            error(kept.code, path, kept.message, rule=kept.rule, where=_span(kept.line))
            for kept in sorted(self._kept, key=lambda kept: kept.line or 0)
        ]
        more = self.count - len(found)
        if more:
            code = "load_line_invalid" if self._codes is _OF_LOADS else "value_violated"
            said = f"{more} more faults are not listed; {self.count} in all."
            found.append(error(code, path, said))
        return tuple(found)


def _span(line: int | None) -> Span | None:
    if line is None:
        return None
    return Span(file=INPUT_NAME, line=line, column=1, end_line=line, end_column=1)
