"""Many like changes in a line: what a reader needs of the rest of a plan is how much of what it is.

What moves a schema, or has something to say of itself, is never folded.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from agentctl.domain.plan.model import Change, ChangeVerb
from agentctl.ids import parse_address
from agentctl.views.wording import counted, safe

LISTED_MAX: Final = 20
"""As many changes are listed, each by itself; of more, like ones are folded."""
_LIKE_MIN: Final = 3
"""Fewer like ones are listed all the same."""
_NOUNS: Final = {
    "query": ("query", "queries"),
    "policy": ("policy", "policies"),
    "alias": ("alias", "aliases"),
    "binding": ("binding", "bindings"),
    "graph": ("graph", "graphs"),
    "schema": ("schema", "schemas"),
}


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """Like changes: one operation, on one kind, of one graph where they belong to one."""

    operation: ChangeVerb
    changes: tuple[Change, ...]
    words: str
    """E.g. ``1,000 queries of big``."""


def folded(changes: Iterable[Change], *, whole: bool) -> tuple[Change | Folded, ...]:
    """Returns *changes*, like ones folded where there are many; the order is that of the first.

    Args:
        changes: those that nobody is asked about.
        whole: whether each is wanted by itself.
    """
    listed = tuple(changes)
    if whole or len(listed) <= LISTED_MAX:
        return listed
    like: dict[tuple[str, ...], list[Change]] = {}
    for change in listed:
        like.setdefault(_likeness(change), []).append(change)
    found: list[Change | Folded] = []
    for group in like.values():
        if len(group) < _LIKE_MIN or _speaks(group[0]):
            found.extend(group)
        else:
            found.append(
                Folded(operation=group[0].operation, changes=tuple(group), words=_words(group))
            )
    return tuple(found)


def _likeness(change: Change) -> tuple[str, ...]:
    parsed = parse_address(change.resource)
    if parsed is None or _speaks(change):
        return ("one", change.resource)
    graph = parsed.graph if parsed.kind == "query" else None
    return (change.operation, parsed.kind, graph or "", change.disposition or "")


def _speaks(change: Change) -> bool:
    """Returns whether a change has more to say than its address."""
    return bool(
        change.migration is not None or change.settings is not None or change.moved_from is not None
    )


def _words(group: list[Change]) -> str:
    parsed = parse_address(group[0].resource)
    assert parsed is not None
    one, many = _NOUNS.get(parsed.kind, (parsed.kind, f"{parsed.kind}s"))
    told = counted(len(group), one.replace("_", " "), many.replace("_", " "))
    if parsed.kind == "query":
        return f"{told} of {safe(parsed.graph or '')}"
    return told
