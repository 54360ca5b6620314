"""The records of consent, each written once under ``__cluster/approvals/``. Source: control-plane 1.5, 3.4."""

from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.model import ChangeVerb
from agentctl.domain.plan.statement import GateStatement
from agentctl.domain.plan.trials import Trial
from agentctl.domain.policy.principals import Assurance

GATE_NAMESPACE: Final = "agentctl-gate-v1"
"""SSHSIG namespace of a decision's signature."""
DECISION: Final = "agentctl/decision/v1"

BREAKGLASS: Final = "breakglass"
"""The group of those who may decide alone in an emergency. Source: access-and-faces 3.5."""
REVIEW: Final = "agentctl/review/v1"
CONSENT_NAMESPACE: Final = "agentctl-consent-v1"
"""SSHSIG namespace of consents that are no decision of a gate. Source: access-and-faces 3.1."""

Verdict = Literal["approve", "deny", "request_changes"]
Finding = Literal["justified", "unjustified"]


class Needs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many deciders of which roles."""

    count: int = 1
    roles: tuple[str, ...] = ()


class ApprovalRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False
):
    """``<ULID>.request.json``: one gate statement put to humans."""

    schema_version: Literal[2] = 2
    request_id: str
    statement: GateStatement
    gate_digest: str
    gate_key: str
    plan_digest: str
    config_digest: str
    requester: str
    requester_kind: Literal["human", "agent", "service"]
    on_behalf_of: str | None
    intent: str
    evidence: str | None
    needs: Needs
    reason: str
    """Why it is gated, in our own words."""
    created_at: str
    expires_at: str
    tried: Trial | msgspec.UnsetType | None = msgspec.UNSET
    """What the history of sandboxes said of it when it was asked: None, that it was not tried.

    Nothing signs it; unset where the history could not be read, and by older releases.
    """


class Seen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the decider looked at."""

    plan_digest: str
    ledger_seq: int
    audit_head: str | None
    audit_length: int


class DecisionStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed, as canonical JSON: so a deny is no approve."""

    statement: Literal["agentctl/decision/v1"]
    gate_digest: str
    decision: Verdict
    reason: str | None
    approver: str
    decided_at: str
    seen: Seen
    break_glass: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    """Set where the approver, of the group `breakglass`, decides alone in an emergency."""


class DecisionArtifact(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False
):
    """``<ULID>.json``: the seed's artifact and who decided what over which statement."""

    schema_version: Literal[2] = 2
    approval_id: str
    resource: str
    operation: ChangeVerb
    reason: str | None
    bound_config_digest: str
    bound_before_digest: str | None
    bound_after_digest: str | None
    approved_by: str
    created_at: str
    consumed_at: None = None
    """Never set: consumption is a record of its own, and the ledger's."""
    consumed_by_operation: None = None
    request_id: str
    gate_digest: str
    decision: Verdict
    approver: str
    decided_at: str
    seen: Seen
    assurance: Assurance
    self_requested: bool
    key: str
    """The deciding public key, OpenSSH form (``ssh-ed25519 AAAA…``), without comment."""
    signature: str
    """SSHSIG, armoured, over the canonical bytes of the `DecisionStatement`."""
    break_glass: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class ReviewStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a second human signs to close the review of an emergency decision."""

    statement: Literal["agentctl/review/v1"]
    cluster_id: str
    approval_id: str
    gate_digest: str
    finding: Finding
    reason: str
    reviewer: str
    reviewed_at: str
    nonce: str


class ClosedReview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``<ULID>.reviewed.json``, beside the emergency decision that it is about."""

    schema_version: Literal[2] = 2
    statement: ReviewStatement
    key: str
    signature: str
    """SSHSIG in the consent namespace over the canonical bytes of the statement."""


class Consumption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``<ULID>.consumed.json``, beside the artifact it consumed."""

    approval_id: str
    request_id: str
    consumed_at: str
    consumed_by_operation: str
    ledger_seq: int


class ApprovalRecords(msgspec.Struct, frozen=True, kw_only=True):
    """All records of consent of one storage root, as they were read."""

    requests: tuple[ApprovalRequest, ...] = ()
    """Oldest first."""
    artifacts: tuple[DecisionArtifact, ...] = ()
    consumptions: tuple[Consumption, ...] = ()
    closed: tuple[ClosedReview, ...] = ()
    """Reviews of emergency decisions, as second humans closed them."""
    used: frozenset[str] = frozenset()
    """Ids of approvals that the ledger or a consumption says were used: they never count again."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Objects that are no records, or of another version; they count for nothing."""
