"""What hangs on a change that is held back, beyond the graph's own: aliases, bindings, embeddings.

And, of groups that references force (`forced`), every change that needs one that is held back. A
graph's own step is held back for that only before an apply begins: one that was moved stays moved.

Called by `dispositions` after a plan is disposed and after a step failed. A removal is never held
back here: what it refers to may go as well.
"""

from collections.abc import Iterable

import msgspec

from agentctl.domain.plan.model import Change, Disposition
from agentctl.ids import SETTINGS_KINDS, Address, Kind, parse_address

WAITS = "dependency_not_applied"

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
    bound = tuple(_held(c, _BOUND_KINDS) if c.resource in unmoved else c for c in held)
    return hold_needing(bound, steps=False)


def hold_needing(changes: Iterable[Change], *, steps: bool = True) -> tuple[Change, ...]:
    """Returns *changes*, those blocked that need one that is held back, near or far.

    Args:
        changes: disposed changes.
        steps: whether the steps of graphs and schemas are held back too: not once an apply began.
    """
    held = {c.resource: c for c in changes}
    needing: dict[Address, list[Address]] = {}
    for change in held.values():
        for needed in change.needs:
            needing.setdefault(needed, []).append(change.resource)
    open_ = [c.resource for c in held.values() if c.disposition in _HELD] if needing else []
    while open_:
        for address in needing.get(open_.pop(), ()):
            change = held[address]
            movable = steps or not address.startswith(("graph.", "schema."))
            if movable and change.disposition == "applied":
                held[address] = msgspec.structs.replace(change, disposition="blocked", reason=WAITS)
                open_.append(address)
    return tuple(held.values())


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
    return msgspec.structs.replace(change, disposition="blocked", reason=WAITS)
