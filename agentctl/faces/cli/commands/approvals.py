"""`agentctl approvals`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.domain.approval.facts import DecisionFacts
    from agentctl_tools.approval_review import EmergencyList
    from agentctl_tools.approvals_list import RequestList
    from agentctl_tools.request_approval import Asked


@click.group(
    "approvals", epilog=example("agentctl approvals list", "agentctl approvals show graph.modules")
)
@shared
def command(**_: object) -> None:
    """What waits for a human, and how decisions travel."""


@command.command("list", epilog=example("agentctl approvals list --all --json"))
@click.option("--all", "every", is_flag=True, help="Also the decided and expired ones.")
@shared
def list_requests(every: bool, **_: object) -> None:  # noqa: FBT001  # a flag
    """List the requests that wait."""
    from agentctl.faces.cli.session import run_operation

    run_operation("approvals", {"show": "all" if every else "open"}, show=_list)


@command.command("show", epilog=example("agentctl approvals show 01J9ZC4R3QWE5T6Y7U8I9O0P1A"))
@click.argument("named", metavar="ID|RESOURCE")
@shared
def show(named: str, **_: object) -> None:
    """Show the facts of one request, measured now."""
    _of_one(named, "approval_show", show=_page)


@command.command(
    "export", epilog=example("agentctl approvals export 01J9ZC4R3QWE5T6Y7U8I9O0P1A > request.json")
)
@click.argument("named", metavar="ID|RESOURCE")
@shared
def export(named: str, **_: object) -> None:
    """Print one request as a file, to be decided with `approve FILE` where the cluster is not."""
    _of_one(named, "approval_export", show=_json)


@command.command("submit", epilog=example("agentctl approvals submit request.decision.json"))
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@shared
def submit(file: Path, **_: object) -> None:
    """Hand in a decision that was signed elsewhere; it is verified like any other."""
    from agentctl.faces.cli.session import run_operation

    text = file.read_text(encoding="utf-8", errors="replace")
    run_operation("submit_decision", {"decision": text, "intent": f"submit {file.name}"})


@command.command(
    "request", epilog=example("agentctl approvals request graph.modules -m 'nobody reads it'")
)
@click.argument("resource", metavar="RESOURCE")
@click.option("--draft", metavar="ID", help="Where the change is; default: the folder.")
@click.option("--to", "seq", metavar="SEQ", type=int, help="Of a rollback to that ledger object.")
@click.option("--in", "within", metavar="TARGET", help="As a plan names it: of a rollback of data.")
@intent_option
@shared
def request(
    resource: str,
    draft: str | None,
    seq: int | None,
    within: str | None,
    intent: str | None,
    **_: object,
) -> None:
    """Ask a human to decide a gate of the plan. Asking is no consent."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"request {resource}"
    target = f"revision:{seq}" if seq is not None else within or draft or "cluster"
    arguments = {"gate": resource, "intent": why, "in": target}
    run_operation("request_approval", arguments, show=_asked)


@command.command(
    "review",
    epilog=example(
        "agentctl approvals review",
        "agentctl approvals review 01J9ZC4R3QWE5T6Y7U8I9O0P1A --reason 'the disk was full'",
    ),
)
@click.argument("approval_id", required=False, metavar="[APPROVAL]")
@click.option("--reason", metavar="TEXT", help="What you found; kept in the record.")
@click.option("--unjustified", is_flag=True, help="It should not have been decided alone.")
@shared
def review(
    approval_id: str | None,
    reason: str | None,
    unjustified: bool,  # noqa: FBT001  # a flag
    **_: object,
) -> None:
    """List the decisions that somebody made alone, or close the review of one that was not yours."""
    from agentctl.faces.cli.session import Ended, Session, ended_with, run_command, run_operation

    if approval_id is None:
        run_operation("emergencies", {}, show=_emergencies)
    if not (reason or "").strip():
        msg = "A review needs a --reason: what you found."
        raise click.UsageError(msg)
    arguments = {
        "approval_id": approval_id,
        "finding": "unjustified" if unjustified else "justified",
        "reason": reason,
    }

    async def main(session: Session) -> Ended:
        from agentctl.faces.cli.human_key import human_key

        signer = (await human_key(session)).signer() if session.signs else None
        return ended_with(await session.call("approval_review", arguments, signer=signer))

    run_command(main)


def _of_one(named: str, operation: str, *, show: Any) -> None:  # noqa: ANN401  # renders the data
    from agentctl.faces.cli.deciding import request_named
    from agentctl.faces.cli.session import Ended, Session, ended_with, run_command

    async def main(session: Session) -> Ended:
        request_id = await request_named(session, named, intent=None)
        if not isinstance(request_id, str):
            return Ended(envelope=request_id)
        return ended_with(await session.call(operation, {"id": request_id}), show=show)

    run_command(main)


def _list(data: "RequestList") -> str:
    from agentctl.views.decision import safe

    lines: list[str] = []
    for one in data.requests:
        statement = one.statement
        behalf = f" for {safe(one.on_behalf_of)}" if one.on_behalf_of else ""
        lines.append(f"{one.request_id}  {statement.operation} {safe(statement.resource)}")
        lines.append(f"  asked by {safe(one.requester)}{behalf}, until {one.expires_at}")
        lines.append(f"  {safe(one.requester)} says, unverified: {safe(one.intent, 120)}")
    return "\n".join(lines)


def _emergencies(data: "EmergencyList") -> str:
    from agentctl.views.decision import safe

    lines: list[str] = []
    for one in data.emergencies:
        artifact, review = one.artifact, one.review
        used = "used" if one.used else "not used"
        lines.append(f"{artifact.approval_id}  {artifact.operation} {safe(artifact.resource)}")
        lines.append(f"  {safe(artifact.approver)} alone at {artifact.decided_at}, {used}")
        lines.append(f"  said: {safe(artifact.reason or '', 200)}")
        if review is None:
            lines.append("  review: open")
        else:
            lines.append(f"  review: {review.finding}, {safe(review.reviewer)}")
            lines.append(f"  found: {safe(review.reason, 200)}")
    return "\n".join(lines)


def _page(data: "DecisionFacts") -> str:
    from agentctl.views.decision import decision_page, page_text

    return page_text(decision_page(data))


def _asked(data: "Asked") -> str:
    return f"{data.request_id}\n{data.tell_your_human}"


def _json(data: object) -> str:
    from agentctl.faces.cli.printing import json_text

    return json_text(data)
