"""The digest diff: which resources differ, and what class each difference is of. Source: control-plane 1.7, 3.3.

Compares the desired digests with the recorded ones; a graph whose root vanished counts as not
recorded, so that it is created again, visibly and behind a gate.
"""

from collections.abc import Mapping

import msgspec

from agentctl.domain.config.model import DesiredPolicy
from agentctl.domain.ledger.state import AppliedResource, GraphObserved, Tombstone
from agentctl.domain.plan.classes import classes_of
from agentctl.domain.plan.covered import rebound, with_covered
from agentctl.domain.plan.groups import group_of, groups_in_force
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.migrate import plan_migration
from agentctl.domain.plan.model import BindingChange, Change, ChangeVerb, SettingsChange
from agentctl.domain.plan.recorded import settings_change
from agentctl.ids import (
    Address,
    graph_address,
    parse_address,
    policy_address,
    schema_address,
)


def lost_graphs(inputs: PlanInputs) -> frozenset[str]:
    """Returns the ids of declared graphs that the ledger knew and whose root is gone.

    Either the ledger still has digests and no root is there, or `refresh` saw that and dropped
    them. A tombstone says that the deletion was meant.
    """
    state = inputs.state
    if state is None:
        return frozenset()
    lost: set[str] = set()
    for graph in inputs.desired.graphs:
        address = graph_address(graph.id)
        live = inputs.live.get(graph.id)
        gone = live is not None and live.presence in {"absent", "purged"}
        status = state.resource_statuses.get(address)
        observed = state.observations.get(address)
        dropped = status is not None and "graph_missing" in status.conditions
        if address in inputs.recorded:
            if gone:
                lost.add(graph.id)
        elif dropped and not isinstance(observed, Tombstone) and (gone or live is None):
            lost.add(graph.id)
    return frozenset(lost)


def last_recorded_version(inputs: PlanInputs, graph_id: str) -> int | None:
    """Returns the commit number at which the ledger last saw the graph."""
    if inputs.state is None:
        return None
    observed = inputs.state.observations.get(graph_address(graph_id))
    return observed.graph_manifest_version if isinstance(observed, GraphObserved) else None


def digest_changes(inputs: PlanInputs, lost: frozenset[str]) -> tuple[Change, ...]:
    """Returns every difference with its classes, bindings and migration, sorted by address."""
    recorded = _still_there(rebound(inputs.recorded, inputs), lost)
    wanted = inputs.desired.resource_digests
    policies: dict[str, DesiredPolicy] = {
        policy_address(p.name): p for p in inputs.desired.policies
    }
    found: list[Change] = []
    for address in sorted({*wanted, *recorded}):
        before = recorded.get(address)
        if before is not None and before.digest == wanted.get(address) and _is_all_content(address):
            continue
        settings = settings_change(address, before, inputs.desired)
        change = _difference(address, before, wanted.get(address), policies, settings)
        if change is not None:
            found.append(_complete(change, inputs, lost))
    groups = groups_in_force(inputs.settings, inputs.desired.apply)
    return tuple(
        msgspec.structs.replace(change, group=group_of(change.resource, groups))
        for change in with_covered(found, inputs)
    )


def _is_all_content(address: str) -> bool:
    """Returns whether the digest tells everything about a resource; asked of each, so by its text."""
    return address.startswith(("query.", "schema."))


def _still_there(
    recorded: Mapping[str, AppliedResource], lost: frozenset[str]
) -> dict[str, AppliedResource]:
    if not lost:
        return dict(recorded)
    gone = {graph_address(g) for g in lost} | {schema_address(g) for g in lost}
    return {address: r for address, r in recorded.items() if address not in gone}


def _difference(
    address: str,
    before: AppliedResource | None,
    after: str | None,
    policies: Mapping[str, DesiredPolicy],
    settings: SettingsChange | None,
) -> Change | None:
    """Returns the change of one address, still without classes that depend on the whole."""
    bindings = _bindings(address, before, policies.get(address))
    rebound = bindings is not None and bindings.before != bindings.after
    if before is not None and before.digest == after and not rebound and settings is None:
        return None
    operation: ChangeVerb = "create" if before is None else "delete" if after is None else "update"
    same_content = before is not None and before.digest == after
    return Change(
        resource=Address(address),
        operation=operation,
        classes=("reversible",),
        before_digest=before.digest if before else None,
        after_digest=after,
        binding_change=rebound and operation == "update",
        metadata_change=_metadata_change(address) if same_content else None,
        bindings=bindings,
        settings=settings,
    )


def _metadata_change(address: str) -> str | None:
    """Returns what changed of a resource whose content did not."""
    if address.startswith("policy."):
        return "policy_bindings"
    return "embedding_profile" if address.startswith("provider.") else None


def _bindings(
    address: str, before: AppliedResource | None, after: DesiredPolicy | None
) -> BindingChange | None:
    if not address.startswith("policy."):
        return None
    return BindingChange(
        before=_scopes(before.applies_to if before else None),
        after=_scopes(after.applies_to if after else None),
    )


def _scopes(applies_to: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Order says nothing; None also of a ledger from before bindings were recorded."""
    return None if applies_to is None else tuple(sorted(applies_to))


def _complete(change: Change, inputs: PlanInputs, lost: frozenset[str]) -> Change:
    """Returns *change* with its classes, and with its migration where it updates a schema."""
    parsed = parse_address(change.resource)
    if parsed is None:
        return change
    migration = None
    if parsed.kind == "schema" and change.operation == "update":
        live, graph = inputs.live.get(parsed.name), inputs.desired.graph(parsed.name)
        if live is not None and live.presence == "live" and live.ir is not None and graph:
            migration = plan_migration(live.ir, graph.schema.catalog)
    peeks = inputs.peeks.get(parsed.name, ()) if migration is not None else ()
    change = msgspec.structs.replace(change, migration=migration, peeks=peeks)
    return msgspec.structs.replace(change, classes=classes_of(change, parsed, inputs, lost))
