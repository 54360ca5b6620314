"""How a person decides on the command line: the facts, the typed name, the key, the door."""

import sys
from typing import Any

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.records import Verdict
from agentctl.faces.cli.human_key import human_key
from agentctl.faces.cli.session import Ended, Session
from agentctl.faces.cli.terminal import ask_line
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


def undecidable(facts: DecisionFacts) -> Diagnostic | None:
    """Returns why there is nothing to ask a person; None where the request waits and is itself."""
    request_id = facts.request.request_id
    if any(not check.ok and check.what == "statement" for check in facts.checks):
        return error(
            "invalid_approval_artifact",
            request_id,
            "the request's digest is not that of the statement it shows; nothing was signed",
            remedy="Tell the operator of the storage root.",
        )
    if facts.standing == "waiting":
        return None
    code = "approval_stale" if facts.standing == "stale" else "approval_closed"
    remedy = f"agentctl approvals request {facts.request.statement.resource}"
    return error(code, request_id, f"the request is {facts.standing}", remedy=remedy)


def unfit(facts: DecisionFacts) -> Diagnostic:
    """Returns why the caller's approval would not count, so that nobody signs in vain."""
    assert facts.unfit is not None
    remedy = "Somebody whom the rules name approves it: agentctl identity list"
    return error("approver_unfit", facts.request.statement.resource, facts.unfit, remedy=remedy)


def tell_of_emergency(facts: DecisionFacts) -> None:
    """Says what it means to decide alone, before anything is signed."""
    asked = facts.asked
    rules = ", ".join(safe(rule, 40) for rule in asked.rules) or "no rule"
    sys.stderr.write(
        f"EMERGENCY: you decide alone what {rules} asks {asked.count} for. Everyone is told, and a\n"
        "second human must close the review: agentctl approvals review\n"
    )


def ask_name(facts: DecisionFacts) -> str:
    """Asks for the resource's name on the controlling terminal.

    Raises:
        NoTerminalError: there is none.
    """
    name = facts.request.statement.resource.partition(".")[2]
    return ask_line(f"Type {safe(name)} to approve, anything else to leave it: ")
