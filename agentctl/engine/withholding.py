"""What a ledger commit leaves out: graphs that were moved while their apply group is not whole. Source: control-plane 3.1.

A group applies all or nothing at the ledger commit. A graph that was moved stays moved, so its step
is treated as after a crash: its sidecar stays, its approval is not used up, and the next apply finds
it done and goes on with the rest. It is recorded together with the rest, or not yet.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.ledger.state import State
from agentctl.domain.plan.groups import (
    broken_groups,
    groups_in_force,
    missing_members,
    split_group,
    withheld_changes,
)
from agentctl.domain.plan.model import Change, Plan
from agentctl.engine.advance import belongs_to, recorded_digests, with_resources
from agentctl.engine.running import Running
from agentctl.engine.sweep import Swept
from agentctl.ids import graph_address, schema_address

_T = TypeVar("_T")


def withheld_of_sweep(
    swept: Swept, plan: Plan, base: State, groups: Mapping[str, str]
) -> tuple[Swept, Plan, tuple[Diagnostic, ...]]:
    """Returns what a sweep settled, and *plan*, without the graphs of groups that the plan holds back.

    And what to tell of them. *base* is the state of the newest ledger object.
    """
    kept = _of_groups(_rolled(swept), groups, broken_groups(plan.changes))
    if not kept:
        return swept, plan, ()
    changes = withheld_changes(plan.changes, _graphs(kept))
    told = _told(kept, groups, plan.changes)
    return _without(swept, kept, base), msgspec.structs.replace(plan, changes=changes), told


def withhold(running: Running, swept: Swept, base: State) -> Swept:
    """Takes the graphs of groups that are not whole out of what *running* records.

    Returns the sweep without them. *base* is the state of the newest ledger object.
    """
    groups = groups_in_force(running.task.inputs.settings, running.task.desired.apply)
    before = running.changes
    made = (*_rolled(swept), *_made(running))
    kept = _of_groups(made, groups, broken_groups(before))
    if kept:
        running.changes = withheld_changes(before, _graphs(kept))
    unused = _unused(running, kept)
    if not kept and not unused:
        return swept
    running.state = _restored(running.state, kept, base, unused)
    running.settled = [s for s in running.settled if s not in kept]
    running.used = [a for a in running.used if a not in unused]
    running.told.add(*_told(kept, groups, before))
    return msgspec.structs.replace(swept, settled=_others(swept.settled, kept))


def withheld_of_refresh(
    swept: Swept, base: State, desired: DesiredCluster, settings: AppliedSettings
) -> tuple[Swept, tuple[Diagnostic, ...]]:
    """Returns what a refresh may record of a sweep, and what it tells about the rest."""
    groups = groups_in_force(settings, desired.apply)
    left = missing_members(groups, desired.resource_digests, recorded_digests(swept.state))
    kept = _of_groups(_rolled(swept), groups, left.keys())
    if not kept:
        return swept, ()
    told = tuple(
        split_group(group, _moved(kept, groups, group), left[group])
        for group in sorted(left)
        if _moved(kept, groups, group)
    )
    return _without(swept, kept, base), told


def _rolled(swept: Swept) -> tuple[Sidecar, ...]:
    """Returns the steps that the sweep found made."""
    return tuple(s for s in swept.settled if s.operation_id in swept.state.recovery_records)


def _made(running: Running) -> tuple[Sidecar, ...]:
    done = {o.resource for o in running.outcomes if o.outcome == "done"}
    return tuple(s for s in running.settled if _addresses(s) & done)


def _addresses(sidecar: Sidecar) -> frozenset[str]:
    return frozenset({graph_address(sidecar.graph_id), schema_address(sidecar.graph_id)})


def _of_groups(
    sidecars: Iterable[Sidecar], groups: Mapping[str, str], broken: AbstractSet[str]
) -> tuple[Sidecar, ...]:
    """Returns those of which the group is broken, and all others of their graphs."""
    made = tuple(sidecars)
    graphs = {s.graph_id for s in made if any(groups.get(a) in broken for a in _addresses(s))}
    return tuple(s for s in made if s.graph_id in graphs)


def _graphs(sidecars: Iterable[Sidecar]) -> frozenset[str]:
    return frozenset(s.graph_id for s in sidecars)


def _others(sidecars: Iterable[Sidecar], kept: tuple[Sidecar, ...]) -> tuple[Sidecar, ...]:
    return tuple(s for s in sidecars if s not in kept)


def _spent(sidecars: Iterable[Sidecar]) -> frozenset[str]:
    found = ((s.approval_id, *s.beside) for s in sidecars)
    return frozenset(a for several in found for a in several if a is not None)


def _unused(running: Running, kept: tuple[Sidecar, ...]) -> frozenset[str]:
    """Returns the approvals of what is not recorded: of steps, and of changes that were made ready."""
    stays = {a for s in _made(running) if s not in kept for a in _addresses(s)}
    held = {
        c.resource
        for c in running.changes
        if c.disposition == "blocked" and c.group is not None and c.resource not in stays
    }
    found = {running.decided[resource] for resource in held & running.decided.keys()}
    beside = {b for a in found for b in running.companions.get(a, ())}
    return (_spent(kept) | found | beside) & frozenset(running.used)


def _without(swept: Swept, kept: tuple[Sidecar, ...], base: State) -> Swept:
    spent = _spent(kept)
    return msgspec.structs.replace(
        swept,
        state=_restored(swept.state, kept, base, spent),
        settled=_others(swept.settled, kept),
        pending={**swept.pending, **{s.graph_id: s for s in kept}},
        used=tuple(a for a in swept.used if a not in spent),
    )


def _restored(
    state: State, kept: tuple[Sidecar, ...], base: State, unused: AbstractSet[str]
) -> State:
    """Returns *state* with the graphs of these steps as *base* has them, and no trace of the steps."""
    graphs = _graphs(kept)

    def of_them(address: str) -> bool:
        return any(belongs_to(address.partition("@")[0], graph) for graph in graphs)

    def merged(now: Mapping[str, _T], then: Mapping[str, _T]) -> dict[str, _T]:
        found = {a: v for a, v in now.items() if not of_them(a)}
        found |= {a: v for a, v in then.items() if of_them(a)}
        return {address: found[address] for address in sorted(found)}

    steps = {s.operation_id for s in kept}
    records, uses = state.recovery_records, state.approval_records
    state = msgspec.structs.replace(
        state,
        resource_statuses=merged(state.resource_statuses, base.resource_statuses),
        observations=merged(state.observations, base.observations),
        recovery_records={k: r for k, r in records.items() if k not in steps},
        approval_records={
            k: u for k, u in uses.items() if k not in unused or k in base.approval_records
        },
    )
    resources = state.applied_revision.resources
    return with_resources(state, merged(resources, base.applied_revision.resources))


def _moved(kept: Iterable[Sidecar], groups: Mapping[str, str], group: str) -> frozenset[str]:
    return frozenset(a for s in kept for a in _addresses(s) if groups.get(a) == group)


def _told(
    kept: tuple[Sidecar, ...], groups: Mapping[str, str], changes: tuple[Change, ...]
) -> tuple[Diagnostic, ...]:
    found: list[Diagnostic] = []
    for group in sorted(broken_groups(changes)):
        moved = _moved(kept, groups, group)
        left = {c.resource for c in changes if c.group == group and c.disposition != "applied"}
        if moved:
            found.append(split_group(group, moved, (left - moved) or left))
    return tuple(found)
