"""`agentctl tui`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command("tui", epilog=example("agentctl tui", "agentctl tui 01JD0A2B3C4D5E6F7G8H9J0K1M"))
@click.argument("request", metavar="[REQUEST]", required=False)
@shared
def command(request: str | None, **_: object) -> None:
    """Open the terminal: what waits for a human, and the page on which it is decided."""
    from agentctl.faces.cli.session import run_command

    async def main(session: "Session") -> "Ended":
        return await _open(session, request)

    run_command(main, via="tui")


async def _open(session: "Session", request: str | None) -> "Ended":
    from agentctl.faces.cli.door_feed import DoorFeed
    from agentctl.faces.cli.elsewhere import RemoteSession
    from agentctl.faces.cli.human_key import human_key
    from agentctl.faces.cli.remote_feed import RemoteFeed
    from agentctl.faces.cli.sandbox_feed import SandboxDoorFeed
    from agentctl.faces.cli.session import Ended
    from agentctl.faces.cli.streams import at_a_terminal
    from agentctl_tools.envelopes import done, refused
    from agentctl_tui.app import run

    if not at_a_terminal():
        told = refused(
            "no_terminal",
            "tui",
            "the screen needs a terminal on stdin and stdout",
            remedy="agentctl approvals list",
        )
        return Ended(envelope=told)
    if isinstance(session, RemoteSession):
        boxes = SandboxDoorFeed(session)
        await run(RemoteFeed(session), sandboxes=boxes, request_id=request)
        return Ended(envelope=done("Left the terminal."))
    key = await human_key(session)
    feed = DoorFeed(session, make_signer=key.signer, locked=key.locked)
    await run(feed, sandboxes=SandboxDoorFeed(session), request_id=request)
    return Ended(envelope=done("Left the terminal."))
