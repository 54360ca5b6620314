"""What a person is told and asked before a decision is signed, here or for a cluster elsewhere."""

import sys

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.facts import DecisionFacts
from agentctl.domain.approval.typed_name import name_to_type
from agentctl.faces.cli.terminal import ask_line
from agentctl.views.decision import safe


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
    name = name_to_type(facts.request.statement.resource)
    return ask_line(f"Type {safe(name)} to approve, anything else to leave it: ")
