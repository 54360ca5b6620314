"""Why the change of a policy waits for a human, in words that name who gains what."""

from typing import Final

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
        f"{_few(sorted(actions), ACTIONS_NAMED_MAX)} to {_few(list(who), WHO_NAMED_MAX)}"
        for who, actions in list(opened.items())[:GROUPS_NAMED_MAX]
    ]
    if told:
        more = " and more to others" if len(opened) > len(told) else ""
        return f"opens {'; '.join(told)}{more}"
    why = impact.undecided.get(name)
    return None if why is None else f"may widen who may do what: {why}"


def _few(texts: list[str], most: int) -> str:
    more = len(texts) - most
    return ", ".join([*texts[:most], *([f"{more:,} more"] if more > 0 else [])])
