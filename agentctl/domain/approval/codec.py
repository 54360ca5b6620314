"""The bytes of the records of consent: canonical JSON, each key once, nothing else accepted."""

from typing import Final, TypeVar

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.records import (
    ApprovalRequest,
    ClosedReview,
    Consumption,
    DecisionArtifact,
)

APPROVALS_PREFIX: Final = "__cluster/approvals/"
RECORD_BYTES_MAX: Final = 1 << 20
SCHEMA_VERSION: Final = 2

Record = ApprovalRequest | DecisionArtifact | Consumption | ClosedReview
T = TypeVar("T", ApprovalRequest, DecisionArtifact, Consumption, ClosedReview)


def request_key(request_id: str) -> str:
    """Returns the key of a request's record."""
    return f"{APPROVALS_PREFIX}{request_id}.request.json"


def artifact_key(approval_id: str) -> str:
    """Returns the key of a decision's record."""
    return f"{APPROVALS_PREFIX}{approval_id}.json"


def consumption_key(approval_id: str) -> str:
    """Returns the key of the record that an approval was used."""
    return f"{APPROVALS_PREFIX}{approval_id}.consumed.json"


def review_key(approval_id: str) -> str:
    """Returns the key of the record that an emergency decision was reviewed."""
    return f"{APPROVALS_PREFIX}{approval_id}.reviewed.json"


def encode(record: Record) -> bytes:
    """Returns the record's canonical bytes."""
    return canonical_bytes(record)


def decode(kind: type[T], data: bytes, *, path: str) -> T | Diagnostic:
    """Returns the record in *data*, or what is wrong with it; *path* names it."""
    if len(data) > RECORD_BYTES_MAX:
        return _invalid(path, f"it is longer than {RECORD_BYTES_MAX} bytes")
    try:
        value = decode_canonical(data)
        version = value.get("schema_version") if isinstance(value, dict) else None
        if kind is not Consumption and version != SCHEMA_VERSION:
            return error(
                "unsupported_approval_version",
                path,
                f"the approval record has version {version!a:.20}, this release reads "
                f"{SCHEMA_VERSION}",
            )
        record = msgspec.convert(value, kind)
    except (NotCanonicalError, msgspec.ValidationError) as fault:
        return _invalid(path, str(fault))
    if canonical_bytes(record) != data:
        return _invalid(path, "a field that is not set is written out, or one is left out")
    return record


def _invalid(path: str, why: str) -> Diagnostic:
    return error("invalid_approval_artifact", path, f"the approval record cannot be used: {why}")
