"""Apply groups: all changes of a group are applied by one ledger commit, or none is. Source: control-plane 3.1.

What hangs on a change that is held back for its group is held back too, which may hold back further
groups.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import ApplySettings
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.plan.model import Change
from agentctl.ids import parse_address

GROUP_HELD: Final = "apply_group_held_back"
DEPENDENT_HELD: Final = "dependency_not_applied"


def groups_in_force(applied: AppliedSettings, declared: ApplySettings) -> dict[str, str]:
    """Returns the group of each address that is in one.

    A group that was applied holds until its change is applied; a declared one holds at once, for it
    only holds back.
    """
    found = {m: group.name for group in declared.groups for m in group.members}
    return found | {m: name for name in sorted(applied.groups) for m in applied.groups[name]}


def hold_groups(
    changes: Iterable[Change], *, done: AbstractSet[str] = frozenset()
) -> tuple[Change, ...]:
    """Returns *changes* with every group held back of which a member is.

    Args:
        changes: disposed changes.
        done: addresses of changes that cannot be taken back any more: graphs that were moved.
    """
    held = tuple(changes)
    if not any(c.group for c in held):
        return held
    while True:
        broken = {c.group for c in held if c.group and c.disposition in {"blocked", "deferred"}}
        after = _cascade(
            tuple(_held(c, GROUP_HELD, done) if c.group in broken else c for c in held), done
        )
        if after == held:
            return held
        held = after


def split_groups(changes: Iterable[Change]) -> tuple[Diagnostic, ...]:
    """Returns a warning for each group of which a graph was moved before another member failed.

    A graph that was moved is not moved back; the ledger records it, and the rest is planned again.
    """
    done: dict[str, list[str]] = {}
    left: dict[str, list[str]] = {}
    for change in changes:
        if change.group is not None and change.disposition in {"applied", "blocked"}:
            side = done if change.disposition == "applied" else left
            side.setdefault(change.group, []).append(change.resource)
    return tuple(
        warning(
            "apply_group_split",
            done[group][0],
            f"the apply group {group} was not applied whole: {', '.join(left[group])} failed"
            f" after {', '.join(done[group])} was done",
            detail="A graph that was moved stays moved, and the ledger says so.",
            remedy="agentctl apply",
        )
        for group in sorted(done)
        if group in left
    )


def _held(change: Change, reason: str, done: AbstractSet[str]) -> Change:
    if change.disposition != "applied" or change.resource in done:
        return change
    return msgspec.structs.replace(change, disposition="blocked", reason=reason)


def _cascade(changes: tuple[Change, ...], done: AbstractSet[str]) -> tuple[Change, ...]:
    """Holds back what hangs on a graph or schema that is held back for its group."""
    graphs: set[str] = set()
    schemas: set[str] = set()
    for change in changes:
        parsed = parse_address(change.resource)
        if parsed is None or change.reason != GROUP_HELD:
            continue
        if parsed.kind == "graph" and change.operation != "update":
            graphs.add(parsed.name)
        if parsed.kind == "schema":
            schemas.add(parsed.name)
    return tuple(
        _held(c, DEPENDENT_HELD, done) if _hangs_on(c, graphs, schemas) else c for c in changes
    )


def _hangs_on(change: Change, graphs: set[str], schemas: set[str]) -> bool:
    parsed = parse_address(change.resource)
    if parsed is None or parsed.kind not in {"graph", "schema", "query"}:
        return False
    if parsed.graph in graphs:
        return True
    created = parsed.kind == "graph" and change.operation == "create"
    return parsed.graph in schemas and (parsed.kind == "query" or created)
