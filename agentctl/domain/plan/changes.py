"""The digest diff: which resources differ, and what class each difference is of. Source: control-plane 1.7, 3.3.

Compares the desired digests with the recorded ones; a graph whose root vanished counts as not
recorded, so that it is created again, visibly and behind a gate.
"""

from collections.abc import Mapping

import msgspec

from agentctl.domain.config.model import DesiredPolicy
from agentctl.domain.ledger.state import AppliedResource, GraphObserved, Tombstone
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.migrate import migration_classes, plan_migration
from agentctl.domain.plan.model import BindingChange, Change, ChangeVerb, EffectClass
from agentctl.ids import (
    Address,
    ParsedAddress,
    graph_address,
    parse_address,
    policy_address,
    schema_address,
)

DROPPED_BY_REFRESH = frozenset({"payload_missing", "payload_mismatch"})
"""Conditions under which `refresh` takes a policy's digest out of the ledger."""


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
    recorded = _still_there(inputs.recorded, lost)
    wanted = inputs.desired.resource_digests
    policies: dict[str, DesiredPolicy] = {
        policy_address(p.name): p for p in inputs.desired.policies
    }
    found: list[Change] = []
    for address in sorted({*wanted, *recorded}):
        change = _difference(address, recorded.get(address), wanted.get(address), policies)
        if change is not None:
            found.append(_complete(change, inputs, lost))
    return tuple(found)


def _still_there(
    recorded: Mapping[str, AppliedResource], lost: frozenset[str]
) -> dict[str, AppliedResource]:
    gone = {graph_address(g) for g in lost} | {schema_address(g) for g in lost}
    return {address: r for address, r in recorded.items() if address not in gone}


def _difference(
    address: str,
    before: AppliedResource | None,
    after: str | None,
    policies: Mapping[str, DesiredPolicy],
) -> Change | None:
    """Returns the change of one address, still without classes that depend on the whole."""
    bindings = _bindings(address, before, policies.get(address))
    rebound = bindings is not None and bindings.before != bindings.after
    if before is not None and before.digest == after and not rebound:
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
        metadata_change="policy_bindings" if same_content else None,
        bindings=bindings,
    )


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
    change = msgspec.structs.replace(change, migration=migration)
    return msgspec.structs.replace(change, classes=_classes(change, parsed, inputs, lost))


def _classes(
    change: Change, parsed: ParsedAddress, inputs: PlanInputs, lost: frozenset[str]
) -> tuple[EffectClass, ...]:
    """Returns the classes of a change; sorted.

    A graph goes with its schema and queries, so all of its deletion is irreversible; a query that
    leaves a graph which stays is not. A policy's change is authority unless the cluster had none:
    whether it widens is not decided by this release, and undecidable counts as widening.
    """
    match parsed.kind:
        case "policy":
            first = change.operation == "create" and not _has_policies(inputs)
            return ("reversible",) if first else ("authority",)
        case "graph" | "schema":
            if change.migration is not None:
                return migration_classes(change.migration)
            deletes = change.operation == "delete"
            recreates = change.operation == "create" and parsed.name in lost
            return ("irreversible",) if deletes or recreates else ("reversible",)
        case "query":
            assert parsed.graph is not None
            goes = change.operation == "delete" and deletes_graph(inputs, parsed.graph)
            return ("irreversible",) if goes else ("reversible",)
        case _:
            return ("reversible",)


def deletes_graph(inputs: PlanInputs, graph_id: str) -> bool:
    """Returns whether the plan deletes that graph: it is recorded and no longer declared."""
    return graph_address(graph_id) in inputs.recorded and inputs.desired.graph(graph_id) is None


def _has_policies(inputs: PlanInputs) -> bool:
    """Returns whether the cluster has a policy, also one that `refresh` dropped for its payload."""
    if any(address.startswith("policy.") for address in inputs.recorded):
        return True
    statuses = inputs.state.resource_statuses if inputs.state else {}
    return any(
        address.startswith("policy.") and DROPPED_BY_REFRESH.intersection(status.conditions)
        for address, status in statuses.items()
    )
