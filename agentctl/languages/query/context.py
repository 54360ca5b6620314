"""What all parts of one check share: the schema's index, the parameters, and what was found."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Literal

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.span import Span
from agentctl.languages.query.catalog_index import CatalogIndex
from agentctl.languages.query.plan import Fact, ParamRef
from agentctl.languages.query.syntax import ParamSyntax
from agentctl.languages.query.type_rules import TYPE_RULES
from agentctl.languages.text.addition import Addition
from agentctl.languages.text.report import PROBLEM_COUNT_MAX
from agentctl.languages.text.suggest import NAME_COUNT_MAX, did_you_mean


class Context:
    """The check of one declaration."""

    def __init__(self, params: tuple[ParamSyntax, ...], index: CatalogIndex) -> None:
        self.index = index
        self.params = {p.name: p for p in params}
        self.found: list[Diagnostic] = []
        self.additions: list[Addition] = []
        self.unclear: set[str] = set()
        """Variables whose type could not be told; that was reported, so no use of them is."""
        self.reads: set[Fact] = set()
        self.writes: set[Fact] = set()
        self._differing: set[tuple[str, Span]] = set()

    @property
    def full(self) -> bool:
        """Whether further mistakes are dropped."""
        return len(self.found) >= PROBLEM_COUNT_MAX

    def mistake(self, rule: str, message: str, where: Span, **more: object) -> None:
        """Adds a type error of that rule; *more* are the optional fields of a diagnostic."""
        assert rule in TYPE_RULES, f"type rule {rule} is not in the registry"
        if not self.full:
            self.found.append(
                error("query_typecheck_error", where.file, message, rule=rule, where=where, **more)
            )

    def reads_otherwise(
        self,
        kind: Literal["added", "differs"],
        feature: str,
        message: str,
        where: Span,
        *,
        remedy: str | None = None,
    ) -> None:
        """Notes a construct that OmniGraph 0.10 refuses or takes for something else, once a place."""
        if (feature, where) in self._differing or len(self.additions) >= PROBLEM_COUNT_MAX:
            return
        self._differing.add((feature, where))
        self.additions.append(
            Addition(kind=kind, feature=feature, where=where, message=message, remedy=remedy)
        )

    def meant(
        self,
        name: str,
        known: Callable[[], Iterable[str]],
        *,
        mark: str = "",
        otherwise: str | None = None,
    ) -> str | None:
        """Returns a suggestion while it will be shown; it is the dearest part of a mistake."""
        if self.full:
            return None
        names = islice(known(), NAME_COUNT_MAX)
        return did_you_mean(name, names, mark=mark, otherwise=otherwise)

    def param(self, name: str) -> ParamRef | None:
        """Returns the parameter of that name."""
        declared = self.params.get(name)
        return ParamRef(name=declared.name, type=declared.type) if declared else None
