"""How the recorded state moves: pure functions from a state and what happened to the next state.

apply, refresh, import, restore and the recovery sweep all record through these functions, so that
an outcome reads the same whoever wrote it down. Nothing here knows of storage or of time; `at` is
given.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.digests import graph_composite
from agentctl.domain.config.model import BlobBase, DesiredCluster, DesiredGraph
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.renaming import renamed
from agentctl.domain.ledger.roots import root_of
from agentctl.domain.ledger.sidecar import RETENTION_S
from agentctl.domain.ledger.state import (
    AppliedResource,
    ApprovalUse,
    GraphObserved,
    Observation,
    RecoveryUse,
    ResourceStatus,
    State,
    Tombstone,
)
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.recorded import blob_policy, profile_fields, settings_change
from agentctl.ids import SETTINGS_KINDS, graph_address, parse_address, schema_address
from agentctl.instants import format_instant, parse_instant

_RECORDED_KINDS: Final = SETTINGS_KINDS | {"query", "policy", "embedding_provider"}
"""Kinds whose applied changes are recorded as they are declared."""

LOST: Final = frozenset({"graph_missing", "payload_missing", "payload_mismatch"})
"""Conditions under which `refresh` takes a digest out; that it was there once keeps its gate."""

_T = TypeVar("_T")

SWEPT_REASON: Final = "cluster_recovery_pending"
"""Blocked changes of this reason leave the status to the sweep. Source: control-plane 1.10."""


def recorded_digests(state: State) -> dict[str, str]:
    """Returns the applied digests by address."""
    return {address: r.digest for address, r in state.applied_revision.resources.items()}


def belongs_to(address: str, graph_id: str) -> bool:
    """Returns whether *address* is the graph, its schema or one of its queries."""
    parsed = parse_address(address)
    return parsed is not None and parsed.graph == graph_id


def subtree(state: State, graph_id: str) -> dict[str, AppliedResource]:
    """Returns the recorded resources of one graph."""
    resources = state.applied_revision.resources
    return {a: r for a, r in sorted(resources.items()) if belongs_to(a, graph_id)}


def with_resources(state: State, resources: Mapping[str, AppliedResource]) -> State:
    """Returns *state* with these applied resources, composites computed afresh."""
    computed = dict(resources)
    for address in resources:
        parsed = parse_address(address)
        if parsed is not None and parsed.kind == "graph":
            digest = _composite(parsed.name, resources)
            computed[address] = msgspec.structs.replace(computed[address], digest=digest)
    revision = msgspec.structs.replace(state.applied_revision, resources=_sorted(computed))
    return msgspec.structs.replace(state, applied_revision=revision)


def with_statuses(state: State, statuses: Mapping[str, ResourceStatus | None]) -> State:
    """Returns *state* with these statuses set; None takes one away."""
    merged: dict[str, ResourceStatus] = dict(state.resource_statuses)
    for address, status in statuses.items():
        if status is None:
            merged.pop(address, None)
        else:
            merged[address] = status
    return msgspec.structs.replace(state, resource_statuses=_sorted(merged))


def with_observations(state: State, observations: Mapping[str, Observation]) -> State:
    """Returns *state* with these observations set."""
    merged = dict(state.observations) | dict(observations)
    return msgspec.structs.replace(state, observations=_sorted(merged))


def with_config_digest(state: State, digest: str | None) -> State:
    """Returns *state* with the digest of the configuration it has reached."""
    revision = msgspec.structs.replace(state.applied_revision, config_digest=digest)
    return msgspec.structs.replace(state, applied_revision=revision)


def with_approval_used(state: State, approval_id: str, *, at: str, op: str) -> State:
    """Returns *state* with the approval consumed; one consumed before stays as it was."""
    if approval_id in state.approval_records:
        return state
    used = dict(state.approval_records)
    used[approval_id] = ApprovalUse(consumed_at=at, consumed_by_operation=op)
    return msgspec.structs.replace(state, approval_records=_sorted(used))


def with_recovery(state: State, operation_id: str, use: RecoveryUse) -> State:
    """Returns *state* with the record of a step that was rolled forward."""
    records = dict(state.recovery_records) | {operation_id: use}
    return msgspec.structs.replace(state, recovery_records=_sorted(records))


def observed(live: LiveGraph, *, desired_schema_digest: str, at: str) -> GraphObserved:
    """Returns the observation that records what *live* held."""
    exists = live.presence == "live"
    return GraphObserved(
        address=graph_address(live.graph_id),
        graph_uri=live.uri,
        observed_at=at,
        exists=exists,
        desired_schema_digest=desired_schema_digest,
        graph_manifest_version=live.commit if exists else None,
        schema_digest=live.source_digest if exists else None,
        schema_matches_desired=(live.source_digest == desired_schema_digest) if exists else None,
        error=live.error,
    )


def graph_moved(state: State, *, live: LiveGraph, schema_digest: str, at: str) -> State:
    """Returns *state* after a graph was created with, or moved to, the schema of that digest.

    The tombstone of an incarnation before this one is kept under a key of its own, so that its data
    is still purged when its time is over.
    """
    graph, schema = graph_address(live.graph_id), schema_address(live.graph_id)
    resources = dict(state.applied_revision.resources)
    resources[schema] = AppliedResource(digest=schema_digest)
    resources.setdefault(graph, new_graph(state, live.graph_id))
    state = with_resources(state, resources)
    state = with_statuses(state, {graph: APPLIED, schema: APPLIED})
    seen: dict[str, Observation] = {
        graph: observed(live, desired_schema_digest=schema_digest, at=at)
    }
    before = state.observations.get(graph)
    if isinstance(before, Tombstone) and before.incarnation not in {None, live.incarnation}:
        seen[f"{graph}@{before.incarnation}"] = before
    return with_observations(state, seen)


def new_graph(state: State, graph_id: str) -> AppliedResource:
    """Returns the record of a graph that had none; another graph may keep the root of its name."""
    root = root_of(state, graph_id)
    return AppliedResource(digest="", root=None if root == graph_id else root)


def graph_detached(  # noqa: PLR0913  # a tombstone's fields
    state: State,
    graph_id: str,
    *,
    uri: str,
    incarnation: str | None,
    approval_id: str | None,
    actor: str | None,
    at: str,
    kept_s: int | None = RETENTION_S,
) -> State:
    """Returns *state* after a graph was detached: a tombstone that remembers what it takes away.

    Without an incarnation there was no data left to keep, and there is nothing to restore or purge.
    Data of which nobody knows how long it is to be kept is kept: *kept_s* is None then.
    """
    kept = subtree(state, graph_id)
    until = None
    if kept_s is not None:
        until = format_instant(parse_instant(at) + timedelta(seconds=kept_s))
    tombstone = Tombstone(
        deleted_at=at,
        approval_id=approval_id,
        actor=actor,
        incarnation=incarnation,
        purge_after=until if incarnation is not None else None,
        graph_uri=uri if incarnation is not None else None,
        resources=kept if incarnation is not None else None,
    )
    gone = [a for a in state.resource_statuses if belongs_to(a, graph_id)]
    state = without(state, (*kept, *gone))
    return with_observations(state, {graph_address(graph_id): tombstone})


def graph_restored(state: State, tombstone: Tombstone, live: LiveGraph, *, at: str) -> State:
    """Returns *state* with the graph, its schema and its queries as the tombstone kept them."""
    graph = graph_address(live.graph_id)
    schema = schema_address(live.graph_id)
    kept = dict(tombstone.resources or {})
    kept.setdefault(graph, new_graph(state, live.graph_id))
    kept[schema] = AppliedResource(digest=live.source_digest or "")
    state = with_resources(state, dict(state.applied_revision.resources) | kept)
    state = with_statuses(state, dict.fromkeys(kept, APPLIED))
    seen = observed(live, desired_schema_digest=live.source_digest or "", at=at)
    return with_observations(state, {graph: seen})


def graph_purged(state: State, key: str, *, at: str) -> State:
    """Returns *state* with the tombstone under *key* saying that the data is gone."""
    tombstone = state.observations[key]
    assert isinstance(tombstone, Tombstone)
    purged = msgspec.structs.replace(tombstone, purged_at=at, resources=None)
    return with_observations(state, {key: purged})


def without(state: State, addresses: Iterable[str]) -> State:
    """Returns *state* without these resources and their statuses."""
    gone = set(addresses)
    return with_statuses(without_digests(state, gone), dict.fromkeys(gone))


def without_digests(state: State, addresses: Iterable[str]) -> State:
    """Returns *state* without these resources; their statuses stay for the caller to set."""
    gone = set(addresses)
    resources = state.applied_revision.resources
    return with_resources(state, {a: r for a, r in resources.items() if a not in gone})


def payloads_applied(state: State, changes: Iterable[Change], desired: DesiredCluster) -> State:
    """Returns *state* after the applied changes of what has no step of its own on a graph."""
    all_ = tuple(changes)
    state = covering_applied(state, all_)
    resources = dict(state.applied_revision.resources)
    statuses: dict[str, ResourceStatus | None] = {}
    for change in all_:
        parsed = parse_address(change.resource)
        if change.disposition != "applied" or parsed is None or change.metadata_change == "forget":
            continue
        if parsed.kind == "graph":
            # A graph that moves keeps the settings that it has; others are a change of their own.
            graph = desired.graph(parsed.name) if change.moved_from is None else None
            if graph is not None and change.resource in resources:
                recorded = with_settings(resources[change.resource], graph)
                resources[change.resource] = recorded
        elif parsed.kind not in _RECORDED_KINDS:
            continue
        elif change.operation == "delete":
            resources.pop(change.resource, None)
            statuses[change.resource] = None
        else:
            resources[change.resource] = _as_declared(change, desired)
            statuses[change.resource] = APPLIED
    return with_statuses(with_resources(state, resources), statuses)


def covering_applied(state: State, changes: Iterable[Change]) -> State:
    """Returns *state* without what was forgotten, and with the new addresses of what moved.

    A graph takes its schema, its queries and its observation along; its data is not looked at.
    """
    changes = tuple(changes)
    for change in changes:
        if change.disposition != "applied":
            continue
        if change.metadata_change == "moved" and change.moved_from is not None:
            state = renamed(state, change.moved_from, change.resource)
        elif change.metadata_change == "forget":
            state = _forgotten(state, change.resource)
    return with_resources(state, state.applied_revision.resources) if changes else state


def _forgotten(state: State, address: str) -> State:
    parsed = parse_address(address)
    if parsed is None or parsed.kind != "graph":
        return without(state, (address,))
    seen = {a: o for a, o in state.observations.items() if a != address}
    gone = [a for a in state.resource_statuses if belongs_to(a, parsed.name)]
    state = without(state, (*subtree(state, parsed.name), *gone))
    return msgspec.structs.replace(state, observations=seen)


def with_settings(resource: AppliedResource, graph: DesiredGraph) -> AppliedResource:
    """Returns what the ledger holds of a graph with its declared settings."""
    return msgspec.structs.replace(
        resource,
        embedding_provider=graph.embedding_provider,
        external_blob_policy=blob_policy(graph),
    )


def _as_declared(change: Change, desired: DesiredCluster) -> AppliedResource:
    """Returns what the ledger holds of a query, a policy or a provider after its change."""
    assert change.after_digest is not None
    applies_to = {f"policy.{p.name}": p.applies_to for p in desired.policies}
    profiles = {p.address: profile_fields(p.profile) for p in desired.embedding_providers}
    return AppliedResource(
        digest=change.after_digest,
        applies_to=applies_to.get(change.resource),
        embedding_profile=profiles.get(change.resource),
    )


def waiting_recorded(state: State, changes: Iterable[Change], desired: DesiredCluster) -> State:
    """Returns *state* with `blocked` written for what waits, and taken back from what no longer does.

    What `refresh` found lost stays said until it is there again: a gate depends on it.
    """
    statuses: dict[str, ResourceStatus | None] = {}
    blocked = {c.resource: c for c in changes if c.disposition == "blocked"}
    wanted, has = desired.resource_digests, recorded_digests(state)
    for address, status in state.resource_statuses.items():
        if status.status != "blocked" or address in blocked:
            continue
        reached = address in has and has[address] == wanted.get(address)
        lost = lost_conditions(status)
        if reached:
            statuses[address] = APPLIED
        elif address not in has and address not in wanted:
            statuses[address] = ResourceStatus(status="drifted", conditions=lost) if lost else None
    for address, change in blocked.items():
        if change.reason == SWEPT_REASON:
            continue
        why = (change.reason,) if change.reason else ()
        conditions = (*why, *lost_conditions(state.resource_statuses.get(address)))
        statuses[address] = ResourceStatus(status="blocked", conditions=conditions)
    return with_statuses(state, statuses)


def lost_conditions(status: ResourceStatus | None) -> tuple[str, ...]:
    """Returns the conditions of a resource whose digest `refresh` took out because it was gone."""
    conditions = status.conditions if status is not None else ()
    return tuple(sorted(LOST.intersection(conditions)))


def has_converged(state: State, desired: DesiredCluster) -> bool:
    """Returns whether nothing is left to do: the residual difference is empty."""
    if recorded_digests(state) != desired.resource_digests:
        return False
    resources = state.applied_revision.resources
    bound = all(resources[f"policy.{p.name}"].applies_to == p.applies_to for p in desired.policies)
    return bound and not any(settings_change(a, r, desired) for a, r in resources.items())


def composite_diagnostics(state: State) -> tuple[Diagnostic, ...]:
    """Returns an error for each recorded graph whose composite cannot be made again."""
    found: list[Diagnostic] = []
    resources = state.applied_revision.resources
    for address, resource in resources.items():
        parsed = parse_address(address)
        if parsed is None or parsed.kind != "graph":
            continue
        if _composite(parsed.name, resources) != resource.digest:
            found.append(
                error(
                    "external_blob_policy_digest_mismatch",
                    address,
                    "the recorded digest of the graph does not follow from its recorded parts",
                    detail="The ledger was changed by something else than agentctl, or is damaged.",
                    remedy="agentctl audit verify, then restore the ledger from a backup",
                )
            )
    return tuple(found)


class _BlobPolicy(msgspec.Struct, frozen=True, kw_only=True):
    bases: tuple[BlobBase, ...] = ()


APPLIED: Final = ResourceStatus(status="applied")


def _composite(graph_id: str, resources: Mapping[str, AppliedResource]) -> str:
    own = resources.get(graph_address(graph_id)) or AppliedResource(digest="")
    schema = resources.get(schema_address(graph_id))
    queries: dict[str, str] = {}
    for address, resource in resources.items():
        parsed = parse_address(address)
        if parsed is not None and parsed.kind == "query" and parsed.graph == graph_id:
            queries[parsed.name] = resource.digest
    provider = None
    if own.embedding_provider is not None:
        bound = resources.get(own.embedding_provider)
        provider = (own.embedding_provider, bound.digest if bound else None)
    return graph_composite(
        graph_id,
        schema.digest if schema else "",
        queries,
        provider=provider,
        blob_bases=_blob_bases(own),
    )


def _blob_bases(graph: AppliedResource) -> tuple[tuple[str, str], ...]:
    if graph.external_blob_policy is None:
        return ()
    try:
        policy = msgspec.convert(graph.external_blob_policy, _BlobPolicy)
    except msgspec.ValidationError:
        return ()  # The recorded digest does not follow from it then, which is told.
    return tuple((base.uri, base.scope) for base in policy.bases)


def _sorted(values: Mapping[str, _T]) -> dict[str, _T]:
    return {key: values[key] for key in sorted(values)}
