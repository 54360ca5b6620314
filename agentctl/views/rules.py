"""Every rule that a diagnostic or a plan can name: of both languages and of migrations, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agentctl.diagnostics.rule import Rule
from agentctl.domain.plan.refusals import MIGRATION_RULES
from agentctl.languages.query.rules import RULES as QUERY_RULES
from agentctl.languages.schema.rules import RULES as SCHEMA_RULES

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {**SCHEMA_RULES, **QUERY_RULES, **MIGRATION_RULES}
)
"""Names are unique across the registries; a house test sees to it."""

SECTIONS: Final[tuple[tuple[str, Mapping[str, Rule]], ...]] = (
    ("Rules of schemas", SCHEMA_RULES),
    ("Rules of queries", QUERY_RULES),
    ("Rules of migrations", MIGRATION_RULES),
)
"""For lists of all of them."""


def rules_named(word: str) -> tuple[Rule, ...]:
    """Returns the rule of that name, or those of that number: ``T15`` finds ``T15:hop-bounds`` too.

    Case is not looked at.
    """
    wanted = word.strip().lower()
    return tuple(
        rule
        for name, rule in RULES.items()
        if name.lower() == wanted or name.lower().partition(":")[0] == wanted
    )
