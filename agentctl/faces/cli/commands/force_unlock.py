"""`agentctl force-unlock`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "force-unlock", epilog=example("agentctl force-unlock 01J9ZC4R3QWE5T6Y7U8I9O0P1A -m 'it hung'")
)
@click.argument("lock_id", metavar="LOCK_ID")
@intent_option
@shared
def command(lock_id: str, intent: str | None, **_: object) -> None:
    """Remove a lease by its exact id; see `agentctl locks`. Its holder writes nothing more.

    A holder that still shows life may be writing: ending its lease is signed with your key.
    """
    from agentctl.faces.cli.session import run_command

    arguments: dict[str, object] = {
        "lock_id": lock_id,
        "intent": intent or f"force-unlock {lock_id}",
    }

    async def main(session: "Session") -> "Ended":
        return await _unlock(session, arguments)

    run_command(main)


async def _unlock(session: "Session", arguments: dict[str, object]) -> "Ended":
    from agentctl.faces.cli.human_key import human_key
    from agentctl.faces.cli.session import Ended
    from agentctl.faces.cli.terminal import ask_line
    from agentctl.views.wording import safe

    envelope = await session.call("force_unlock", arguments)
    signs = any(d.code == "approval_required" for d in envelope.diagnostics)
    if envelope.ok or not signs or not session.signs:
        return Ended(envelope=envelope)
    listed = await session.call("locks", {})
    data: Any = listed.data
    lock = next((k for k in data.locks if k.lock_id == arguments["lock_id"]), None)
    if lock is None:
        return Ended(envelope=envelope)
    sys.stderr.write(
        f"{safe(lock.operation)} by {safe(lock.principal)} on {safe(lock.host)}, process"
        f" {lock.pid}, holds {safe(lock.resource)} and showed life at"
        f" {lock.last_beat_at or lock.created_at}. What it is writing now may be left half done.\n"
    )
    name = lock.resource.removeprefix("graph.")
    typed = ask_line(f"Type {safe(name)} to end its lease all the same: ")
    key = await human_key(session)
    signed = await session.call(
        "force_unlock", arguments | {"confirmation": typed}, signer=key.signer()
    )
    return Ended(envelope=signed)
