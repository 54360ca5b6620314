"""Apply groups: all changes of a group are applied by one ledger commit, or none is. Source: control-plane 3.1.

What hangs on a change that is held back for its group is held back too, which may hold back further
groups. A graph that was moved cannot be moved back, for rows may have come in since: where its group
is not whole its step stays in its sidecar, unrecorded, until the rest is done.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import ApplySettings
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.plan.dependents import hold_dependents
from agentctl.domain.plan.forced import is_forced
from agentctl.domain.plan.model import Change
from agentctl.ids import graph_address, parse_address

GROUP_HELD: Final = "apply_group_held_back"
DEPENDENT_HELD: Final = "dependency_not_applied"
_NOT_APPLIED: Final = frozenset({"blocked", "deferred"})


def groups_in_force(applied: AppliedSettings, declared: ApplySettings) -> dict[str, str]:
    """Returns the group of each address that is in one.

    A group that was applied holds until its change is applied; a declared one holds at once, for it
    only holds back.
    """
    found = {m: group.name for group in declared.groups for m in group.members}
    return found | {m: name for name in sorted(applied.groups) for m in applied.groups[name]}


def group_of(address: str, groups: Mapping[str, str]) -> str | None:
    """Returns the group of an address; a graph's holds for its schema and its queries as well."""
    own = groups.get(address)
    parsed = None if own is not None or not groups else parse_address(address)
    if parsed is None or parsed.graph is None:
        return own
    return groups.get(graph_address(parsed.graph))


def hold_groups(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Returns *changes* with every group held back of which a member is, and what hangs on it."""
    held = tuple(changes)
    if not any(c.group for c in held):
        return held
    while True:
        broken = broken_groups(held)
        after = tuple(_held(c, GROUP_HELD) if c.group in broken else c for c in held)
        after = hold_dependents(_cascade(after))
        if after == held:
            return held
        held = after


def broken_groups(changes: Iterable[Change]) -> frozenset[str]:
    """Returns the declared groups of which something is not applied."""
    held = {c.group for c in changes if c.group and c.disposition in _NOT_APPLIED}
    return frozenset(group for group in held if not is_forced(group))


def withheld_changes(changes: Iterable[Change], graphs: AbstractSet[str]) -> tuple[Change, ...]:
    """Returns *changes* with all of these graphs held back: what was done to them is not recorded."""
    held = tuple(_held(c, GROUP_HELD) if _is_about(c, graphs) else c for c in changes)
    return hold_groups(hold_dependents(held))


def missing_members(
    groups: Mapping[str, str], wanted: Mapping[str, str], recorded: Mapping[str, str]
) -> Mapping[str, tuple[str, ...]]:
    """Returns, by group, the members that are not recorded as they are wanted."""
    missing: dict[str, list[str]] = {}
    for member in sorted(groups):
        if wanted.get(member) != recorded.get(member):
            missing.setdefault(groups[member], []).append(member)
    return {group: tuple(members) for group, members in missing.items()}


def split_group(group: str, moved: Iterable[str], left: Iterable[str]) -> Diagnostic:
    """Returns a warning about a group of which graphs were moved, and which is not recorded."""
    moved = sorted(moved)
    return warning(
        "apply_group_split",
        moved[0],
        f"the apply group {group} is not whole: {', '.join(moved)} was moved and"
        f" {', '.join(sorted(left))} is not applied; nothing of it is recorded until all is",
        detail="What was done to the graphs is kept on record beside the ledger, as after a crash.",
        remedy="agentctl apply",
    )


def _is_about(change: Change, graphs: AbstractSet[str]) -> bool:
    ends = (change.resource, change.moved_from or change.resource)
    parsed = (parse_address(end.partition("@")[0]) for end in ends)
    return any(p is not None and p.graph in graphs for p in parsed)


def _held(change: Change, reason: str) -> Change:
    if change.disposition != "applied":
        return change
    return msgspec.structs.replace(change, disposition="blocked", reason=reason)


def _cascade(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Holds back what hangs on a graph or schema that is held back for its group."""
    graphs: set[str] = set()
    schemas: set[str] = set()
    for change in changes:
        parsed = parse_address(change.resource)
        if parsed is None or change.reason not in {GROUP_HELD, DEPENDENT_HELD}:
            continue
        if parsed.kind == "graph" and change.operation != "update":
            graphs.add(parsed.name)
        if parsed.kind == "schema":
            schemas.add(parsed.name)
    return tuple(_held(c, DEPENDENT_HELD) if _hangs_on(c, graphs, schemas) else c for c in changes)


def _hangs_on(change: Change, graphs: set[str], schemas: set[str]) -> bool:
    parsed = parse_address(change.resource)
    if parsed is None or parsed.kind not in {"graph", "schema", "query"}:
        return False
    if parsed.graph in graphs:
        return True
    if change.operation == "delete":
        return False
    created = parsed.kind == "graph" and change.operation == "create"
    return parsed.graph in schemas and (parsed.kind == "query" or created)
