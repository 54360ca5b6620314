"""What hangs on a change that is held back, beyond the graph's own: aliases, bindings, embeddings.

Called by `dispositions` after a plan is disposed and after a step failed. A removal is never held
back here: what it refers to may go as well.
"""

from collections.abc import Iterable

import msgspec

from agentctl.domain.plan.model import Change, Disposition
from agentctl.ids import SETTINGS_KINDS, Kind, parse_address

_HELD: frozenset[Disposition] = frozenset({"blocked", "deferred"})
_BOUND_KINDS: frozenset[Kind] = SETTINGS_KINDS | {"policy"}
"""Kinds that cannot be bound to a new address before the move to it is made."""
_NEEDED_AS_WANTED = frozenset({"query", "schema"})
"""Kinds of which an update that waits holds back what was checked against the wanted content."""


def hold_dependents(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Returns *changes*, those of settings kinds blocked that refer to what does not come."""
    all_ = tuple(changes)
    missing = {address for c in all_ if _does_not_come(c) for address in c.dependents}
    unmoved = {a for c in all_ if c.moved_from and c.disposition in _HELD for a in c.dependents}
    held = (_held(c, SETTINGS_KINDS) if c.resource in missing else c for c in all_)
    return tuple(_held(c, _BOUND_KINDS) if c.resource in unmoved else c for c in held)


def _does_not_come(change: Change) -> bool:
    if change.disposition not in _HELD or change.operation == "delete":
        return False
    parsed = parse_address(change.resource)
    wanted = parsed is not None and parsed.kind in _NEEDED_AS_WANTED
    return change.operation == "create" or wanted


def _held(change: Change, kinds: frozenset[Kind]) -> Change:
    parsed = parse_address(change.resource)
    holds = parsed is not None and parsed.kind in kinds
    if not holds or change.disposition != "applied" or change.operation == "delete":
        return change
    return msgspec.structs.replace(change, disposition="blocked", reason="dependency_not_applied")
