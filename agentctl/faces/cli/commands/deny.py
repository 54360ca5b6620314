"""`agentctl deny`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "deny", epilog=example("agentctl deny 01J9ZC4R3QWE5T6Y7U8I9O0P1A --reason 'wrong graph'")
)
@click.argument("named", metavar="ID|RESOURCE|FILE")
@click.option("--reason", metavar="TEXT", help="The asker reads it.")
@click.option("--changes", is_flag=True, help="Send it back for changes instead; needs a reason.")
@shared
@click.pass_context
def command(
    context: click.Context,
    /,
    named: str,
    reason: str | None,
    changes: bool,  # noqa: FBT001  # a flag
    **_: object,
) -> None:
    """Refuse a request, signed with your key. One deny closes it."""
    from agentctl.faces.cli.session import run_command

    if changes and not (reason or "").strip():
        msg = "--changes needs a --reason: what should change."
        raise click.UsageError(msg)
    if named.endswith(".json") and Path(named).is_file():
        from agentctl.faces.cli.offline import run_offline

        run_offline(context, Path(named), "request_changes" if changes else "deny", reason)

    async def main(session: "Session") -> "Ended":
        from agentctl.faces.cli.deciding import decide, request_named
        from agentctl.faces.cli.session import Ended

        request_id = await request_named(session, named, intent=None)
        if not isinstance(request_id, str):
            return Ended(envelope=request_id)
        return await decide(session, request_id, "request_changes" if changes else "deny", reason)

    run_command(main)
