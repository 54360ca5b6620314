"""The plan: what is wanted against what is recorded, as one value. Source: control-plane 1.7, 3.3.

Pure. The engine calls `draft_plan`, asks the approvals how consent stands for each gate of the
draft, and calls `finish` with the answers. The digest is that of the draft: consent moves nothing
that is sealed.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import Dependency
from agentctl.domain.plan.approval_rules import rules_digest
from agentctl.domain.plan.changes import digest_changes, lost_graphs
from agentctl.domain.plan.codec import plan_digest
from agentctl.domain.plan.covered import is_covering
from agentctl.domain.plan.dispositions import dispose
from agentctl.domain.plan.forced import with_forced_groups
from agentctl.domain.plan.gates import gates_of, with_gate_keys
from agentctl.domain.plan.inputs import GateStanding, PlanDraft, PlanInputs
from agentctl.domain.plan.model import ApprovalNeed, BlastRadius, Change, Plan
from agentctl.domain.plan.order import (
    direct_dependents,
    recorded_dependencies,
    transitive_dependents,
)
from agentctl.domain.plan.remarks import remarks
from agentctl.domain.plan.statement import Gate
from agentctl.domain.plan.told import with_told
from agentctl.domain.plan.unheld import unheld_graphs
from agentctl.domain.plan.who import who_decides
from agentctl.ids import Address, graph_address, schema_address


def draft_plan(inputs: PlanInputs) -> PlanDraft:
    """Returns the plan as it is while nothing is approved, and the gates that it has."""
    lost = lost_graphs(inputs)
    found = digest_changes(inputs, lost)
    recorded = _recorded_edges(found, inputs)
    direct = direct_dependents(chain(inputs.desired.dependencies, recorded)) if found else {}
    found = with_forced_groups(found, wanted=inputs.desired.dependencies, recorded=recorded)
    changes = tuple(
        msgspec.structs.replace(change, dependents=transitive_dependents(change.resource, direct))
        if change.resource in direct
        else change
        for change in found
    )
    changes = with_told(changes, inputs.desired)
    unheld = unheld_graphs(changes, inputs)
    gates = gates_of(changes, inputs, unheld=unheld)
    pending = frozenset(inputs.pending)
    disposed = dispose(
        with_gate_keys(changes, gates), pending=pending, approved=frozenset(), unheld=unheld
    )
    plan = Plan(
        cluster_id=inputs.cluster_id,
        target=inputs.target,
        principal=inputs.principal,
        config_digest=inputs.desired.config_digest,
        resource_digests=inputs.desired.resource_digests,
        dependencies=inputs.desired.dependencies,
        state_cas=inputs.state_cas,
        state_revision=inputs.state_revision,
        observed=_observed(inputs),
        policy_digests=_policy_digests(inputs),
        principals_head=inputs.principals_head,
        protected=tuple(sorted(inputs.protected)),
        changes=disposed,
        blast_radius=_blast_radius(changes, direct),
        approvals_required=_needs(
            gates, {}, {gate.key: who_decides(gate, inputs.approval_rules) for gate in gates}
        ),
        diagnostics=sort_diagnostics(remarks(disposed, inputs, lost)),
        digest="",
    )
    sealed = msgspec.structs.replace(plan, digest=plan_digest(plan))
    return PlanDraft(plan=sealed, gates=gates, pending=pending, unheld=unheld)


def finish(draft: PlanDraft, standings: Mapping[str, GateStanding]) -> Plan:
    """Returns the plan of *draft* under the recorded consents.

    Args:
        draft: of `draft_plan`.
        standings: by gate key; a gate that is missing stands for nothing asked yet.
    """
    approved = frozenset(key for key, s in standings.items() if s.state == "approved")
    stale = (
        _stale(gate, standing)
        for gate in draft.gates
        if (standing := standings.get(gate.key)) and standing.state == "stale"
    )
    return msgspec.structs.replace(
        draft.plan,
        changes=dispose(
            draft.plan.changes, pending=draft.pending, approved=approved, unheld=draft.unheld
        ),
        approvals_required=_needs(
            draft.gates, standings, {n.gate_key: n.who for n in draft.plan.approvals_required}
        ),
        diagnostics=sort_diagnostics([*draft.plan.diagnostics, *stale]),
    )


def _recorded_edges(changes: tuple[Change, ...], inputs: PlanInputs) -> frozenset[Dependency]:
    """Returns who depends on whom in what is recorded.

    What does not change depends on the same in what is wanted, so that only the recorded edges of
    what changes are looked for; without changes nobody asks. What a move or a forgetting covers is
    no change of its own, so with one of these all edges are.
    """
    if not changes:
        return frozenset()
    covering = any(is_covering(change) for change in changes)
    sources = None if covering else [change.resource for change in changes]
    return recorded_dependencies(inputs.recorded, sources, inputs.referred)


def _observed(inputs: PlanInputs) -> dict[str, tuple[str | None, str | None]]:
    """What was seen of the graphs that are declared or recorded; of others nothing depends on it."""
    known = {graph_address(graph.id) for graph in inputs.desired.graphs}
    known |= {Address(a) for a in inputs.recorded if a.startswith("graph.")}
    observed: dict[str, tuple[str | None, str | None]] = {}
    for graph_id, live in inputs.live.items():
        recorded_schema = schema_address(graph_id) in inputs.recorded
        if graph_address(graph_id) in known or recorded_schema:
            commit = None if live.commit is None else f"main:{live.commit}"
            observed[graph_address(graph_id)] = (commit, live.source_digest)
    return observed


def _policy_digests(inputs: PlanInputs) -> dict[str, str]:
    """The applied policies and approval rules, which judge the plan; a rule also by what it says.

    A rule whose content is lost asks for more than before, and the ledger does not move by it.
    """
    policies = {a: r.digest for a, r in inputs.recorded.items() if a.startswith("policy.")}
    return policies | {rule.address: rules_digest((rule,)) for rule in inputs.approval_rules}


def _blast_radius(
    changes: Iterable[Change], direct: Mapping[Address, frozenset[Address]]
) -> tuple[BlastRadius, ...]:
    return tuple(
        BlastRadius(resource=change.resource, affected=tuple(sorted(direct[change.resource])))
        for change in changes
        if change.resource in direct
    )


def _needs(
    gates: Iterable[Gate], standings: Mapping[str, GateStanding], who: Mapping[str, str | None]
) -> tuple[ApprovalNeed, ...]:
    needs: list[ApprovalNeed] = []
    for gate in gates:
        standing = standings.get(gate.key, GateStanding())
        needs.append(
            ApprovalNeed(
                resource=gate.resource,
                reason=gate.reason,
                satisfied=standing.state == "approved",
                gate_key=gate.key,
                who=who.get(gate.key),
                request_id=standing.request_id,
                standing=standing.state,
            )
        )
    return tuple(needs)


def _stale(gate: Gate, standing: GateStanding) -> Diagnostic:
    return warning(
        "approval_stale",
        gate.resource,
        f"a decision about the {gate.operation} of {gate.resource} no longer holds",
        detail=standing.why,
        remedy=f"Ask again: agentctl approvals request {gate.resource}",
    )
