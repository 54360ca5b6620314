"""`apply`: carries out what needs no decision, and what a human has decided."""

from typing import Annotated

import msgspec

from agentctl.domain.plan.model import ApprovalNeed
from agentctl.engine import apply as engine
from agentctl.engine.results import ApplyResult
from agentctl_tools.envelopes import answer, count, failed
from agentctl_tools.fields import IdempotencyKey, In, Intent
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.targets import refusal_of, resource_of, shown, target_of

WAIT_S_MAX = 600.0


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `apply` takes."""

    intent: Intent
    plan_id: Annotated[str | None, msgspec.Meta(description="From `plan`.")] = None
    within: In = msgspec.field(default="cluster", name="in")
    exact: bool = False
    without_gated: bool = True
    idempotency_key: IdempotencyKey = None
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_S_MAX)] = 0.0


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    target = target_of(given.within)
    refusal = await refusal_of(call.cluster, call.caller, target)
    if refusal is not None:
        return failed((refusal,))
    result = await engine.apply(
        call.cluster,
        call.caller,
        engine.ApplyRequest(
            target=target,
            intent=given.intent,
            plan_id=given.plan_id,
            exact=given.exact,
            without_gated=given.without_gated,
            idempotency_key=given.idempotency_key,
            wait_s=given.wait_s,
        ),
        on_event=call.notify,
    )
    waiting = tuple(n for n in result.approvals_required if not n.satisfied)
    return answer(
        result,
        _summary(result, len(waiting)),
        next_calls=tuple(waiting_call(need, target) for need in waiting[:3]),
        more=f"agentctl://op/{result.op}" if result.op else None,
    )


def waiting_call(need: ApprovalNeed, target: str) -> Next:
    """Returns the call that brings a waiting gate forward."""
    if need.request_id is not None and need.standing == "waiting":
        return Next(
            tool="approval_wait",
            arguments={"id": need.request_id},
            why="A human was asked and has not decided.",
        )
    return Next(
        tool="approve",
        arguments={"gate": need.resource, "in": shown(target)},
        why="Asks a human to decide; add your intent and a new idempotency_key.",
    )


def _summary(result: ApplyResult, waiting: int) -> str:
    if not result.ok:
        return "The apply did not finish: see the diagnostics for what happened and what did not."
    done = sum(s.outcome == "done" for s in result.steps) or result.applied_count
    if result.converged:
        return f"Applied {count(done, 'change')}; the cluster is what the configuration says."
    if waiting:
        gates = count(waiting, "gate waits", "gates wait")
        return f"Applied {count(done, 'change')}; {gates} for a human decision."
    return f"Applied {count(done, 'change')}; the cluster has not converged."


OPERATION = Operation(
    name="apply",
    operation_class="write",
    action="cluster_apply",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Real. Carries out a plan: what is reversible and what a human approved. Says done, "
        "waiting, not_done. With open gates it does nothing unless without_gated is true."
    ),
    resource=lambda given: resource_of(given.within),
    result=ApplyResult,
    mcp_tool="apply",
    idempotent=True,
    destructive=True,
)
