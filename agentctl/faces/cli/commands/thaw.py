"""`agentctl thaw`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command("thaw", epilog=example("agentctl thaw -m 'the rows were mended'"))
@click.argument("named", metavar="[ID|SCOPE]", required=False)
@intent_option
@shared
def command(named: str | None, intent: str | None, **_: object) -> None:
    """End a freeze, signed with your key. Without a name: the only one there is."""
    from agentctl.faces.cli.session import run_command

    async def main(session: "Session") -> "Ended":
        return await _thaw(session, named, intent)

    run_command(main)


async def _thaw(session: "Session", named: str | None, intent: str | None) -> "Ended":
    from agentctl.faces.cli.human_key import human_key
    from agentctl.faces.cli.session import Ended
    from agentctl.faces.cli.terminal import ask_line
    from agentctl.views.state_text import freezes_text
    from agentctl_tools.envelopes import failed

    listed = await session.call("freezes", {})
    data: Any = listed.data
    if not listed.ok:
        return Ended(envelope=listed)
    chosen = [f for f in data.freezes if named in {None, f.id, f.scope}]
    if len(chosen) != 1:
        return Ended(envelope=failed((_not_one(named, [f.id for f in chosen]),)))
    (freeze,) = chosen
    arguments: dict[str, object] = {
        "freeze": freeze.id,
        "reason": intent or f"thaw {freeze.scope}",
    }
    signer = None
    if session.signs:
        sys.stderr.write(freezes_text((freeze,)))
        name = freeze.scope.removeprefix("graph.")
        question = f"Type {name} to let commits go on, anything else to leave it: "
        arguments["confirmation"] = ask_line(question)
        signer = (await human_key(session)).signer()
    envelope = await session.call("thaw", arguments, signer=signer)
    text = "Thawed." if envelope.ok else ""
    return Ended(envelope=envelope, text=text)


def _not_one(named: str | None, ids: list[str]) -> Any:  # noqa: ANN401  # a Diagnostic
    from agentctl.diagnostics.diagnostic import error

    if not ids:
        message = "nothing of that name is frozen" if named else "nothing is frozen"
        remedy = "agentctl freeze --list"
        return error("freeze_not_found", named or "cluster", message, remedy=remedy)
    remedy = "\n".join(f"agentctl thaw {freeze_id}" for freeze_id in ids)
    message = f"{len(ids)} freezes hold; each is thawed by its id"
    return error("freeze_not_found", named or "cluster", message, remedy=remedy)
