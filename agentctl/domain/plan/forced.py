"""Apply groups that references force: no reference is ever applied without what it was checked with.

Source: axiom 9. Of a reference, the folder was checked with both ends as they are wanted, and the
ledger holds both as they were; no other pair was ever looked at. So of two changes

- what is created or updated waits for the change of what it refers to;
- what is updated or deleted waits for the change of what refers to it in the ledger;
- a graph that is created waits for the policies that are bound to it: it never stands without them.

What nobody refers to waits for nobody: a new query goes through while its alias waits for a human.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.domain.config.model import Dependency
from agentctl.domain.plan.covered import is_covering
from agentctl.domain.plan.model import Change
from agentctl.ids import Address, parse_address

FORCED: Final = "references:"
"""Begins the names of groups that nobody declared; a declared name has no colon."""

_Needs = dict[str, set[Address]]


def with_forced_groups(
    changes: Iterable[Change], *, wanted: Iterable[Dependency], recorded: Iterable[Dependency]
) -> tuple[Change, ...]:
    """Returns *changes*, each with what it needs of the others; who needs whom is one group.

    A change that is in a declared group keeps that one's name.

    Args:
        changes: all of a plan.
        wanted: references of what is declared.
        recorded: references of what was applied.
    """
    all_ = tuple(changes)
    needs = _needs(all_, wanted, recorded)
    if not needs:
        return all_
    names = _names(needs)
    return tuple(
        msgspec.structs.replace(
            change,
            needs=tuple(sorted(needs.get(change.resource, ()))),
            group=change.group or names[change.resource],
        )
        if change.resource in names
        else change
        for change in all_
    )


def is_forced(group: str) -> bool:
    """Returns whether references, and nobody's declaration, made the group."""
    return group.startswith(FORCED)


def _needs(
    changes: tuple[Change, ...], wanted: Iterable[Dependency], recorded: Iterable[Dependency]
) -> _Needs:
    own = {c.resource: c for c in changes if not is_covering(c) and not _is_derived(c)}
    needs: _Needs = {}
    for edge in wanted:
        source, target = own.get(edge.source), own.get(edge.target)
        if source is None or target is None or "delete" in {source.operation, target.operation}:
            continue
        if _is_content(target) and not _is_one_step(source, target, own):
            needs.setdefault(source.resource, set()).add(target.resource)
        if _guards(source, target):
            needs.setdefault(target.resource, set()).add(source.resource)
    for edge in recorded:
        source, target = own.get(edge.source), own.get(edge.target)
        if source is None or target is None or "create" in {source.operation, target.operation}:
            continue
        if _is_content(target) and not _is_one_step(source, target, own):
            needs.setdefault(target.resource, set()).add(source.resource)
    return needs


def _is_derived(change: Change) -> bool:
    """Returns whether it only says that parts of a graph change."""
    return (
        change.operation == "update"
        and change.settings is None
        and change.resource.startswith("graph.")
    )


def _is_content(target: Change) -> bool:
    """Returns whether a reference depends on the change: not on a graph's or policy's settings."""
    return target.operation != "update" or not target.resource.startswith(("graph.", "policy."))


def _is_one_step(source: Change, target: Change, own: Mapping[Address, Change]) -> bool:
    """Returns whether both are of a graph whose creation or deletion takes them along."""
    parsed = parse_address(source.resource)
    if parsed is None or parsed.graph is None or parsed.kind == "graph":
        return False
    graph = own.get(Address(f"graph.{parsed.graph}"))
    inside = target.resource in {f"graph.{parsed.graph}", f"schema.{parsed.graph}"}
    return inside and graph is not None and graph.operation in {"create", "delete"}


def _guards(source: Change, target: Change) -> bool:
    creates = target.operation == "create" and target.resource.startswith("graph.")
    return creates and source.resource.startswith("policy.")


def _names(needs: _Needs) -> dict[str, str]:
    """Returns the group of each that needs or is needed: named after the first that is needed."""
    linked: dict[str, set[str]] = {}
    for source, targets in needs.items():
        for target in targets:
            linked.setdefault(source, set()).add(target)
            linked.setdefault(target, set()).add(source)
    needed = {target for targets in needs.values() for target in targets}
    names: dict[str, str] = {}
    for first in sorted(needed):
        open_ = [str(first)]
        while open_:
            member = open_.pop()
            if member not in names:
                names[member] = f"{FORCED}{first}"
                open_.extend(linked[member])
    return names
