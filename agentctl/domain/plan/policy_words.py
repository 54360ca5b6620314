"""Why the change of a policy, or of what one lends, waits for a human, in words that name who gains what."""

from typing import Final

from agentctl.domain.policy.population import STRANGERS
from agentctl.domain.policy.simulate import Impact, touches

GROUPS_NAMED_MAX: Final = 2
ACTIONS_NAMED_MAX: Final = 6
WHO_NAMED_MAX: Final = 3


def opening_words(impact: Impact, name: str) -> str | None:
    """Returns what the change of policy *name* opens to whom; None where nobody is seen to gain."""
    opened: dict[tuple[str, ...], set[str]] = {}
    for shift in impact.gains:
        if touches(impact, name, shift):
            opened.setdefault(shift.who, set()).add(shift.action)
    told = [
        f"{_few(sorted(actions), ACTIONS_NAMED_MAX)} to {_people(who)}"
        for who, actions in list(opened.items())[:GROUPS_NAMED_MAX]
    ]
    if told:
        more = " and more to others" if len(opened) > len(told) else ""
        return f"opens {'; '.join(told)}{more}"
    why = impact.undecided.get(name)
    return None if why is None else f"may widen who may do what: {why}"


def lending_words(who: tuple[str, ...], graph: str) -> str:
    """Returns what the text of a stored query is to *who*, who run it and may not read *graph*."""
    return f"its text decides what {_people(who)} may read of {graph}: they run it, and may not read there"


def _people(who: tuple[str, ...]) -> str:
    """Returns whom: those with a name first, and whoever there may be in words."""
    ordered = sorted(who, key=lambda one: (one in STRANGERS, one))
    return _few([STRANGERS.get(one, one) for one in ordered], WHO_NAMED_MAX)


def _few(texts: list[str], most: int) -> str:
    more = len(texts) - most
    return ", ".join([*texts[:most], *([f"{more:,} more"] if more > 0 else [])])
