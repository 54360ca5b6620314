"""`rollback`: reaches an earlier revision again by a new op, planned and gated like any change."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.model import ApprovalNeed, Plan
from agentctl.domain.plan.reverts import key_of
from agentctl.engine import rollback as engine
from agentctl.engine.moving import GRAPH_WAIT_S
from agentctl.engine.prepare import ApplyRequest
from agentctl.ids import branch_address, split_branch
from agentctl_tools.apply import WAIT_S_MAX, waiting_call
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import IdempotencyKey, Intent
from agentctl_tools.gates import Gates, constraints_of
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.policies import plan_denied, refused_beside

_WIRES = frozenset({"mcp", "http"})
GATES_SHOWN = 3


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `rollback` takes."""

    intent: Intent
    op: Annotated[str, msgspec.Meta(description="The op to undo.", max_length=200)] | None = None
    to: Annotated[int, msgspec.Meta(description="Or: a ledger object.", ge=1)] | None = None
    with_data: bool = False
    """Graphs go back too, to what they held before the op; what wrote rows is always undone so."""
    dry_run: bool = False
    without_gated: bool | None = None
    """Over a wire open gates stop everything by default; at a terminal they only wait."""
    idempotency_key: IdempotencyKey = None
    gates: Gates = ()
    on_failure: Gates = ()
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_S_MAX)] = 0.0


class RollbackBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A rollback as an agent needs it."""

    to: int
    undoes: str | None
    also: tuple[str, ...]
    """Other ops whose changes go, or would go, with it."""
    op: str | None
    """The new op; null for a dry run."""
    converged: bool
    gates: tuple[ApprovalNeed, ...]
    """Those that still wait for a human."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    if (given.op is None) == (given.to is None):
        remedy = "Give `op` to undo one, or `to` with the number of a ledger object."
        return refused(
            "invalid_arguments", "$", "it takes exactly one of `op` and `to`", remedy=remedy
        )
    undone = await engine.undoing(call.cluster, to=given.to, op=given.op, with_data=given.with_data)
    if isinstance(undone, Diagnostic):
        return failed((undone,))
    if given.dry_run:
        return await _look(call, undone)
    without_gated = given.without_gated
    if without_gated is None:
        without_gated = call.caller.via not in _WIRES
    constraints = constraints_of(given.gates, given.on_failure)
    if isinstance(constraints, Diagnostic):
        return failed((constraints,))
    request = ApplyRequest(
        intent=given.intent,
        constraints=constraints,
        without_gated=without_gated,
        idempotency_key=given.idempotency_key,
        wait_s=given.wait_s,
        graph_wait_s=given.wait_s or GRAPH_WAIT_S,
        admits=lambda plan: _denied(call, plan),
    )
    result = await engine.rollback(call.cluster, call.caller, undone, request, on_event=call.notify)
    applied = result.applied
    target = undone.of.target
    waiting = tuple(n for n in applied.approvals_required if not n.satisfied)
    return done(
        _summary(result, len(waiting)),
        data=result,
        diagnostics=applied.diagnostics,
        ok=applied.ok,
        next_calls=tuple(waiting_call(need, target) for need in waiting[:GATES_SHOWN]),
        more=f"agentctl://op/{applied.op}" if applied.op else None,
    )


async def _denied(call: Call, plan: Plan) -> Diagnostic | None:
    """Returns why policy does not let it be done: asked as a rollback, and of each branch that goes back.

    To take back rows is to write to the branch that they are on. That what is lost waits for a human
    is said by the gate, and asked about with the rollback.
    """
    denied = await plan_denied(call, OPERATION.action, _resource(call.arguments), plan)
    if denied is not None:
        return denied
    for change in plan.changes:
        key = key_of(change.resource) if change.disposition == "applied" else None
        if key is None:
            continue
        graph, branch = split_branch(key)
        about = branch_address(graph, branch)
        refused = await refused_beside(call, "change", about, {"branch": branch})
        if refused is not None:
            return refused.diagnostics[0]
    return None


async def _look(call: Call, undone: engine.Undone) -> Envelope:
    planned = await engine.plan_rollback(call.cluster, call.caller, undone)
    result = planned.result
    changes = count(len(result.changes), "change")
    summary = f"{changes} back to ledger object {undone.of.seq}; nothing was done."
    return done(
        summary if result.ok else "No plan: that revision cannot be reached.",
        data=engine.RollbackPlan(undone=undone, plan=result),
        diagnostics=result.diagnostics,
        ok=result.ok,
    )


def _summary(result: engine.RollbackResult, waiting: int) -> str:
    applied, seq = result.applied, result.undone.of.seq
    if not applied.ok:
        return "The rollback did not finish: see the diagnostics for what happened and what not."
    if applied.converged:
        return f"The cluster is what ledger object {seq} records."
    made = f"Took back {count(applied.applied_count, 'change')}"
    if waiting:
        return f"{made}; {count(waiting, 'gate waits', 'gates wait')} for a human decision."
    return f"{made}; the cluster is not what ledger object {seq} records."


def _brief(answer: engine.RollbackResult | engine.RollbackPlan) -> RollbackBrief:
    made = answer.applied if isinstance(answer, engine.RollbackResult) else None
    needs = (
        made.approvals_required
        if made is not None
        else answer.plan.approvals_required
        if isinstance(answer, engine.RollbackPlan)
        else ()
    )
    return RollbackBrief(
        to=answer.undone.of.seq,
        undoes=answer.undone.of.op,
        also=answer.undone.also,
        op=made.op if made is not None else None,
        converged=made is not None and made.converged,
        gates=tuple(n for n in needs if not n.satisfied),
    )


def _resource(given: Arguments) -> str:
    return f"op:{given.op}" if given.op is not None else "cluster"


OPERATION = Operation(
    name="rollback",
    operation_class="write",
    action="op_rollback",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Undoes an op by a new one that goes forward, gated like any change.",
    resource=_resource,
    result=engine.RollbackResult | engine.RollbackPlan,
    brief=_brief,
    brief_result=RollbackBrief,
    mcp_tool="rollback",
    idempotent=True,
    destructive=True,
)
