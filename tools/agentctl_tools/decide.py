"""`decide`: a human's signed decision on one request. The CLI's and the terminal's `approve` and `deny`."""

from typing import Annotated, Literal

import msgspec

from agentctl.domain.approval.notices import of_decision
from agentctl.domain.approval.records import DecisionArtifact
from agentctl.domain.approval.typed_name import confirms
from agentctl.engine import decisions
from agentctl.engine.cluster import Cluster
from agentctl.engine.results import ApproveResult
from agentctl_tools.envelopes import answer, failed, refused
from agentctl_tools.notices import telling, where_of
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `decide` takes."""

    request_id: Annotated[str, msgspec.Meta(max_length=100)]
    verdict: Literal["approve", "deny", "request_changes"]
    gate_digest: str
    """Of the statement that the person looked at: another one is not what they decided."""
    reason: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    confirmation: str | None = None
    """What the person typed; an approval needs the resource's name."""
    break_glass: bool = False
    """Whether somebody of the group `breakglass` approves alone, in an emergency."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    approvals = call.cluster.approvals
    request = await approvals.find(given.request_id)
    if request is None:
        return refused("approval_not_found", given.request_id, "there is no request of that id")
    if request.gate_digest != given.gate_digest:
        return refused(
            "approval_stale",
            given.request_id,
            "the statement is not the one that was shown",
            remedy="Look at it again, then decide.",
        )
    resource = request.statement.resource
    if given.verdict == "approve" and not confirms(given.confirmation, resource):
        return refused(
            "confirmation_mismatch", resource, "what was typed is not the resource's name"
        )
    if call.signer is None:
        return refused(
            "human_key_missing",
            given.request_id,
            "no key was handed along, so nothing can be signed",
            remedy="agentctl identity show",
        )
    decided = await decisions.decide(
        call.cluster,
        call.caller,
        given.request_id,
        verdict=given.verdict,
        reason=given.reason,
        signer=call.signer,
        break_glass=given.break_glass,
    )
    if not isinstance(decided, DecisionArtifact):
        return failed(decided, summary="Nothing was decided.")
    told = {"approve": "Approved", "deny": "Denied", "request_changes": "Sent back"}
    envelope = answer(
        approve_result(call.cluster, decided), f"{told[decided.decision]}: {resource}."
    )
    notice = of_decision(request, decided, await where_of(call.cluster))
    return await telling(call.cluster, envelope, notice)


def approve_result(cluster: Cluster, artifact: DecisionArtifact) -> ApproveResult:
    """Returns the result shape of a recorded decision."""
    return ApproveResult(
        ok=True,
        config_dir=cluster.config_dir,
        approval_id=artifact.approval_id,
        resource=artifact.resource,
        operation=artifact.operation,
        approved_by=artifact.approved_by,
        request_id=artifact.request_id,
        decision=artifact.decision,
        gate_digest=artifact.gate_digest,
    )


OPERATION = Operation(
    name="decide",
    operation_class="human_only",
    action="approval_decide",
    arguments=Arguments,
    handler=_handle,
    describe="Real. A human's signed decision on one request.",
    resource=lambda given: f"approval:{given.request_id}",
    result=ApproveResult,
    destructive=True,
)
