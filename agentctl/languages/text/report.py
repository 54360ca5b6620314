"""Collects what is wrong with one text, bounded, with places made from offsets."""

from typing import Final, Literal

from agentctl.diagnostics.diagnostic import Diagnostic, Related, error, note, warning
from agentctl.diagnostics.span import Span
from agentctl.languages.text.addition import Addition
from agentctl.languages.text.source import Dialect, Source
from agentctl.languages.text.token import Token

PROBLEM_COUNT_MAX: Final = 100
"""Further problems of one text are counted, not kept."""
REMARK_COUNT_MAX: Final = 50
"""Of these, warnings and notes: so that there is always room for an error."""

Place = Token | tuple[int, int] | Span
"""A place of the text: that of a token, from one offset to another, or made already."""


class Report:
    """The problems of one text, in the order found."""

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self.source = source
        self.dialect = dialect
        self._found: list[Diagnostic] = []
        self._left_out = 0
        self._told: set[tuple[int, Span]] = set()
        """Rules and places: a parser that starts again somewhere meets a mistake again."""
        self._remarks = 0
        self.failed = False
        """Whether an error is among the problems."""
        self.additions: list[Addition] = []

    def __len__(self) -> int:
        return len(self._found) + self._left_out

    @property
    def full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self._found) >= PROBLEM_COUNT_MAX

    def parse_error(
        self,
        number: int,
        message: str,
        place: Place,
        *,
        remedy: str | None = None,
        related: tuple[Related, ...] = (),
    ) -> None:
        """Adds a break of the grammar, by the number of its rule, once for each place."""
        where = self.where(place)
        if (number, where) in self._told:
            return
        self._told.add((number, where))
        if self.full:
            self._left_out += 1
            return
        self.add(
            error(
                self.dialect.parse_code,
                self.source.file,
                message,
                rule=self.dialect.rule(number),
                where=where,
                remedy=remedy,
                related=related,
            )
        )

    def warn(self, number: int, message: str, place: Place, *, remedy: str | None = None) -> None:
        """Adds a warning of the grammar, by the number of its rule."""
        self.add(
            warning(
                self.dialect.parse_code,
                self.source.file,
                message,
                rule=self.dialect.rule(number),
                where=self.where(place),
                remedy=remedy,
            )
        )

    def where(self, place: Place) -> Span:
        """Returns the span of *place*."""
        if isinstance(place, Span):
            return place
        start, end = (place.start, place.end) if isinstance(place, Token) else place
        return self.source.span(start, end)

    def reads_otherwise(
        self,
        kind: Literal["added", "differs"],
        feature: str,
        message: str,
        place: Place,
        *,
        remedy: str | None = None,
    ) -> None:
        """Notes a construct that OmniGraph 0.10 does not have, or takes for something else."""
        where = self.where(place)
        if len(self.additions) < PROBLEM_COUNT_MAX:
            self.additions.append(
                Addition(kind=kind, feature=feature, where=where, message=message, remedy=remedy)
            )

    def add(self, found: Diagnostic) -> None:
        """Adds *found*, or counts it where too much is kept already."""
        self.failed = self.failed or found.severity == "error"
        self._remarks += found.severity != "error"
        remark_too_many = found.severity != "error" and self._remarks > REMARK_COUNT_MAX
        if self.full or remark_too_many:
            self._left_out += 1
        else:
            self._found.append(found)

    def all(self) -> tuple[Diagnostic, ...]:
        """Returns everything kept, and a note that counts the rest."""
        if not self._left_out:
            return tuple(self._found)
        rest = note(
            self.dialect.parse_code,
            self.source.file,
            f"{self._left_out} more problems of this file are not shown",
        )
        return (*self._found, rest)
