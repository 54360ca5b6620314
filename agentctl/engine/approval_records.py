"""Reads the records of consent from a storage root. What is no record counts for nothing, and is told."""

from collections.abc import Iterable

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.codec import APPROVALS_PREFIX, Record, decode
from agentctl.domain.approval.records import (
    ApprovalRecords,
    ApprovalRequest,
    ClosedReview,
    Consumption,
    DecisionArtifact,
)
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.ids import is_ulid


async def read_records(
    store: ObjectStore, used: Iterable[str], *, to_show: bool = False
) -> ApprovalRecords:
    """Returns all records; *used* are the ids of approvals that the ledger says were used.

    Only *to_show* them one may lack that cannot be read, which is told: without a denial that is
    there a decision would stand that does not.

    Raises:
        BackendError: the store gave no answer.
    """
    requests: list[ApprovalRequest] = []
    artifacts: list[DecisionArtifact] = []
    consumptions: list[Consumption] = []
    closed: list[ClosedReview] = []
    faults: list[Diagnostic] = []
    for key in await store.list(APPROVALS_PREFIX):
        try:
            stored = await store.read(key)
        except BackendError as failure:
            if not to_show:
                raise
            faults.append(error("approval_read_error", key, str(failure)))
            continue
        if stored is None:
            continue
        record = _decoded(key, stored.data)
        match record:
            case ApprovalRequest():
                requests.append(record)
            case DecisionArtifact():
                artifacts.append(record)
            case Consumption():
                consumptions.append(record)
            case ClosedReview():
                closed.append(record)
            case Diagnostic():
                faults.append(record)
    return ApprovalRecords(
        requests=tuple(requests),
        artifacts=tuple(artifacts),
        consumptions=tuple(consumptions),
        closed=tuple(closed),
        used=frozenset(used) | {c.approval_id for c in consumptions},
        diagnostics=tuple(faults),
    )


def _decoded(key: str, data: bytes) -> Record | Diagnostic:
    name = key.removeprefix(APPROVALS_PREFIX)
    stem, _, rest = name.partition(".")
    if not is_ulid(stem):
        return error("invalid_approval_artifact", key, "the name of the record is no ULID")
    record: Record | Diagnostic
    match rest:
        case "request.json":
            record = decode(ApprovalRequest, data, path=key)
            named = record.request_id if isinstance(record, ApprovalRequest) else stem
        case "json":
            record = decode(DecisionArtifact, data, path=key)
            named = record.approval_id if isinstance(record, DecisionArtifact) else stem
        case "consumed.json":
            record = decode(Consumption, data, path=key)
            named = record.approval_id if isinstance(record, Consumption) else stem
        case "reviewed.json":
            record = decode(ClosedReview, data, path=key)
            named = record.statement.approval_id if isinstance(record, ClosedReview) else stem
        case _:
            return error("invalid_approval_artifact", key, "there are no records of that name")
    if named != stem:
        return error("invalid_approval_artifact", key, "the record has another id than its name")
    return record
