"""What a lint finds: a remark about a query that is right."""

from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Related
from agentctl.diagnostics.span import Span
from agentctl.languages.query.lint_rules import LINT_RULES


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. The fields of `QueryLintOutput.findings` are here with a place."""

    rule: str
    severity: Literal["warning", "note"]
    message: str
    where: Span
    remedy: str | None = None
    related: tuple[Related, ...] = ()
    type_name: str | None = None
    property: str | None = None
    query_names: tuple[str, ...] = ()
    """Sorted; of a finding about one query, its name."""

    def __post_init__(self) -> None:
        assert self.rule in LINT_RULES, f"lint rule {self.rule} is not in the registry"
