"""The rules of the query language, by name: of its grammar, of its types, and the lints."""

from typing import Final

from agentctl.diagnostics.rule import Rule
from agentctl.languages.query.grammar_rules import GRAMMAR_RULES
from agentctl.languages.query.lint_rules import LINT_RULES
from agentctl.languages.query.type_rules import TYPE_RULES

RULES: Final[dict[str, Rule]] = GRAMMAR_RULES | TYPE_RULES | LINT_RULES
"""Every rule that stands in a diagnostic of a `.gq` file."""
