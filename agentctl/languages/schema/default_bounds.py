"""Checks that defaults satisfy the constraints of their properties.

Rule: PG033. Source: languages 3.1.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.schema.constraints import ConstraintChecker
from agentctl.languages.schema.findings import Findings
from agentctl.languages.schema.resolve import Resolved
from agentctl.languages.schema.syntax import Bounds, ConstraintSyntax, PropertySyntax
from agentctl.languages.schema.types import Default

SEARCHES_MAX: Final = 100_000_000
"""Sizes of patterns times lengths of defaults in one schema, about a second; what is beyond it is
told, not searched."""


class DefaultBoundsChecker:
    """Checks the defaults of one schema against `@range` and `@check`."""

    def __init__(
        self,
        defaults: Mapping[int, Default],
        constraints: ConstraintChecker,
        findings: Findings,
    ) -> None:
        self.defaults = defaults
        """By the `id` of the `PropertySyntax`."""
        self.constraints = constraints
        self.findings = findings
        self.searched = 0

    def check(self, declared: Resolved) -> None:
        """Adds the defaults of a node that break its constraints."""
        for constraint in declared.syntax.constraints:
            if constraint.name not in {"range", "check"}:
                continue
            member = declared.members.get(constraint.columns[0].text)
            default = self.defaults.get(id(member.property)) if member else None
            if member is None or default is None:
                continue
            problem = self._problem(constraint, default)
            if problem is not None:
                self._broken(member.property, constraint, problem)

    def _problem(self, constraint: ConstraintSyntax, default: Default) -> str | None:
        value = default.value
        if constraint.bounds is not None:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            fits = not number or _within(value, constraint.bounds)  # type: ignore[arg-type]  # a number
            return None if fits else "the default is out of its property's range"
        pattern = self.constraints.pattern(constraint)
        if pattern is None or not isinstance(value, str):
            return None
        self.searched += pattern.size * (len(value) + 1)
        if self.searched > SEARCHES_MAX:
            return "the default and its pattern are too long to be checked"
        return None if pattern.found_in(value) else "the default does not match its pattern"

    def _broken(self, declared: PropertySyntax, by: ConstraintSyntax, message: str) -> None:
        assert declared.default is not None
        self.findings.mistake(
            "PG033",
            message,
            declared.default.where,
            remedy="Change the default or the constraint.",
            related=(Related(where=by.where, message="the constraint"),),
        )


def _within(value: float, bounds: Bounds) -> bool:
    return (bounds.minimum is None or value >= bounds.minimum) and (
        bounds.maximum is None or value <= bounds.maximum
    )
