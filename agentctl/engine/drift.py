"""What refresh and import make of what they see: pure. Source: control-plane 1.7, seeds/001.

A payload that is gone or altered, and a graph whose root is gone, lose their digests, so that the
next plan proposes them again; what cannot be read keeps its digest, because trouble may pass. A
live graph's schema is recorded as it is. A policy, an approval rule and the settings of ops keep
their digest whatever became of their payload: what judges others must not go away by being lost.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, note, warning
from agentctl.domain.config.model import DesiredCluster, DesiredGraph
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import (
    AppliedResource,
    GraphObserved,
    Observation,
    ResourceStatus,
    State,
    Tombstone,
)
from agentctl.engine.advance import (
    APPLIED,
    graph_restored,
    new_graph,
    observed,
    recorded_digests,
    with_observations,
    with_resources,
    with_statuses,
    without_digests,
)
from agentctl.engine.catalog import PayloadCheck
from agentctl.ids import Kind, graph_address, is_resource_id, parse_address, schema_address

KEPT_KINDS: Final[frozenset[Kind]] = frozenset({"approval", "ops", "policy"})
"""Kinds that a lost payload takes nothing from: they still hold, and open nothing. To let one go, or
to have it otherwise, stays a change with its gate."""
_PAYLOAD_TROUBLE: Final = frozenset({"payload_missing", "payload_mismatch", "payload_read_error"})


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
            if _is_mended(state.resource_statuses.get(check.address)):
                state = with_statuses(state, {check.address: APPLIED})
            continue
        told.append(diagnostic)
        if check.standing == "unreadable":
            status = ResourceStatus(status="error", conditions=("payload_read_error",))
        elif _holds_anyway(check.address):
            status = ResourceStatus(status="error", conditions=(f"payload_{check.standing}",))
        else:
            state = without_digests(state, (check.address,))
            status = ResourceStatus(status="drifted", conditions=(f"payload_{check.standing}",))
        state = with_statuses(state, {check.address: status})
    return Seen(state=state, diagnostics=tuple(told))


def _is_mended(status: ResourceStatus | None) -> bool:
    """Returns whether a resource whose payload is good stands in trouble for its payload alone."""
    conditions = set(status.conditions) if status is not None else set()
    return status is not None and status.status == "error" and conditions <= _PAYLOAD_TROUBLE


def _holds_anyway(address: str) -> bool:
    parsed = parse_address(address)
    return parsed is not None and parsed.kind in KEPT_KINDS


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
    before = state.observations.get(address)
    recorded = recorded_digests(state).get(schema)
    expected = recorded if recorded is not None else graph.schema.digest
    resources = dict(state.applied_revision.resources)
    resources[schema] = AppliedResource(digest=live.source_digest)
    resources.setdefault(address, new_graph(state, graph.id))
    state = with_resources(state, resources)
    seen: dict[str, Observation] = {
        address: observed(live, desired_schema_digest=graph.schema.digest, at=at)
    }
    if isinstance(before, Tombstone) and before.incarnation not in {None, live.incarnation}:
        seen[f"{address}@{before.incarnation}"] = before  # Its data is still to be purged.
    state = with_statuses(with_observations(state, seen), _settled(state, graph, live))
    told: list[Diagnostic] = []
    if isinstance(before, GraphObserved) and (live.commit or 0) < (
        before.graph_manifest_version or 0
    ):
        rewound = ResourceStatus(status="drifted", conditions=("graph_rewound",))
        state = with_statuses(state, {address: rewound})
        told.append(_rewound(before, live))
    if live.source_digest != expected:
        drifted = ResourceStatus(status="drifted", conditions=("schema_mismatch",))
        state = with_statuses(state, {schema: drifted})
        told.append(_mismatch(live, expected))
    return Seen(state=state, diagnostics=tuple(told))


def _mismatch(live: LiveGraph, expected: str) -> Diagnostic:
    return warning(
        "schema_mismatch",
        schema_address(live.graph_id),
        f"the live graph {live.graph_id} has the schema {(live.source_digest or '')[:12]},"
        f" not {expected[:12]}",
        remedy="agentctl plan",
    )


def _rewound(before: GraphObserved, live: LiveGraph) -> Diagnostic:
    return warning(
        "graph_rewound",
        graph_address(live.graph_id),
        f"graph {live.graph_id} is at main:{live.commit}, and the ledger saw it at"
        f" main:{before.graph_manifest_version}",
        detail="Commits that were there are gone: an older copy of the root was put back, or the"
        " root was made anew. What the graph holds now is recorded.",
        remedy="Restore the newer root from a backup and refresh, if what is lost matters.",
    )


def _settled(state: State, graph: DesiredGraph, live: LiveGraph) -> dict[str, ResourceStatus]:
    """Returns `applied` for what had trouble with observation before, and for what is new.

    A drifted schema stays so until the graph has the one that is declared; what is blocked is the
    plan's to say.
    """
    reached = live.source_digest == graph.schema.digest
    both = (graph_address(graph.id), schema_address(graph.id))
    return {a: APPLIED for a in both if _is_settled(state.resource_statuses.get(a), reached)}


def _is_settled(status: ResourceStatus | None, reached: bool) -> bool:  # noqa: FBT001
    if status is None or "graph_missing" in status.conditions:
        return True
    if status.status == "drifted":
        return reached or "graph_rewound" in status.conditions
    return status.status != "blocked"


def _gone(state: State, graph: DesiredGraph, live: LiveGraph, *, at: str) -> Seen:
    address, schema = graph_address(graph.id), schema_address(graph.id)
    known = address in recorded_digests(state) or schema in recorded_digests(state)
    before = state.observations.get(address)
    if not known and isinstance(before, Tombstone):
        return Seen(state=state)
    if not known and live.presence == "detached":
        return _tombstone_found(state, live, at=at)
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


def roots_seen(state: State, others: Iterable[LiveGraph], *, at: str) -> Seen:
    """Returns *state* after a look at roots that are neither declared nor recorded.

    None is adopted but one whose deletion the ledger records and which is live: it was restored, and
    the ledger was not told. Another live one is told; of a detached one the tombstone is recorded where
    the ledger has none, so that it can be restored: unless the root's name is no graph's id, as that of
    a renamed graph may be.
    """
    told: list[Diagnostic] = []
    for live in sorted(others, key=lambda g: g.graph_id):
        before = state.observations.get(graph_address(live.graph_id))
        if isinstance(before, Tombstone) and live.presence == "detached":
            continue
        if _is_restored(before, live):
            assert isinstance(before, Tombstone)
            state = graph_restored(state, before, live, at=at)
            told.append(_restored(live))
        elif live.presence == "detached" and is_resource_id(live.graph_id):
            seen = _tombstone_found(state, live, at=at)
            state = seen.state
            told.extend(seen.diagnostics)
        elif live.presence not in {"absent", "purged"}:
            told.append(_undeclared(live))
    return Seen(state=state, diagnostics=tuple(told))


def _is_restored(before: Observation | None, live: LiveGraph) -> bool:
    """Returns whether a recorded deletion was undone in the graph itself."""
    if not isinstance(before, Tombstone) or before.purged_at is not None:
        return False
    return live.presence == "live" and before.incarnation == live.incarnation


def _restored(live: LiveGraph) -> Diagnostic:
    return note(
        "graph_returned",
        graph_address(live.graph_id),
        f"the graph {live.graph_id} was restored at main:{live.commit}, and the ledger says so now",
        detail="A restore ended before the ledger was told. The graph is what it was before its"
        " deletion, with its queries; its data is not purged.",
        remedy="Declare it in cluster.yaml; until then a plan proposes to delete it again.",
    )


def _undeclared(live: LiveGraph) -> Diagnostic:
    what = f"a {live.presence} graph of {sum(live.rows.values()):,} rows"
    if live.presence not in {"live", "detached"}:
        what = f"something that is no graph of ours ({live.error})"
    return warning(
        "graph_undeclared",
        graph_address(live.graph_id),
        f"the root {live.uri} holds {what}; the folder does not declare it, and the ledger does"
        " not record it",
        detail="It was left as it is and not adopted: nothing here serves, migrates or deletes it.",
        remedy="Declare it in cluster.yaml and run `agentctl refresh`, or remove that root.",
    )


def _tombstone_found(state: State, live: LiveGraph, *, at: str) -> Seen:
    """Of a detached graph whose deletion the ledger does not record: it was lost with it.

    Who approved the deletion is not known any more, so the data is kept until somebody says; unless
    a commit of the graph says that its purge was decided, which goes on.
    """
    graph, schema = graph_address(live.graph_id), schema_address(live.graph_id)
    tombstone = Tombstone(
        deleted_at=live.last_write or at,
        incarnation=live.incarnation,
        purge_after=live.purge_since,
        graph_uri=live.uri,
        resources={
            graph: new_graph(state, live.graph_id),
            schema: AppliedResource(digest=live.source_digest or ""),
        },
    )
    told = warning(
        "graph_tombstone_rebuilt",
        graph,
        f"the detached graph {live.graph_id} was not recorded as deleted; its tombstone is now",
        detail="Its data is kept, because the approval of its deletion is not on record."
        if live.purge_since is None
        else f"Its purge was decided at {live.purge_since}, and goes on.",
        remedy=f"agentctl graph restore {live.graph_id}" if live.purge_since is None else None,
    )
    return Seen(state=with_observations(state, {graph: tombstone}), diagnostics=(told,))


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
