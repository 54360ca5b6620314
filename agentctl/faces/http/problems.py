"""What an answer's status is, and how a refusal looks: the envelope always, whatever the status."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Envelope

OK: Final = 200
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
GONE: Final = 410
PRECONDITION_FAILED: Final = 412
UNPROCESSABLE: Final = 422
BUG: Final = 500
UNAVAILABLE: Final = 503

HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""Of every answer of ours: it is for one principal, and no page."""

_BY_CODE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("invalid_arguments", "intent_required", "idempotency_key_required"), 400),
    **dict.fromkeys(("unauthenticated", "token_invalid", "token_expired", "token_revoked"), 401),
    **dict.fromkeys(
        (
            "denied",
            "human_only",
            "scope_missing",
            "policy_evaluation_error",
            "path_outside_folder",
            "frozen",
        ),
        403,
    ),
    **dict.fromkeys(
        (
            "unknown_operation",
            "query_not_found",
            "graph_not_found",
            "op_not_found",
            "commit_not_found",
            "graph_branch_missing",
            "graph_point_missing",
        ),
        404,
    ),
    **dict.fromkeys(
        (
            "state_lock_held",
            "lease_lost",
            "read_set_conflict",
            "plan_stale",
            "draft_base_moved",
            "approval_stale",
            "approval_required",
            "idempotency_conflict",
            "graph_busy",
            "graph_branch_exists",
            "graph_tag_exists",
            "branch_unmerged",
            "merge_conflict",
            "merge_schema_diverged",
        ),
        409,
    ),
    "feed_gap": GONE,
    "body_too_large": 413,
    "rate_limited": 429,
    "internal_error": 500,
    **dict.fromkeys(
        (
            "storage_unavailable",
            "storage_throttled",
            "storage_full",
            "storage_denied",
            "storage_refused",
            "storage_credentials_expired",
            "storage_credentials_missing",
            "audit_unavailable",
            "graph_not_served",
            "server_stopping",
        ),
        503,
    ),
}
"""The status of a code; of any other error 422: it was understood, and is not so."""
_PRECEDENCE: Final = (500, 503, 401, 403, 429, 404, 410, 409, 413, 400, 422)


def status_of(envelope: Envelope) -> int:
    """Returns the status of an answer; where several errors were told, the weightiest one's."""
    if envelope.ok:
        return OK
    found = {status_for(d.code) for d in envelope.diagnostics if d.severity == "error"}
    return next((status for status in _PRECEDENCE if status in found), UNPROCESSABLE)


def status_for(code: str) -> int:
    """Returns the status that an error of that code is answered with."""
    return _BY_CODE.get(code, UNPROCESSABLE)


def answered(envelope: Envelope, *, headers: Mapping[str, str] | None = None) -> Response:
    """Returns an envelope as the answer to a request."""
    return json_answer(envelope, status=status_of(envelope), headers=headers)


def refused_with(
    diagnostic: Diagnostic, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns the answer to a request that did not get to the door."""
    envelope = failed((diagnostic,))
    return json_answer(envelope, status=status or status_of(envelope), headers=headers)


def json_answer(
    document: object, *, status: int = OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns *document* as JSON."""
    return Response(
        msgspec.json.encode(document),
        status_code=status,
        media_type="application/json",
        headers={**HEADERS, **(headers or {})},
    )
