"""`approval_show`, `approval_export`: one request with the facts it is decided by, and as a file to sign elsewhere."""

from typing import Annotated, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import Seen
from agentctl.domain.plan.codec import KeptPlan
from agentctl.domain.policy.principals import Principal
from agentctl.engine.deciding import decision_facts
from agentctl.engine.planning import plan_for
from agentctl_tools.envelopes import done, failed
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `approval_show` and `approval_export` take."""

    id: Annotated[str, msgspec.Meta(description="The request.", max_length=100)]


class ExportedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``approvals export``: all that a human elsewhere needs to look at a request and to sign."""

    format: Literal[1] = 1
    cluster_id: str
    facts: DecisionFacts
    """As measured when it was exported; `facts.request` is what is decided."""
    plan: KeptPlan | None
    """The kept plan it was asked from; None where it was collected."""
    seen: Seen
    """Goes into the decision as it stands here."""
    humans: tuple[Principal, ...]
    """Who may decide: the signer finds themselves by their key. Believed by nobody, because the
    cluster checks the decision against its own chain."""


async def _show(call: Call) -> Envelope:
    facts = await decision_facts(call.cluster, call.caller, call.arguments.id)
    if isinstance(facts, Diagnostic):
        return failed((facts,))
    return done(f"The request is {facts.standing}.", data=facts)


async def _export(call: Call) -> Envelope:
    cluster = call.cluster
    facts = await decision_facts(cluster, call.caller, call.arguments.id)
    if isinstance(facts, Diagnostic):
        return failed((facts,))
    registry = await cluster.principals.registry()
    head = await cluster.ledger.head()
    audit = await cluster.audit.head()
    seen = Seen(
        plan_digest=facts.request.plan_digest,
        ledger_seq=head.seq if head is not None else 0,
        audit_head=audit.head,
        audit_length=audit.length,
    )
    humans = tuple(p for p in registry.principals.values() if registry.human(p.id) is not None)
    kept = await plan_for(cluster, call.caller, facts.request.plan_digest)
    exported = ExportedRequest(
        cluster_id=registry.cluster_id,
        facts=facts,
        plan=kept if isinstance(kept, KeptPlan) else None,
        seen=seen,
        humans=humans,
    )
    return done("A request, to be decided elsewhere.", data=exported)


SHOW = Operation(
    name="approval_show",
    operation_class="read",
    action="approval_read",
    arguments=Arguments,
    handler=_show,
    describe="Look. One request with the facts it is decided by, measured now.",
    resource=lambda given: f"approval:{given.id}",
    result=DecisionFacts,
    idempotent=True,
)
EXPORT = Operation(
    name="approval_export",
    operation_class="read",
    action="approval_read",
    arguments=Arguments,
    handler=_export,
    describe="Look. One request whole, to be signed elsewhere.",
    resource=lambda given: f"approval:{given.id}",
    result=ExportedRequest,
    idempotent=True,
)
