"""Policy bundles of a cluster folder as Cedar sees them: what loading a folder is handed to check."""

from collections.abc import Sequence
from functools import cache


def check_cedar(text: str) -> Sequence[str]:
    """Returns what is wrong with a text of policies, by syntax and strictly by our schema."""
    from agentctl.domain.policy.cedar import faults  # loads Cedar, which most folders do not need

    return faults(text, _schema())


@cache
def _schema() -> str:
    from agentctl.domain.policy.request import schema_text

    return schema_text()
