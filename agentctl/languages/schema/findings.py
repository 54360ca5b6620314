"""What the checks of a schema find: each mistake once, with places and remedies.

An inherited property is checked at every node that takes it over, and its mistake told at the first.
"""

from collections.abc import Iterable
from typing import Final

from agentctl.diagnostics.diagnostic import Related, error, warning
from agentctl.diagnostics.span import Span
from agentctl.languages.schema.syntax import Name
from agentctl.languages.schema.types import PropertyType
from agentctl.languages.text.report import Report
from agentctl.languages.text.suggest import did_you_mean

ENUM_VALUES_SHOWN: Final = 4


class Findings:
    """Collects mistakes into the report of one text."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._told: set[tuple[str, Span]] = set()

    def mistake(self, rule: str, message: str, where: Span, **more: object) -> None:
        """Adds a break of a rule within one declaration; *more* are fields of `Diagnostic`."""
        if self._first(rule, where):
            self.report.add(
                error("schema_parse_error", where.file, message, rule=rule, where=where, **more)
            )

    def contradiction(self, rule: str, message: str, where: Span, **more: object) -> None:
        """Adds a contradiction between declarations."""
        if self._first(rule, where):
            self.report.add(
                error("schema_catalog_error", where.file, message, rule=rule, where=where, **more)
            )

    def warning(self, rule: str, message: str, where: Span, **more: object) -> None:
        """Adds a remark on something that is right and hardly meant."""
        if self._first(rule, where):
            self.report.add(
                warning("schema_parse_error", where.file, message, rule=rule, where=where, **more)
            )

    def meant(self, name: str, known: Iterable[str], *, otherwise: str | None = None) -> str | None:
        """Returns a suggestion while it will be shown; it is the dearest part of a mistake."""
        return None if self.report.full else did_you_mean(name, known, otherwise=otherwise)

    def _first(self, rule: str, where: Span) -> bool:
        if (rule, where) in self._told:
            return False
        self._told.add((rule, where))
        return True


def earlier(name: Name) -> tuple[Related, ...]:
    """Returns the place of an earlier declaration."""
    return (Related(where=name.where, message=f"`{name.text}` is declared here first"),)


def short_type(type_: PropertyType) -> str:
    """Returns a type as it is written, an enum with its first values only."""
    values = type_.enum_values
    if values is None or len(values) <= ENUM_VALUES_SHOWN:
        shown = values
    else:
        shown = (*values[:ENUM_VALUES_SHOWN], "…")
    if shown is None:
        return str(type_)
    inner = ", ".join(v[:20] for v in shown)
    return f"enum({inner}){'?' if type_.nullable else ''}"
