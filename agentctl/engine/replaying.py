"""The same request, sent twice, is answered twice alike. Source: control-plane 3.2.

What an apply with an idempotency key did is kept beside the key once its Op has ended; a repeated
request gets that answer, whatever has happened since. It is the op's part of the answer: how the
cluster stands now (observations, statuses, what is left to change) is always told afresh.
"""

import logging

import msgspec

from agentctl.domain.plan.model import ApprovalNeed
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError, CorruptError
from agentctl.engine.cluster import Cluster
from agentctl.engine.keys_once import key_of
from agentctl.engine.prepare import ApplyRequest
from agentctl.engine.results import ApplyResult, StepOutcome

logger = logging.getLogger(__name__)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What an op did, as its own caller was told."""

    op: str
    applied_count: int
    deferred_count: int
    plan_digest: str | None
    steps: tuple[StepOutcome, ...]
    approvals_required: tuple[ApprovalNeed, ...]


async def keep_answer(
    cluster: Cluster, caller: Caller, request: ApplyRequest, result: ApplyResult
) -> None:
    """Keeps what a request with a key was answered; one without a key is answered once."""
    if request.idempotency_key is None or result.op is None:
        return
    answered = Answered(
        op=result.op,
        applied_count=result.applied_count,
        deferred_count=result.deferred_count,
        plan_digest=result.plan_digest,
        steps=result.steps,
        approvals_required=result.approvals_required,
    )
    try:
        await cluster.keys.keep_result(
            key_of(caller.id, request.action, request.idempotency_key),
            request_digest=request.digest,
            op=result.op,
            result=msgspec.json.encode(answered),
        )
    except BackendError as failure:
        # What was done is recorded; a repeated request is told by the op alone.
        extra = {"op": result.op, "failure": str(failure)}
        logger.warning("the answer of a request could not be kept", extra=extra)


async def replayed(
    cluster: Cluster, caller: Caller, request: ApplyRequest, fresh: ApplyResult
) -> ApplyResult:
    """Returns *fresh*, the answer of a repeated request, with what its op had been answered."""
    if request.idempotency_key is None or fresh.op is None:
        return fresh
    where = key_of(caller.id, request.action, request.idempotency_key)
    kept = await cluster.keys.kept_result(where, request_digest=request.digest, op=fresh.op)
    if kept is None:
        return fresh
    try:
        answered = msgspec.json.decode(kept, type=Answered)
    except msgspec.DecodeError as failure:
        msg = f"the answer kept for {where} is not what its format says: {failure}"
        raise CorruptError(msg) from failure
    return msgspec.structs.replace(fresh, **msgspec.structs.asdict(answered))
