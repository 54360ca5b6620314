"""Deciding from a file, where the cluster is not: what is signed here is handed in there.

Nothing in the file is believed beyond what it shows: the gate digest is recomputed from the very
statement that the page is made of, and the cluster checks the decision against its own chain.
"""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.decision import decision_bytes, decision_statement, make_artifact
from agentctl.domain.approval.facts import Check
from agentctl.domain.approval.records import GATE_NAMESPACE, Verdict
from agentctl.domain.approval.typed_name import confirms
from agentctl.domain.plan.statement import gate_digest
from agentctl.domain.policy.principals import Principal
from agentctl.faces.cli.asking import ask_name, undecidable
from agentctl.faces.cli.compose import Composition
from agentctl.faces.cli.human_key import HumanKey
from agentctl.faces.cli.options import settings_of
from agentctl.faces.cli.session import Ended, composition_of, finish, internal_error
from agentctl.instants import format_instant
from agentctl.views.decision import decision_page, page_text
from agentctl_tools.approval_show import ExportedRequest
from agentctl_tools.envelopes import done, failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope

SUFFIX = ".decision.json"


def run_offline(
    context: click.Context, file: Path, verdict: Verdict, reason: str | None
) -> NoReturn:
    """Shows an exported request, signs the decision into a file beside it, and exits."""
    try:
        envelope = _decide(composition_of(context), file, verdict, reason)
    except Exception as failure:  # noqa: BLE001  # the outermost loop
        envelope = failed(diagnostics_of(failure) or (internal_error(failure),))
    finish(Ended(envelope=envelope), settings_of(context))


def _decide(composition: Composition, file: Path, verdict: Verdict, reason: str | None) -> Envelope:
    exported = read_exported(file)
    if isinstance(exported, Diagnostic):
        return failed((exported,))
    sys.stderr.write(page_text(decision_page(exported.facts)))
    refusal = undecidable(exported.facts)
    if refusal is not None:
        return failed((refusal,))
    request = exported.facts.request
    if verdict == "approve" and not confirms(ask_name(exported.facts), request.statement.resource):
        told = "what was typed is not the resource's name; nothing was signed"
        return failed((error("confirmation_mismatch", request.statement.resource, told),))
    found = _approver(composition, exported)
    if found is None:
        told = "none of your keys is that of a human who may decide this"
        return failed((error("human_key_missing", request.request_id, told),))
    approver, signer = found
    statement = decision_statement(
        request,
        decision=verdict,
        reason=reason,
        approver=approver.id,
        decided_at=max(format_instant(composition.world.now()), request.created_at),
        seen=exported.seen,
    )
    _, signature = signer.sign(decision_bytes(statement), GATE_NAMESPACE)
    artifact = make_artifact(request, statement, approver, signature)
    out = file.with_name(file.name.removesuffix(".json") + SUFFIX)
    out.write_bytes(canonical_bytes(artifact) + b"\n")
    return done(f"Signed into {out}. Hand it in: agentctl approvals submit {out}", data=artifact)


def read_exported(file: Path) -> ExportedRequest | Diagnostic:
    """Returns the request in *file*, its digest recomputed here."""
    try:
        exported = msgspec.json.decode(file.read_bytes(), type=ExportedRequest)
    except (OSError, msgspec.DecodeError) as fault:
        message = f"the file is no exported request: {fault}"
        remedy = "agentctl approvals export ID > FILE"
        return error("invalid_approval_artifact", str(file), message, remedy=remedy)
    request = exported.facts.request
    right = gate_digest(request.statement) == request.gate_digest
    checks = (
        Check(what="statement", ok=right, why="its digest is not the one that the request names"),
        Check(what="config", ok=False, why="not looked at: this is decided from a file"),
    )
    facts = msgspec.structs.replace(exported.facts, checks=checks)
    return msgspec.structs.replace(exported, facts=facts)


def _approver(composition: Composition, exported: ExportedRequest) -> tuple[Principal, Any] | None:
    """Returns the human whose key this user has, and what signs with it."""
    known = {human.key: human for human in exported.humans}
    for key in composition.key_texts():
        signer = HumanKey(composition, key).signer() if key in known else None
        if signer is not None:
            return known[key], signer
    return None
