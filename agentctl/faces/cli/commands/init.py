"""`agentctl init`: local, because there is no cluster yet that it could be an operation of."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from agentctl.faces.cli.options import Settings, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.compose import Composition
    from agentctl_tools.founding import Founded


@click.command("init", epilog=example("agentctl init supply", "agentctl init --no-passphrase"))
@click.argument("folder", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--no-passphrase", is_flag=True, help="Make a key that `doctor` complains of.")
@shared
@click.pass_context
def command(
    context: click.Context, /, folder: Path | None, *, no_passphrase: bool, **_: object
) -> None:
    """Make a cluster: an example that validates, your key and an agent's, the ledger's first object.

    In a folder with a cluster.yaml only lines of .gitignore are added. Running it again changes
    nothing.
    """
    from agentctl.faces.cli.session import composition_of

    settings = settings_of(context)
    where = folder if folder is not None else settings.config
    _init(composition_of(context), where, settings, no_passphrase=no_passphrase)


def _init(
    composition: "Composition", folder: Path, settings: Settings, *, no_passphrase: bool
) -> NoReturn:
    import anyio

    from agentctl.faces.cli.compose import has_controlling_terminal, read_passphrase_from_terminal
    from agentctl.faces.cli.session import Ended, finish, internal_error
    from agentctl.faces.cli.terminal import ask_new_passphrase
    from agentctl_tools.envelopes import answer, failed
    from agentctl_tools.failures import diagnostics_of
    from agentctl_tools.founding import found

    ask = ask_new_passphrase if has_controlling_terminal() else None

    async def run() -> "Founded":
        try:
            return await found(
                folder,
                open_cluster=composition.open,
                keys=composition.keys,
                new_passphrase=(lambda: b"") if no_passphrase else ask,
                unlock=read_passphrase_from_terminal,
            )
        finally:
            await composition.aclose()

    settings = settings._replace(config=folder)
    try:
        founded = anyio.run(run)
    except Exception as failure:  # noqa: BLE001  # the outermost loop
        known = diagnostics_of(failure) or (internal_error(failure),)
        finish(Ended(envelope=failed(known)), settings)
    told = "There is a cluster." if founded.ok else "There is no whole cluster yet."
    finish(Ended(envelope=answer(founded, told), text=_text(founded)), settings)


def _text(founded: "Founded") -> str:
    lines = [f"wrote {path}" for path in founded.written]
    identity = founded.identity
    if identity is not None:
        if identity.human is not None:
            lines.append(f"human {identity.human}, key {identity.human_key or 'elsewhere'}")
        if identity.agent is not None:
            lines.append(f"agent {identity.agent}")
        if identity.recovery_code is not None:
            lines += [
                "",
                "Recovery code, shown once and stored nowhere; write it down:",
                f"  {identity.recovery_code}",
                "",
            ]
    if founded.revision is not None:
        lines.append(f"ledger at revision {founded.revision}")
    return "\n".join(lines)
