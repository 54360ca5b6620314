"""`agentctl approve`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "approve",
    epilog=example(
        "agentctl approve 01J9ZC4R3QWE5T6Y7U8I9O0P1A",
        "agentctl approve graph.modules",
        "agentctl approve request.json",
        "agentctl approve graph.modules --break-glass --reason 'the disk is full'",
    ),
)
@click.argument("named", metavar="ID|RESOURCE|FILE")
@click.option("--reason", metavar="TEXT", help="Kept in the decision.")
@click.option(
    "--break-glass",
    is_flag=True,
    help="Decide alone, in an emergency: of the group breakglass, with a --reason.",
)
@click.option("--submit", is_flag=True, help="Hand in the signed decision in FILE.")
@intent_option
@shared
@click.pass_context
def command(
    context: click.Context, /, named: str, reason: str | None, intent: str | None, **flags: object
) -> None:
    """Look at a request, type the resource's name, and sign your consent with your key.

    A RESOURCE without an open request has one filed. A FILE is what `approvals export` wrote: its
    decision is signed here, without the cluster, into FILE.decision.json, and handed in with
    --submit, or by anybody.
    """
    from agentctl.faces.cli.session import run_command, run_operation

    break_glass = bool(flags["break_glass"])
    if break_glass and not (reason or "").strip():
        msg = "--break-glass needs a --reason: everyone is told."
        raise click.UsageError(msg)
    if flags["submit"]:
        text = _decision_in(named)
        run_operation("submit_decision", {"decision": text, "intent": intent or f"submit {named}"})
    if named.endswith(".json") and Path(named).is_file():
        from agentctl.faces.cli.offline import run_offline

        run_offline(context, Path(named), "approve", reason)

    async def main(session: "Session") -> "Ended":
        from agentctl.faces.cli.deciding import decide, request_named
        from agentctl.faces.cli.session import Ended

        why = intent if intent is not None else f"approve {named}"
        request_id = await request_named(session, named, intent=why)
        if not isinstance(request_id, str):
            return Ended(envelope=request_id)
        return await decide(session, request_id, "approve", reason, break_glass=break_glass)

    run_command(main)


def _decision_in(named: str) -> str:
    """Returns the text of a signed decision's file.

    Raises:
        click.UsageError: there is no such file.
    """
    path = Path(named)
    if not path.is_file():
        msg = f"--submit takes the file of a signed decision; there is none at {path}."
        raise click.UsageError(msg)
    return path.read_text(encoding="utf-8", errors="replace")
