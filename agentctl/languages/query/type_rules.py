"""The rules of the type checker: T1 to T24 as OmniGraph numbers them, our own from T25 on.

Where upstream has one number for several conditions, a suffix word tells them apart.
Source: languages 2.4, 3.3.
"""

from typing import Final

from agentctl.diagnostics.rule import Rule
from agentctl.languages.query.match_rules import MATCH_RULES
from agentctl.languages.query.result_rules import RESULT_RULES

TYPE_RULES: Final[dict[str, Rule]] = MATCH_RULES | RESULT_RULES
"""Every rule that the checker raises, by name."""
