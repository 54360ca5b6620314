"""How a person decides on the command line: the facts, the typed name, the key, the door."""

import sys
from typing import Any

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import Verdict
from agentctl.faces.cli.asking import ask_name, tell_of_emergency, undecidable
from agentctl.faces.cli.human_key import human_key
from agentctl.faces.cli.session import Ended, Session
from agentctl.ids import is_ulid
from agentctl.views.decision import decision_page, page_text, safe
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Envelope


async def request_named(session: Session, named: str, *, intent: str | None) -> str | Envelope:
    """Returns the id of the request that *named* means: an id, or a resource with one open request.

    With *intent* a resource without an open request has one filed, for the caller.
    """
    if is_ulid(named):
        return named
    listed = await session.call("approvals", {})
    if not listed.ok:
        return listed
    data: Any = listed.data
    ids = [r.request_id for r in data.requests if r.statement.resource == named]
    if len(ids) == 1:
        return str(ids[0])
    if ids:
        remedy = "\n".join(f"agentctl approve {request_id}" for request_id in ids)
        message = f"{len(ids)} requests are open for {safe(named)}"
        return failed((error("approval_ambiguous", named, message, remedy=remedy),))
    if intent is None:
        told = error(
            "approval_not_found",
            named,
            "no request is open for that resource",
            remedy="agentctl approvals list",
        )
        return failed((told,))
    asked = await session.call("request_approval", {"gate": named, "intent": intent})
    answer: Any = asked.data
    return str(answer.request_id) if asked.ok else asked


async def decide(
    session: Session,
    request_id: str,
    verdict: Verdict,
    reason: str | None,
    *,
    break_glass: bool = False,
) -> Ended:
    """Shows the facts of a request, asks what must be asked, and decides through the door."""
    from agentctl.faces.cli.elsewhere import RemoteSession

    if isinstance(session, RemoteSession):
        from agentctl.faces.cli.remote_deciding import decide_there

        return await decide_there(session, request_id, verdict, reason, break_glass=break_glass)
    shown = await session.call("approval_show", {"id": request_id})
    if not isinstance(shown.data, DecisionFacts):
        return Ended(envelope=shown)
    facts = shown.data
    sys.stderr.write(page_text(decision_page(facts)))
    arguments: dict[str, object] = {
        "request_id": facts.request.request_id,
        "verdict": verdict,
        "gate_digest": facts.request.gate_digest,
        "reason": reason,
        "break_glass": break_glass,
    }
    if not session.signs:
        return Ended(envelope=await session.call("decide", arguments))
    refusal = undecidable(facts)
    if refusal is not None:
        return Ended(envelope=failed((refusal,)))
    if verdict == "approve" and facts.unfit is not None and not break_glass:
        return Ended(envelope=failed((unfit(facts),)))
    if break_glass:
        tell_of_emergency(facts)
    if verdict == "approve":
        arguments["confirmation"] = ask_name(facts)
    key = await human_key(session)
    envelope = await session.call("decide", arguments, signer=key.signer())
    return Ended(envelope=envelope)


def unfit(facts: DecisionFacts) -> Diagnostic:
    """Returns why the caller's approval would not count, so that nobody signs in vain."""
    assert facts.unfit is not None
    remedy = "Somebody whom the rules name approves it: agentctl identity list"
    return error("approver_unfit", facts.request.statement.resource, facts.unfit, remedy=remedy)
