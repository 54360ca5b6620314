"""One signed decision: what is signed, the artifact around it, and whether it holds.

The signature covers the canonical bytes of the `DecisionStatement`, which are derived again from
the artifact's fields whenever it is checked. All other fields of the artifact follow from the
statement, the request and the chain, and an artifact in which one does not is refused: nothing in
it can be edited. Its id follows from the statement too, so one decision has one id, however often
and under whatever request it is handed in; once used, it is used. Source: control-plane 3.4.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.domain.approval.deciders import needs_of
from agentctl.domain.approval.records import (
    DECISION,
    GATE_NAMESPACE,
    ApprovalRequest,
    DecisionArtifact,
    DecisionStatement,
    Seen,
    Verdict,
)
from agentctl.domain.plan.approval_rules import AppliedRule, requirements, rules_digest
from agentctl.domain.plan.statement import GateStatement, gate_digest, gate_key
from agentctl.domain.policy.principals import Principal, Registry, Verify
from agentctl.ids import is_ulid, ulid
from agentctl.instants import milliseconds, parse_instant

_ULID_ENTROPY_BYTES: Final = 10
_ULID_TIME_CHARACTERS: Final = 10


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a decision holds."""

    verdict: Literal["holds", "retired", "refused"]
    """`retired`: it was good, but its key or its approver has been revoked or replaced since."""
    why: str | None = None


HOLDS: Final = Checked(verdict="holds")


def decision_statement(  # noqa: PLR0913  # the fields of what is signed
    request: ApprovalRequest,
    *,
    decision: Verdict,
    reason: str | None,
    approver: str,
    decided_at: str,
    seen: Seen,
    break_glass: bool = False,
) -> DecisionStatement:
    """Returns what *approver* signs to decide *request*; with *break_glass*, alone."""
    return DecisionStatement(
        statement=DECISION,
        gate_digest=request.gate_digest,
        decision=decision,
        reason=reason,
        approver=approver,
        decided_at=decided_at,
        seen=seen,
        break_glass=True if break_glass else msgspec.UNSET,
    )


def decision_bytes(statement: DecisionStatement) -> bytes:
    """Returns the exact bytes that are signed."""
    return canonical_bytes(statement)


def statement_of(artifact: DecisionArtifact) -> DecisionStatement:
    """Returns the statement that the artifact claims was signed."""
    return DecisionStatement(
        statement=DECISION,
        gate_digest=artifact.gate_digest,
        decision=artifact.decision,
        reason=artifact.reason,
        approver=artifact.approver,
        decided_at=artifact.decided_at,
        seen=artifact.seen,
        break_glass=artifact.break_glass,
    )


def approval_id_of(statement: DecisionStatement) -> str:
    """Returns the ULID of a decision: its time, and the digest of its bytes for randomness."""
    digest = hashlib.sha256(decision_bytes(statement)).digest()
    when = milliseconds(parse_instant(statement.decided_at))
    return ulid(when, digest[:_ULID_ENTROPY_BYTES])


def make_artifact(
    request: ApprovalRequest, statement: DecisionStatement, approver: Principal, signature: str
) -> DecisionArtifact:
    """Returns the record of a signed decision."""
    assert approver.key is not None
    assert approver.assurance is not None
    return DecisionArtifact(
        approval_id=approval_id_of(statement),
        resource=request.statement.resource,
        operation=request.statement.operation,
        reason=statement.reason,
        bound_config_digest=request.config_digest,
        bound_before_digest=request.statement.before,
        bound_after_digest=request.statement.after,
        approved_by=statement.approver,
        created_at=statement.decided_at,
        request_id=request.request_id,
        gate_digest=statement.gate_digest,
        decision=statement.decision,
        approver=statement.approver,
        decided_at=statement.decided_at,
        seen=statement.seen,
        assurance=approver.assurance,
        self_requested=is_self_requested(request.statement, statement.approver),
        key=approver.key,
        signature=signature,
        break_glass=statement.break_glass,
    )


def is_self_requested(statement: GateStatement, approver: str) -> bool:
    """Returns whether *approver* decides what they, or an agent of theirs, asked for."""
    return approver in (statement.requester, statement.on_behalf_of)


def request_fault(
    request: ApprovalRequest, registry: Registry, rules: Sequence[AppliedRule] = ()
) -> str | None:
    """Returns why *request* cannot be decided at all, or None.

    One that was asked under other rules than the applied *rules* is stale, not faulty: then what
    it needs was said by rules that nobody knows any more, and it opens nothing.
    """
    statement = request.statement
    fault = _fault_of_itself(request, registry)
    if fault is not None or statement.rules != rules_digest(rules):
        return fault
    asked = requirements(rules, resource=statement.resource, classes=statement.classes)
    life = parse_instant(request.expires_at) - parse_instant(request.created_at)
    checks = (
        (request.needs == needs_of(asked), "it asks for other deciders than the rules do"),
        (statement.tolerance == asked.tolerance, "its tolerance is not the rules'"),
        (life <= timedelta(seconds=asked.life_s), "it stays open for longer than the rules let it"),
    )
    return next((why for holds, why in checks if not holds), None)


def _fault_of_itself(request: ApprovalRequest, registry: Registry) -> str | None:
    statement = request.statement
    checks = (
        (is_ulid(request.request_id), "its id is no ULID"),
        (statement.cluster_id == registry.cluster_id, "it is of another cluster"),
        (request.gate_digest == gate_digest(statement), "its gate digest is not its statement's"),
        (request.gate_key == gate_key(statement), "its gate key is not its statement's"),
        (request.requester == statement.requester, "its requester is not its statement's"),
        (request.on_behalf_of == statement.on_behalf_of, "its requester is not its statement's"),
        (request.expires_at == statement.expires_at, "its expiry is not its statement's"),
        (statement.classes == tuple(sorted(set(statement.classes))), "its classes are not sorted"),
        (_ordered(request.created_at, request.expires_at), "its times are out of order"),
        (_made_at(request.request_id, request.created_at), "its id is of another time"),
    )
    return next((why for holds, why in checks if not holds), None)


def check_artifact(
    artifact: DecisionArtifact, request: ApprovalRequest, registry: Registry, verify: Verify
) -> Checked:
    """Returns whether *artifact* is a decision of *request* by an enrolled human."""
    why = _binding_fault(artifact, request)
    if why is not None:
        return Checked(verdict="refused", why=why)
    signer = verify(artifact.signature, decision_bytes(statement_of(artifact)), GATE_NAMESPACE)
    if signer is None:
        return Checked(verdict="refused", why="the signature does not hold over the statement")
    if signer != artifact.key:
        return Checked(verdict="refused", why="it is signed by another key than it names")
    return _check_signer(artifact, request, registry)


def _check_signer(
    artifact: DecisionArtifact, request: ApprovalRequest, registry: Registry
) -> Checked:
    approver = registry.principals.get(artifact.approver)
    if approver is None or approver.kind != "human" or not approver.confirmed:
        return Checked(verdict="refused", why="its approver is no enrolled human")
    if artifact.self_requested != is_self_requested(request.statement, artifact.approver):
        return Checked(verdict="refused", why="it is wrong about who asked")
    if registry.former_keys.get(artifact.key) == approver.id:
        return Checked(verdict="retired", why="its key was revoked or replaced")
    if approver.key != artifact.key or approver.revoked:
        return Checked(verdict="refused", why="its key is not its approver's")
    if approver.assurance != artifact.assurance:
        return Checked(verdict="refused", why="its assurance is not the one of the enrolment")
    return HOLDS


def _binding_fault(artifact: DecisionArtifact, request: ApprovalRequest) -> str | None:
    statement = request.statement
    checks = (
        (artifact.request_id == request.request_id, "it is of another request"),
        (artifact.gate_digest == request.gate_digest, "it is about another statement"),
        (artifact.resource == statement.resource, "its resource is not the statement's"),
        (artifact.operation == statement.operation, "its operation is not the statement's"),
        (artifact.bound_before_digest == statement.before, "it is bound to another state"),
        (artifact.bound_after_digest == statement.after, "it is bound to another outcome"),
        (artifact.bound_config_digest == request.config_digest, "it is bound to other text"),
        (artifact.seen.plan_digest == request.plan_digest, "its decider saw another plan"),
        (artifact.approved_by == artifact.approver, "it names two approvers"),
        (
            artifact.decision == "approve" or artifact.break_glass is msgspec.UNSET,
            "only an approval is made in an emergency",
        ),
        (artifact.created_at == artifact.decided_at, "it names two times"),
        (
            _ordered(request.created_at, artifact.decided_at)
            and _ordered(artifact.decided_at, request.expires_at),
            "it was not decided in the life of its request",
        ),
    )
    why = next((why for holds, why in checks if not holds), None)
    if why is None and artifact.approval_id != approval_id_of(statement_of(artifact)):
        return "its id is not that of its statement"
    return why


def _made_at(request_id: str, created_at: str) -> bool:
    try:
        now = ulid(milliseconds(parse_instant(created_at)), bytes(_ULID_ENTROPY_BYTES))
    except ValueError:
        return False
    return request_id[:_ULID_TIME_CHARACTERS] == now[:_ULID_TIME_CHARACTERS]


def _ordered(earlier: str, later: str) -> bool:
    try:
        return parse_instant(earlier) <= parse_instant(later)
    except ValueError:
        return False
