"""Consent at the moment of use: whether a recorded decision opens a gate now, and which one it is."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.approval.machine import Standing
from agentctl.domain.approval.records import DecisionArtifact
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.plan.diff import draft_plan
from agentctl.domain.plan.inputs import GateStanding
from agentctl.domain.plan.model import Change
from agentctl.domain.plan.statement import Gate
from agentctl.engine.advance import with_approval_used
from agentctl.engine.cluster import Cluster
from agentctl.engine.running import Running
from agentctl.ids import parse_address

NOBODYS: Final = "sandbox"
"""Stands for a decision where none is needed: nothing in a sandbox is real."""


async def standings_of(cluster: Cluster, gates: Iterable[Gate]) -> Mapping[str, Standing]:
    """Returns how the recorded consent stands for each gate, by gate key; in a sandbox all are open."""
    asked = tuple(gates)
    if cluster.sandbox is not None:
        return {gate.key: Standing(state="approved") for gate in asked}
    return await cluster.approvals.standings(asked) if asked else {}


def for_plan(standings: Mapping[str, Standing]) -> dict[str, GateStanding]:
    """Returns the standings as the planner takes them."""
    return {
        key: GateStanding(
            state=standing.state,
            request_id=standing.request.request_id if standing.request is not None else None,
            why=told(standing),
        )
        for key, standing in standings.items()
    }


def told(standing: Standing) -> str | None:
    """Returns what moved since the decision, in words."""
    if standing.why is None:
        return None
    return f"{standing.why.field}: {standing.why.old} -> {standing.why.new}"


def fresh_gate(running: Running, change: Change, live: LiveGraph | None) -> Gate | None:
    """Returns the gate of *change* as a plan would have it that saw *live* just now."""
    inputs = running.task.inputs
    if live is not None:
        seen = dict(inputs.live) | {live.graph_id: live}
        inputs = msgspec.structs.replace(inputs, live=seen)
    return next((g for g in draft_plan(inputs).gates if g.resource == change.resource), None)


async def consented(running: Running, change: Change, gate: Gate | None) -> str | None:
    """Returns the id of the decision that opens *gate* now; None holds the change back and says so.

    *gate* is that of a plan made from what was observed just now, under the lease of what it is
    about; None says that the change has no gate any more, and then nothing opens it.
    """
    standing = None
    if gate is not None:
        standing = (await standings_of(running.task.cluster, (gate,))).get(gate.key)
    if standing is not None and running.task.cluster.sandbox is not None:
        return NOBODYS
    if standing is not None and standing.state == "approved":
        assert standing.artifact is not None, "an approval is an artifact"
        if standing.artifact.break_glass is not msgspec.UNSET:
            running.told.add(_alone(standing.artifact))
        approval_id = standing.artifact.approval_id
        running.decided[change.resource] = approval_id
        running.companions[approval_id] = tuple(a.approval_id for a in standing.approvals)
        return approval_id
    why = told(standing) if standing is not None else None
    running.told.add(
        warning(
            "approval_stale",
            change.resource,
            f"the decision about the {change.operation} of {change.resource} no longer holds",
            detail=why,
            remedy=f"agentctl approvals request {change.resource}",
        )
    )
    parsed = parse_address(change.resource)
    owner = parsed.graph if parsed is not None and parsed.graph is not None else None
    if owner is not None:
        running.hold_back(owner, "approval_required")
    else:
        running.hold_back_one(change.resource, "approval_required")
    await running.finished(change, "waiting", "approval_stale")
    return None


def spend(running: Running, approval_id: str) -> None:
    """Records in memory that the decision is used up, with all that counted beside it.

    The ledger commit makes it so.
    """
    if approval_id == NOBODYS:
        return
    for used in dict.fromkeys((approval_id, *running.companions.get(approval_id, ()))):
        running.state = with_approval_used(
            running.state, used, at=running.at, op=running.task.op.id
        )
        running.used.append(used)


def _alone(artifact: DecisionArtifact) -> Diagnostic:
    return warning(
        "break_glass_used",
        artifact.resource,
        f"{artifact.approver} decided alone about {artifact.resource}, in an emergency",
        remedy=f"agentctl approvals review {artifact.approval_id} --reason TEXT",
    )
