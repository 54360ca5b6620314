"""What refresh and import make of what they see: pure. Source: control-plane 1.7, seeds/001.

A payload that is gone or altered, and a graph whose root is gone, lose their digests, so that the
next plan proposes them again; what cannot be read keeps its digest, because trouble may pass. A
live graph's schema is recorded as it is.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.config.model import DesiredCluster, DesiredGraph
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import AppliedResource, ResourceStatus, State, Tombstone
from agentctl.engine.advance import (
    APPLIED,
    observed,
    recorded_digests,
    with_observations,
    with_resources,
    with_statuses,
    without_digests,
)
from agentctl.engine.catalog import PayloadCheck
from agentctl.ids import graph_address, schema_address


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A state after an observation, and what there is to tell."""

    state: State
    diagnostics: tuple[Diagnostic, ...] = ()


def payloads_seen(state: State, checks: Iterable[PayloadCheck]) -> Seen:
    """Returns *state* after its payloads were hashed again; runs before graphs are looked at."""
    told: list[Diagnostic] = []
    for check in checks:
        diagnostic = check.diagnostic()
        if diagnostic is None:
            continue
        told.append(diagnostic)
        if check.standing == "unreadable":
            status = ResourceStatus(status="error", conditions=("payload_read_error",))
        else:
            state = without_digests(state, (check.address,))
            status = ResourceStatus(status="drifted", conditions=(f"payload_{check.standing}",))
        state = with_statuses(state, {check.address: status})
    return Seen(state=state, diagnostics=tuple(told))


def graphs_seen(
    state: State,
    desired: DesiredCluster,
    live: Mapping[str, LiveGraph],
    *,
    at: str,
    pending: frozenset[str] = frozenset(),
) -> Seen:
    """Returns *state* after every declared graph was looked at.

    Graphs that are *pending*, by id, are left to the sweep, which owns their status.
    """
    told: list[Diagnostic] = []
    for graph in desired.graphs:
        if graph.id in pending:
            continue
        seen = _graph_seen(state, graph, live[graph.id], at=at)
        state = seen.state
        told.extend(seen.diagnostics)
    return Seen(state=state, diagnostics=tuple(told))


def _graph_seen(state: State, graph: DesiredGraph, live: LiveGraph, *, at: str) -> Seen:
    match live.presence:
        case "live":
            return _live(state, graph, live, at=at)
        case "foreign" | "unreadable":
            return _unreadable(state, graph, live, at=at)
        case "absent" | "detached" | "purged":
            return _gone(state, graph, live, at=at)


def _live(state: State, graph: DesiredGraph, live: LiveGraph, *, at: str) -> Seen:
    address, schema = graph_address(graph.id), schema_address(graph.id)
    assert live.source_digest is not None
    recorded = recorded_digests(state).get(schema)
    expected = recorded if recorded is not None else graph.schema.digest
    resources = dict(state.applied_revision.resources)
    resources[schema] = AppliedResource(digest=live.source_digest)
    resources.setdefault(address, AppliedResource(digest=""))
    state = with_resources(state, resources)
    seen = observed(live, desired_schema_digest=graph.schema.digest, at=at)
    state = with_observations(state, {address: seen})
    if live.source_digest == expected:
        return Seen(state=with_statuses(state, _settled(state, (address, schema))))
    drifted = ResourceStatus(status="drifted", conditions=("schema_mismatch",))
    told = warning(
        "schema_mismatch",
        schema,
        f"the live graph {graph.id} has the schema {live.source_digest[:12]}, not {expected[:12]}",
        remedy="agentctl plan",
    )
    state = with_statuses(state, {address: APPLIED, schema: drifted})
    return Seen(state=state, diagnostics=(told,))


def _settled(state: State, addresses: tuple[str, ...]) -> dict[str, ResourceStatus | None]:
    """Returns `applied` for what had trouble with observation before, and for what is new."""
    keeps = {"blocked", "drifted"}
    return {
        a: APPLIED
        for a in addresses
        if a not in state.resource_statuses
        or state.resource_statuses[a].status not in keeps
        or "graph_missing" in state.resource_statuses[a].conditions
    }


def _gone(state: State, graph: DesiredGraph, live: LiveGraph, *, at: str) -> Seen:
    address, schema = graph_address(graph.id), schema_address(graph.id)
    known = address in recorded_digests(state) or schema in recorded_digests(state)
    before = state.observations.get(address)
    if not known and isinstance(before, Tombstone):
        return Seen(state=state)
    if not known:
        pending = ResourceStatus(status="pending")
        new = [a for a in (address, schema) if a not in state.resource_statuses]
        state = with_statuses(state, dict.fromkeys(new, pending))
        seen = observed(live, desired_schema_digest=graph.schema.digest, at=at)
        return Seen(state=with_observations(state, {address: seen}))
    seen = observed(live, desired_schema_digest=graph.schema.digest, at=at)
    last = getattr(before, "graph_manifest_version", None)
    seen = msgspec.structs.replace(seen, graph_manifest_version=last)
    state = with_observations(without_digests(state, (address, schema)), {address: seen})
    drifted = ResourceStatus(status="drifted", conditions=("graph_missing",))
    state = with_statuses(state, {address: drifted, schema: drifted})
    told = warning(
        "graph_missing",
        address,
        f"the ledger records graph {graph.id}, and its root {live.uri} is {live.presence}",
        remedy="Restore the root from a backup and refresh, or see what `agentctl plan` proposes.",
    )
    return Seen(state=state, diagnostics=(told,))


def _unreadable(state: State, graph: DesiredGraph, live: LiveGraph, *, at: str) -> Seen:
    address = graph_address(graph.id)
    trouble = ResourceStatus(
        status="error", conditions=("graph_observation_error",), message=live.error
    )
    seen = observed(live, desired_schema_digest=graph.schema.digest, at=at)
    state = with_observations(with_statuses(state, {address: trouble}), {address: seen})
    told = error(
        "graph_observation_error",
        address,
        f"graph {graph.id} could not be observed: {live.error}",
        remedy="Repair the root, then run: agentctl refresh",
    )
    return Seen(state=state, diagnostics=(told,))
