"""How a person decides about a cluster elsewhere: the evidence is judged, shown and signed on this machine.

The other side is asked for bytes and is handed a signature. Which page is shown, and what is signed,
is worked out here, of the same bytes. Source: access-and-faces 3.5.
"""

import sys
from collections.abc import Iterator
from typing import Any

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.decision import (
    approval_id_of,
    decision_bytes,
    decision_statement,
    make_artifact,
)
from agentctl.domain.approval.evidence import (
    Evidence,
    EvidenceError,
    Judged,
    facts_of,
    judge,
    statement_lines,
)
from agentctl.domain.approval.records import GATE_NAMESPACE, DecisionArtifact, Verdict
from agentctl.domain.approval.typed_name import confirms
from agentctl.domain.config.patches import render_patch
from agentctl.domain.policy.bundles import check_cedar
from agentctl.domain.policy.principals import Principal
from agentctl.faces.cli.asking import ask_name, tell_of_emergency, undecidable
from agentctl.faces.cli.compose import verify
from agentctl.faces.cli.elsewhere import RemoteSession
from agentctl.faces.cli.human_key import HumanKey
from agentctl.faces.cli.session import Ended
from agentctl.foreign import Foreign, show
from agentctl.instants import format_instant
from agentctl.views.decision import decision_page, page_text
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Envelope

_CELLS_PER_CHARACTER = 64
"""More than any character takes when it is spelt out."""


async def decide_there(
    session: RemoteSession,
    request_id: str,
    verdict: Verdict,
    reason: str | None,
    *,
    break_glass: bool = False,
) -> Ended:
    """Shows the page, asks what must be asked, signs here, and hands the decision in there."""
    judged = await evidence_of(session, request_id)
    if isinstance(judged, Envelope):
        return Ended(envelope=judged)
    found = key_at_hand(session, judged)
    sys.stderr.write(page(session, judged, found[1] if found is not None else None))
    facts = facts_of(judged, cluster_name=session.place, key=None)
    refusal = undecidable(facts)
    if refusal is not None:
        return Ended(envelope=failed((refusal,)))
    if found is None:
        told = "none of your keys is that of a human of the cluster"
        remedy = "agentctl identity key NAME"
        return Ended(
            envelope=failed((error("human_key_missing", request_id, told, remedy=remedy),))
        )
    if break_glass:
        tell_of_emergency(facts)
    resource = judged.request.statement.resource
    if verdict == "approve" and not confirms(ask_name(facts), resource):
        told = "what was typed is not the resource's name; nothing was signed"
        return Ended(envelope=failed((error("confirmation_mismatch", resource, told),)))
    signer = HumanKey(session.composition, found[1]).signer()
    artifact = sign(session, judged, (found[0], signer), verdict, reason, break_glass=break_glass)
    return Ended(envelope=await hand_in(session, artifact))


async def evidence_of(session: RemoteSession, request_id: str) -> Judged | Envelope:
    """Returns the evidence as this machine judges it, or why it was not judged good."""
    fetched = await session.door.call("approval_evidence", {"id": request_id})
    if not fetched.ok or not isinstance(fetched.data, Evidence):
        return fetched if not fetched.ok else failed((_mismatch(session, "it is none"),))
    try:
        return judge(
            fetched.data,
            request_id=request_id,
            cluster_id=session.door.context.cluster_id,
            now=session.composition.world.now(),
            verify=verify,
            check_cedar=check_cedar,
        )
    except EvidenceError as differs:
        return failed((_mismatch(session, str(differs)),))


def page(session: RemoteSession, judged: Judged, key: str | None) -> str:
    """Returns the decision page, what changes in the text, and every field that is signed over."""
    facts = facts_of(judged, cluster_name=session.place, key=key)
    lines = [page_text(decision_page(facts)).rstrip("\n"), *_diff(judged), " signed over:"]
    for name, value in statement_lines(judged):
        lines.append(f"   {name}  {_whole(value)}")
    return "\n".join(lines) + "\n"


def sign(
    session: RemoteSession,
    judged: Judged,
    human: tuple[Principal, Any],
    verdict: Verdict,
    reason: str | None,
    *,
    break_glass: bool = False,
) -> DecisionArtifact:
    """Returns the decision that the human's own key signs, over the statement that was shown."""
    approver, signer = human
    statement = decision_statement(
        judged.request,
        decision=verdict,
        reason=reason,
        approver=approver.id,
        decided_at=max(format_instant(session.composition.world.now()), judged.request.created_at),
        seen=judged.seen,
        break_glass=break_glass,
    )
    _, signature = signer.sign(decision_bytes(statement), GATE_NAMESPACE)
    artifact = make_artifact(judged.request, statement, approver, signature)
    assert artifact.approval_id == approval_id_of(statement)
    return artifact


async def hand_in(session: RemoteSession, artifact: DecisionArtifact) -> Envelope:
    """Hands the decision in; what is said to be recorded must be this very decision."""
    handed = await session.door.call(
        "submit_decision",
        {
            "decision": canonical_bytes(artifact).decode(),
            "intent": f"{artifact.decision} {artifact.resource}",
            "idempotency_key": artifact.approval_id,
        },
    )
    recorded = getattr(handed.data, "approval_id", None)
    if handed.ok and recorded != artifact.approval_id:
        told = "another decision is said to be recorded than the one that you signed"
        return failed((_mismatch(session, told),))
    return handed


def key_at_hand(session: RemoteSession, judged: Judged) -> tuple[Principal, str] | None:
    """Returns the human of the chain whose key this user has, and that key."""
    pinned = session.door.context.key
    for key in session.composition.key_texts():
        human = judged.registry.human_with_key(key)
        if human is not None and pinned in {None, key}:
            return human, key
    return None


def _diff(judged: Judged) -> Iterator[str]:
    if judged.before is None and judged.after is None:
        return
    yield " the text, as it is applied and as it would be:"
    for line in render_patch(judged.change.resource, judged.before, judged.after).splitlines():
        yield f" │ {_whole(line)}"


def _whole(text: str) -> str:
    """Returns all of *text*, safe to print: what is signed over is not cut, however long it is."""
    return show(Foreign(text), limit=_CELLS_PER_CHARACTER * len(text))


def _mismatch(session: RemoteSession, why: str) -> Diagnostic:
    return error(
        "evidence_mismatch",
        session.door.context.url,
        f"nothing was signed: {why}",
        remedy="Ask again where it moved: agentctl approvals request. Else tell its operator.",
    )
