"""A numbered rule of one of the languages: what stands in a diagnostic's `rule`.

The registries are `agentctl/languages/schema/rules.py` and `agentctl/languages/query/rules.py`;
codes of the control plane stand in `codes.py`. `agentctl explain RULE` prints the entry.
"""

import msgspec


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, whatever place it is broken at."""

    name: str
    """As it stands in a diagnostic, with its suffix word: ``PG013``, ``T15:hop-bounds``."""
    title: str
    """One line without a full stop: what the rule asks, or what is wrong where it is broken."""
    about: str
    """One paragraph: why, and what to write instead."""
