"""`approval_evidence`: the bytes that a request stands on, for a person whose machine judges them itself."""

from typing import Annotated

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.codec import artifact_key, request_key
from agentctl.domain.approval.evidence import FILE_KINDS, Evidence
from agentctl.domain.approval.records import ApprovalRequest, Seen
from agentctl.domain.approval.refusals import not_found
from agentctl.domain.plan.codec import KeptPlan
from agentctl.domain.storage.numbered import read_all
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import load_target
from agentctl.engine.planning import plan_for, plan_key
from agentctl.engine.principals import PRINCIPALS_FOLDER
from agentctl_tools.envelopes import done, failed
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `approval_evidence` takes."""

    id: Annotated[str, msgspec.Meta(description="The request.", max_length=100)]


async def _handle(call: Call) -> Envelope:
    cluster = call.cluster
    snapshot = await cluster.approvals.snapshot()
    review = snapshot.review(call.arguments.id)
    if review is None:
        return failed((not_found(call.arguments.id),))
    request = review.request
    kept = await plan_for(cluster, call.caller, request.plan_digest)
    if isinstance(kept, Diagnostic):
        return failed((kept,))
    target = await load_target(cluster, call.caller, kept.plan.target)
    if target.desired is None:
        return failed(target.diagnostics, summary="What it was asked from cannot be read any more.")
    stored = await cluster.store.read(request_key(request.request_id))
    plan = await cluster.store.read(plan_key(request.plan_digest))
    if stored is None or plan is None:
        gone = error("approval_not_found", request.request_id, "its record is not there any more")
        return failed((gone,))
    records = await drive(cluster.store, read_all(PRINCIPALS_FOLDER))
    evidence = Evidence(
        request=stored.data,
        principals=tuple(data for _, data in records),
        rules=snapshot.rules,
        plan=plan.data,
        files=target.desired.files,
        before=await _before(cluster, request),
        decisions=await _decisions(cluster, tuple(a.approval_id for a in review.approvals)),
        seen=await _seen(cluster, kept),
    )
    return done("A request with the bytes that it stands on.", data=evidence)


async def _before(cluster: Cluster, request: ApprovalRequest) -> bytes | None:
    """Returns the file that the resource is as it is applied, out of the applied source."""
    statement = request.statement
    if statement.before is None or statement.resource.partition(".")[0] not in FILE_KINDS:
        return None
    head = await cluster.ledger.head()
    source = head.envelope.source if head is not None else None
    files = await cluster.catalog.source_files(source.digest) if source is not None else None
    return next((d for d in (files or {}).values() if sha256_hex(d) == statement.before), None)


async def _decisions(cluster: Cluster, ids: tuple[str, ...]) -> tuple[bytes, ...]:
    stored = [await cluster.store.read(artifact_key(one)) for one in ids]
    return tuple(found.data for found in stored if found is not None)


async def _seen(cluster: Cluster, kept: KeptPlan) -> Seen:
    head = await cluster.ledger.head()
    audit = await cluster.audit.head()
    return Seen(
        plan_digest=kept.digest,
        ledger_seq=head.seq if head is not None else 0,
        audit_head=audit.head,
        audit_length=audit.length,
    )


OPERATION = Operation(
    name="approval_evidence",
    operation_class="read",
    action="approval_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. The bytes that a request stands on, to be judged on the decider's own machine.",
    resource=lambda given: f"approval:{given.id}",
    result=Evidence,
    idempotent=True,
)
