"""Changes that `moved`, `forget`, `protect` and `apply` make of their own. Source: control-plane 3.1.

A move or a forgetting covers the differences that would look like a deletion and a creation: they
are taken out, and one change stands for all of them; it touches no data, and least of all is it a
deletion. What is protected and how an apply works are settings of the cluster, under one change.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.config.model import Move
from agentctl.domain.ledger.state import AppliedResource
from agentctl.domain.plan.approval_rules import covers
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.merges import MERGE, merge_change
from agentctl.domain.plan.model import BindingChange, Change, SettingsChange
from agentctl.domain.plan.recorded import wanted_settings
from agentctl.domain.plan.reverts import REVERT, revert_change
from agentctl.ids import CLUSTER, Address, parse_address, schema_address

COVERING: Final = frozenset(
    {"moved", "forget", "protect", "apply", "settings", "garbage", "erase", MERGE, REVERT}
)
"""Values of `metadata_change` of the changes that are made here."""


def with_covered(changes: Iterable[Change], inputs: PlanInputs) -> tuple[Change, ...]:
    """Returns *changes* with those that are covered replaced, sorted by address."""
    own = [*_moves(inputs), *_forgettings(inputs), *_protection(inputs), *_disposals(inputs)]
    own += _reverts(inputs)
    own += [merge_change(proposed) for proposed in inputs.merges]
    covered = {change.resource for change in own} | {
        change.moved_from for change in own if change.moved_from is not None
    }
    kept = [c for c in changes if not _is_covered(c.resource, covered)]
    return tuple(sorted([*kept, *own], key=lambda c: c.resource))


def is_covering(change: Change) -> bool:
    """Returns whether *change* is one that this module made."""
    return change.metadata_change in COVERING


def _moves(inputs: PlanInputs) -> list[Change]:
    """A move is one while its source is recorded and its target is not; before and after it is none."""
    names = renames(inputs)
    return [_move(move, inputs) for move in inputs.desired.moved if move.source in names]


def renames(inputs: PlanInputs) -> Mapping[str, str]:
    """Returns the new address by the old one, of the moves that the plan makes."""
    recorded = inputs.recorded
    return {
        move.source: move.target
        for move in inputs.desired.moved
        if move.source in recorded and move.target not in recorded
    }


def rebound(
    recorded: Mapping[str, AppliedResource], inputs: PlanInputs
) -> dict[str, AppliedResource]:
    """Returns *recorded* with policies bound to the new addresses of the graphs that move."""
    names = renames(inputs)
    return {
        address: resource
        if resource.applies_to is None
        else msgspec.structs.replace(
            resource, applies_to=tuple(sorted(names.get(a, a) for a in resource.applies_to))
        )
        for address, resource in recorded.items()
    }


def _move(move: Move, inputs: PlanInputs) -> Change:
    """A policy that comes under another name with other rules or scopes is as much as a new one."""
    before, after = inputs.recorded[move.source], inputs.desired.resource_digests.get(move.target)
    policy = next((p for p in inputs.desired.policies if f"policy.{p.name}" == move.target), None)
    bindings = None
    if policy is not None:
        old = rebound({move.source: before}, inputs)[move.source].applies_to
        bindings = BindingChange(
            before=None if old is None else tuple(sorted(old)),
            after=tuple(sorted(policy.applies_to)),
        )
    same = bindings is None or (before.digest == after and bindings.before == bindings.after)
    same = same and not _is_ruled(move, inputs)
    return Change(
        resource=move.target,
        operation="update",
        classes=("reversible",) if same else ("authority",),
        before_digest=before.digest,
        after_digest=after,
        metadata_change="moved",
        moved_from=move.source,
        bindings=bindings,
    )


def _is_ruled(move: Move, inputs: PlanInputs) -> bool:
    """Returns whether rules know the resource by its name, so that another name may escape them."""
    if move.source in inputs.protected:
        return True
    for rule in inputs.approval_rules:
        content = rule.content
        if content is None:
            return True
        if any(covers(w, move.source) != covers(w, move.target) for w in content.match.resources):
            return True
    scopes = {s for r in inputs.recorded.values() for s in r.applies_to or ()}
    return move.source.startswith("graph.") and bool(scopes & {CLUSTER, move.source})


def _forgettings(inputs: PlanInputs) -> list[Change]:
    recorded = inputs.recorded
    return [
        Change(
            resource=address,
            operation="delete",
            classes=("authority",),
            before_digest=recorded[address].digest if address in recorded else None,
            metadata_change="forget",
        )
        for address in inputs.desired.forget
        if address in recorded or _schema_of(address) in recorded
    ]


def _disposals(inputs: PlanInputs) -> list[Change]:
    """What was proposed stands in every plan until it is carried out or taken back."""
    return [
        Change(
            resource=proposed.resource,
            operation="delete",
            classes=("irreversible",),
            before_digest=proposed.digest,
            metadata_change=proposed.kind,
        )
        for proposed in inputs.disposals
    ]


def _reverts(inputs: PlanInputs) -> list[Change]:
    """The data of graphs that goes back with a rollback."""
    made = (revert_change(revert, inputs.live.get(revert.key)) for revert in inputs.reverts)
    return [change for change in made if change is not None]


def _protection(inputs: PlanInputs) -> list[Change]:
    """What is protected and how an apply works stand in the ledger under no address of their own."""
    wanted = wanted_settings(inputs.desired.apply)
    names = renames(inputs)
    protected = sorted(names.get(address, address) for address in inputs.protected)
    before: dict[str, object] = {"protect": protected, "apply": inputs.settings}
    after: dict[str, object] = {"protect": sorted(inputs.desired.protect), "apply": wanted}
    differ = [name for name in before if before[name] != after[name]]
    if not differ:
        return []
    sides = SettingsChange(
        before={n: msgspec.to_builtins(before[n]) for n in differ},
        after={n: msgspec.to_builtins(after[n]) for n in differ},
    )
    return [
        Change(
            resource=CLUSTER,
            operation="update",
            classes=("authority",),
            before_digest=digest_of(sides.before),
            after_digest=digest_of(sides.after),
            metadata_change=differ[0] if len(differ) == 1 else "settings",
            settings=sides,
        )
    ]


def _schema_of(address: Address) -> Address | None:
    parsed = parse_address(address)
    return schema_address(parsed.name) if parsed and parsed.kind == "graph" else None


def _is_covered(address: Address, covered: set[Address]) -> bool:
    """A graph covers its schema and its queries."""
    if address in covered:
        return True
    parsed = parse_address(address)
    of_graph = parsed is not None and parsed.kind in {"schema", "query"}
    return of_graph and parsed is not None and f"graph.{parsed.graph}" in covered
