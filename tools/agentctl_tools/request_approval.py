"""`request_approval`: puts one gate of a fresh plan to humans. Asking is no consent."""

import shlex
from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.notices import of_request
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.plan.model import Plan
from agentctl.domain.plan.statement import Gate
from agentctl.domain.plan.trials import Trial
from agentctl.engine import planning
from agentctl.engine.absent import state_missing
from agentctl.engine.trying import TrialsUnknownError, tried
from agentctl.ids import parse_address
from agentctl_tools.envelopes import done, failed, refused
from agentctl_tools.fields import IdempotencyKey, In, Intent
from agentctl_tools.notices import telling, where_of
from agentctl_tools.once import conflict_of
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.targets import refusal_of, target_of


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `request_approval` takes."""

    gate: Annotated[
        str,
        msgspec.Meta(description="A gate of the plan: its resource or its key.", max_length=500),
    ]
    intent: Intent
    evidence: (
        Annotated[str, msgspec.Meta(description="Why it is safe, if you know.", max_length=2000)]
        | None
    ) = None
    within: In = msgspec.field(default="cluster", name="in")
    idempotency_key: IdempotencyKey = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The request that a human now sees."""

    request_id: str
    resource: str
    gate_key: str
    expires_at: str
    tell_your_human: str
    """One line, to be said exactly."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    refusal = await _refusal(call)
    if refusal is not None:
        return failed((refusal,))
    planned = await planning.make_plan(
        call.cluster,
        call.caller,
        target=target_of(given.within),
        keep=True,
        look=planning.BEFORE_DECIDING,
    )
    if planned.plan is None:
        return failed(planned.result.diagnostics)
    gate = next((g for g in planned.gates if given.gate in {g.resource, g.key}), None)
    if gate is None:
        return _no_gate(given.gate, planned.plan, planned.gates)
    request = await call.cluster.approvals.request(
        call.caller,
        gate=gate,
        plan_digest=planned.plan.digest,
        config_digest=planned.plan.config_digest,
        intent=given.intent,
        evidence=given.evidence,
        tried=await _tried(call, gate),
    )
    if not isinstance(request, ApprovalRequest):
        return failed(request)
    notice = of_request("requested", request, await where_of(call.cluster))
    return await telling(call.cluster, _asked(call, request), notice)


async def _tried(call: Call, gate: Gate) -> Trial | msgspec.UnsetType | None:
    """Returns what the history says of the change now: whoever decides may have another history."""
    asked = gate.statement(requester="", on_behalf_of=None, expires_at="", nonce="")
    try:
        return await tried(call.cluster, asked)
    except TrialsUnknownError:
        return msgspec.UNSET


async def _refusal(call: Call) -> Diagnostic | None:
    """Returns why nothing can be asked, whatever the plan would say."""
    conflict = await conflict_of(call, "request_approval")
    if conflict is not None:
        return conflict
    target = target_of(call.arguments.within)
    refusal = await refusal_of(call.cluster, call.caller, target, revisions=True)
    if refusal is None and await call.cluster.ledger.head() is None:
        return state_missing()
    return refusal


def _asked(call: Call, request: ApprovalRequest) -> Envelope:
    line = f"agentctl approve {request.request_id} --config {shlex.quote(call.cluster.config_dir)}"
    data = Asked(
        request_id=request.request_id,
        resource=request.statement.resource,
        gate_key=request.gate_key,
        expires_at=request.expires_at,
        tell_your_human=line,
    )
    why = (
        f"End your turn now and tell your human exactly this line: {line} — and when you are "
        "resumed, make this call."
    )
    waiting = Next(tool="approval_wait", arguments={"id": request.request_id}, why=why)
    return done("Asked. Only a human can decide it.", data=data, next_calls=(waiting,))


def _no_gate(written: str, plan: Plan, gates: tuple[Gate, ...]) -> Envelope:
    """Refuses a request for what no consent would let through."""
    change = next((c for c in plan.changes if c.resource == written), None)
    if gates:
        remedy = f"Gates of the plan: {', '.join(g.resource for g in gates)}."
    elif change is not None and change.disposition in {"blocked", "deferred"}:
        remedy = "No consent would let the change through: `agentctl plan` says what it waits for."
    else:
        remedy = "The plan has no gate: apply it."
    return refused(
        "approval_not_required", written, "no change of that name waits for a human", remedy=remedy
    )


def _resource(given: Arguments) -> str:
    """A gate key names no resource before the plan is made, so it is decided over as the cluster."""
    return given.gate if parse_address(given.gate) is not None else "cluster"


OPERATION = Operation(
    name="request_approval",
    operation_class="write",
    action="approval_request",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Asks a human to decide one gate of the plan.",
    resource=_resource,
    result=Asked,
    mcp_tool="approve",
    idempotent=True,
)
