"""What becomes of an interrupted step: one pure function over sidecars, observations and ledger.

The same function serves after a crash and after a failure. It never guesses: it works out what a
graph's root and the ledger show of a step (`sight_of`) and looks the rest up in the table of
`agentctl.domain.ledger.recovery`, from which docs/recovery.md is generated. Source: control-plane
3.5, in place of the table of 1.7.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, note, warning
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.recovery import STEPS, TABLE, Rule, Sight
from agentctl.domain.ledger.recovery import Verdict as Verdict  # noqa: PLC0414  # known from here
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
    with_observations,
    with_recovery,
    with_statuses,
)
from agentctl.graph.layout import MAIN
from agentctl.ids import graph_address, schema_address, split_branch


class SeenCommit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of `main`, as far as recovery needs it."""

    number: int
    kind: str
    nonce: str
    incarnation: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph root shows about the steps that were meant for it."""

    live: LiveGraph
    commits: tuple[SeenCommit, ...] = ()
    """The newest of `main`, newest first, without a gap."""
    held: str | None = None
    """Why who was to make the step may still make it; None where nobody can."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one sidecar."""

    sidecar: Sidecar
    sight: Sight
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def rule(self) -> Rule:
        """The row of the table."""
        return TABLE[self.sidecar.kind, self.sight]

    @property
    def verdict(self) -> Verdict:
        """What is done about it."""
        return self.rule.verdict

    @property
    def keeps(self) -> bool:
        """Whether its graph stays pending."""
        return self.verdict == "keep"

    @property
    def spent(self) -> tuple[str, ...]:
        """The approvals that the step used up; none where it had none, or did not happen."""
        sidecar = self.sidecar
        if not self.rule.spends or sidecar.approval_id is None:
            return ()
        return (sidecar.approval_id, *sidecar.beside)


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
    decisions: list[Decision] = []
    for sidecar in sorted(sidecars, key=lambda s: s.operation_id):
        seen = evidence[sidecar.graph_id]
        sight = sight_of(sidecar, seen, state, recorded_ops)
        decision = Decision(sidecar=sidecar, sight=sight)
        told = _told(decision, seen.live, seen.held)
        decisions.append(msgspec.structs.replace(decision, diagnostics=told))
    return tuple(decisions)


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
        op: that consumes the approvals of the step.
        actor: who runs the sweep.
    """
    sidecar = decision.sidecar
    if decision.verdict == "keep":
        return state if decision.sight == "in_flight" else _kept(state, sidecar, live)
    if decision.verdict == "retire":
        return state
    state = _rolled_forward(state, decision, live, at=at)
    for approval_id in decision.spent:
        state = with_approval_used(state, approval_id, at=at, op=op)
    use = RecoveryUse(
        kind=sidecar.kind,
        graph_id=sidecar.graph_id,
        outcome="rolled_forward",
        recovered_at=at,
        actor=actor,
    )
    return with_recovery(state, sidecar.operation_id, use)


def sight_of(
    sidecar: Sidecar, evidence: Evidence, state: State, recorded_ops: frozenset[str]
) -> Sight:
    """Returns what the ledger and the graph's root show of one step."""
    sight = _sight_of(sidecar, evidence, state, recorded_ops)
    return "in_flight" if evidence.held is not None and sight in {"absent", "not_made"} else sight


def _sight_of(
    sidecar: Sidecar, evidence: Evidence, state: State, recorded_ops: frozenset[str]
) -> Sight:
    live = evidence.live
    match live.presence:
        case "foreign" | "unreadable":
            return live.presence
        case "absent":
            return "recorded" if _is_recorded(state, sidecar, recorded_ops) else "absent"
        case "live" | "detached" | "purged":
            pass
    if _is_recorded(state, sidecar, recorded_ops):
        return "recorded"
    return (
        _sight_of_delete(sidecar, evidence)
        if sidecar.kind == "graph_delete"
        else _sight_of_move(sidecar, evidence)
    )


def _sight_of_move(sidecar: Sidecar, evidence: Evidence) -> Sight:
    observed = sidecar.observed_manifest_version or 0
    after = [c for c in evidence.commits if c.number > observed]
    # A graph that is made over a deleted one of a sandbox begins to count anew; its nonce tells.
    if not any(c.nonce == sidecar.nonce for c in evidence.commits):
        newest = evidence.live.commit or 0
        return "not_made" if len(after) >= newest - observed else "out_of_reach"
    live = evidence.live
    still = live.presence == "live" and live.incarnation == sidecar.incarnation
    return "made" if still else "superseded"


def _sight_of_delete(sidecar: Sidecar, evidence: Evidence) -> Sight:
    live = evidence.live
    if live.incarnation == sidecar.incarnation:
        if live.presence == "live":
            return "not_made"
        return "purging" if live.partly_purged else "made"
    of_it = (c for c in evidence.commits if c.incarnation == sidecar.incarnation)
    newest = next(of_it, None)
    ended = newest is not None and newest.kind in {"tombstone", "purge"}
    return "superseded" if ended else "not_made"


def _is_recorded(state: State, sidecar: Sidecar, recorded_ops: frozenset[str]) -> bool:
    """Returns whether the ledger has the outcome of the step, as that of an unknown one it has not."""
    return sidecar.op in recorded_ops and _shows(state, sidecar)


def _shows(state: State, sidecar: Sidecar) -> bool:
    address = graph_address(sidecar.graph_id)
    if _is_of_branch(sidecar):
        return sidecar.approval_id in state.approval_records
    observation = state.observations.get(address)
    if sidecar.kind == "graph_delete":
        if f"{address}@{sidecar.incarnation}" in state.observations:
            return True
        return isinstance(observation, Tombstone) and (
            observation.incarnation == sidecar.incarnation
        )
    if not isinstance(observation, GraphObserved):
        return False
    digest = recorded_digests(state).get(schema_address(sidecar.graph_id))
    before = sidecar.observed_manifest_version or 0
    anew = sidecar.kind == "graph_create"
    reached = anew or (observation.graph_manifest_version or 0) > before
    return reached and digest == sidecar.desired_schema_digest


def _rolled_forward(state: State, decision: Decision, live: LiveGraph, *, at: str) -> State:
    sidecar = decision.sidecar
    if decision.sight == "superseded":
        if sidecar.kind != "graph_delete":
            return state
        return _older_tombstone(state, sidecar, at=at)
    if sidecar.kind == "graph_delete":
        return graph_detached(
            state,
            sidecar.graph_id,
            uri=sidecar.graph_uri,
            incarnation=sidecar.incarnation,
            approval_id=sidecar.approval_id,
            actor=sidecar.actor,
            at=at,
            kept_s=sidecar.kept_s,
        )
    if _is_of_branch(sidecar):
        return state
    return graph_moved(state, live=live, schema_digest=sidecar.desired_schema_digest, at=at)


def _is_of_branch(sidecar: Sidecar) -> bool:
    """Returns whether a branch beside `main` was to go back, of which the ledger records no state."""
    return split_branch(sidecar.graph_id)[1] != MAIN


def _older_tombstone(state: State, sidecar: Sidecar, *, at: str) -> State:
    """Returns *state* with a tombstone for an incarnation over which another one is live.

    It lies under a key of its own and remembers no resources: those are the newer graph's now.
    """
    address = graph_address(sidecar.graph_id)
    detached = graph_detached(
        State(),
        sidecar.graph_id,
        uri=sidecar.graph_uri,
        incarnation=sidecar.incarnation,
        approval_id=sidecar.approval_id,
        actor=sidecar.actor,
        at=at,
        kept_s=sidecar.kept_s,
    ).observations[address]
    assert isinstance(detached, Tombstone)
    tombstone = msgspec.structs.replace(detached, resources=None)
    return with_observations(state, {f"{address}@{sidecar.incarnation}": tombstone})


def _kept(state: State, sidecar: Sidecar, live: LiveGraph) -> State:
    if sidecar.kind != "graph_create":
        return state
    address = graph_address(sidecar.graph_id)
    conditions = ("graph_create_incomplete", *lost_conditions(state.resource_statuses.get(address)))
    status = ResourceStatus(status="error", conditions=conditions, message=live.error)
    return with_statuses(state, {address: status})


def _told(decision: Decision, live: LiveGraph, held: str | None) -> tuple[Diagnostic, ...]:
    rule, sidecar = decision.rule, decision.sidecar
    if rule.code is None:
        return ()
    address = graph_address(sidecar.graph_id)
    step = f"an interrupted {STEPS[sidecar.kind]} of {sidecar.graph_id}"
    if decision.sight == "in_flight":
        told = f"{step} is not made, and it may be made still"
        return (error(rule.code, address, told, detail=held, remedy="agentctl locks"),)
    if decision.keeps:
        why = live.error or "its commits are not all there"
        return (
            error(
                rule.code,
                address,
                f"{step} cannot be settled: {why}",
                detail=f"The graph's root at {live.uri} cannot be read whole, so whether the step"
                " happened is not known. Its graph stays as it is until the root can be read.",
                remedy="Repair or remove that root, then run: agentctl apply",
            ),
        )
    if decision.verdict == "retire":
        return (note(rule.code, address, f"{step} had not happened; its intent was withdrawn"),)
    if decision.sight == "purging":
        told = f"{step} had happened, and its data is partly purged; the purge goes on"
        return (warning(rule.code, address, told),)
    return (warning(rule.code, address, f"{step} had happened; its record was completed"),)
