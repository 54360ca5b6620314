"""What becomes of an interrupted step: one pure function over sidecars, observations and ledger.

The same function serves after a crash and after a failure. It never guesses: a commit of `main`
that bears the sidecar's nonce says that the step happened, its absence says that it did not, and a
root that cannot be read says neither. Source: control-plane 3.5, in place of the table of 1.7.

| step | observation | verdict |
|---|---|---|
| create, schema | a commit after the observed one is the step's | roll forward |
| create, schema | none is | retire |
| create, schema | another format, or unreadable | keep, error |
| delete | the newest commit of that incarnation is a tombstone | roll forward |
| delete | it is none | retire, the approval unspent |
| any | the ledger records the outcome already | retire |
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, note, warning
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.ledger.state import (
    GraphObserved,
    RecoveryUse,
    ResourceStatus,
    State,
    Tombstone,
)
from agentctl.engine.advance import (
    graph_detached,
    graph_moved,
    lost_conditions,
    recorded_digests,
    with_approval_used,
    with_recovery,
    with_statuses,
)
from agentctl.ids import graph_address, schema_address

Verdict = Literal["roll_forward", "retire", "keep"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph root shows about the steps that were meant for it."""

    live: LiveGraph
    nonces: frozenset[str]
    """Of the commits of `main` that are known, the newest included."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one sidecar."""

    sidecar: Sidecar
    verdict: Verdict
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def keeps(self) -> bool:
        """Whether its graph stays pending."""
        return self.verdict == "keep"


def recover(
    sidecars: Iterable[Sidecar],
    evidence: Mapping[str, Evidence],
    state: State,
    recorded_ops: frozenset[str],
) -> tuple[Decision, ...]:
    """Returns a decision for each sidecar, in order of their names.

    Args:
        sidecars: all that were found.
        evidence: by graph id, for every graph that a sidecar names.
        state: as the ledger records it before the sweep.
        recorded_ops: ops whose outcome the ledger has recorded.
    """
    ordered = sorted(sidecars, key=lambda s: s.operation_id)
    return tuple(_decide(s, evidence[s.graph_id], state, recorded_ops) for s in ordered)


def recovered(
    state: State,
    decision: Decision,
    live: LiveGraph,
    *,
    at: str,
    op: str,
    actor: str | None,
) -> State:
    """Returns *state* with the decision recorded; a retired sidecar moves nothing.

    Args:
        state: the recorded state so far.
        decision: one that `recover` made.
        live: the observation it was made from.
        at: when.
        op: that consumes the approval of a delete.
        actor: who runs the sweep.
    """
    sidecar = decision.sidecar
    if decision.verdict == "keep":
        return _kept(state, sidecar, live)
    if decision.verdict == "retire":
        return state
    if sidecar.kind == "graph_delete":
        state = graph_detached(
            state,
            sidecar.graph_id,
            uri=sidecar.graph_uri,
            incarnation=sidecar.incarnation,
            approval_id=sidecar.approval_id,
            actor=sidecar.actor,
            at=at,
        )
    else:
        state = graph_moved(state, live=live, schema_digest=sidecar.desired_schema_digest, at=at)
    if sidecar.approval_id is not None:
        state = with_approval_used(state, sidecar.approval_id, at=at, op=op)
    use = RecoveryUse(
        kind=sidecar.kind,
        graph_id=sidecar.graph_id,
        outcome="rolled_forward",
        recovered_at=at,
        actor=actor,
    )
    return with_recovery(state, sidecar.operation_id, use)


def _decide(
    sidecar: Sidecar, evidence: Evidence, state: State, recorded_ops: frozenset[str]
) -> Decision:
    live = evidence.live
    if live.presence in {"foreign", "unreadable"}:
        return _keep(sidecar, live)
    if sidecar.op in recorded_ops and _shows(state, sidecar):
        return Decision(sidecar=sidecar, verdict="retire")
    if sidecar.kind == "graph_delete":
        happened = live.presence in {"detached", "purged"} and (
            live.incarnation == sidecar.incarnation
        )
    else:
        happened = live.presence == "live" and sidecar.nonce in evidence.nonces
    verdict: Verdict = "roll_forward" if happened else "retire"
    return Decision(
        sidecar=sidecar, verdict=verdict, diagnostics=(_told(sidecar, happened=happened),)
    )


def _shows(state: State, sidecar: Sidecar) -> bool:
    """Returns whether *state* has the outcome of the step, as that of an unknown one it has not."""
    observation = state.observations.get(graph_address(sidecar.graph_id))
    if sidecar.kind == "graph_delete":
        return isinstance(observation, Tombstone) and observation.incarnation == sidecar.incarnation
    if not isinstance(observation, GraphObserved):
        return False
    digest = recorded_digests(state).get(schema_address(sidecar.graph_id))
    before = sidecar.observed_manifest_version or 0
    reached = (observation.graph_manifest_version or 0) > before
    return reached and digest == sidecar.desired_schema_digest


def _keep(sidecar: Sidecar, live: LiveGraph) -> Decision:
    code = (
        "graph_create_incomplete" if sidecar.kind == "graph_create" else "cluster_recovery_pending"
    )
    diagnostic = error(
        code,
        graph_address(sidecar.graph_id),
        f"an interrupted {_verb(sidecar)} of {sidecar.graph_id} cannot be settled: {live.error}",
        detail=f"The graph's root at {live.uri} cannot be read, so whether the step happened is"
        " not known. Its graph stays as it is until the root can be read again.",
        remedy="Repair or remove that root, then run: agentctl apply",
    )
    return Decision(sidecar=sidecar, verdict="keep", diagnostics=(diagnostic,))


def _kept(state: State, sidecar: Sidecar, live: LiveGraph) -> State:
    if sidecar.kind != "graph_create":
        return state
    address = graph_address(sidecar.graph_id)
    conditions = ("graph_create_incomplete", *lost_conditions(state.resource_statuses.get(address)))
    status = ResourceStatus(status="error", conditions=conditions, message=live.error)
    return with_statuses(state, {address: status})


def _told(sidecar: Sidecar, *, happened: bool) -> Diagnostic:
    address = graph_address(sidecar.graph_id)
    if happened:
        return warning(
            "cluster_recovery_rolled_forward",
            address,
            f"an interrupted {_verb(sidecar)} of {sidecar.graph_id} had happened;"
            " its record was completed",
        )
    return note(
        "cluster_recovery_retired",
        address,
        f"an interrupted {_verb(sidecar)} of {sidecar.graph_id} had not happened;"
        " its intent was withdrawn",
    )


def _verb(sidecar: Sidecar) -> str:
    verbs = {"graph_create": "create", "schema_apply": "schema update", "graph_delete": "delete"}
    return verbs[sidecar.kind]
