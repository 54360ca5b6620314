"""`agentctl backup`."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.group(
    "backup",
    epilog=example(
        "agentctl backup create --to /mnt/backups/supply",
        "agentctl backup restore 01J9ZC4R3QWE5T6Y7U8I9O0P1A --from /mnt/backups/supply",
    ),
)
@shared
def command(**_: object) -> None:
    """Copies of the storage root in another place: definitions, data, approvals, audit."""


@command.command("create", epilog=example("agentctl backup create --to s3://backups/supply"))
@click.option("--to", "place", required=True, metavar="PLACE", help="A folder or s3:// URI.")
@shared
def create(place: str, **_: object) -> None:
    """Copy the storage root as it is at one point; what is there already is not copied again.

    Applies wait meanwhile, loads do not.
    """
    from agentctl.faces.cli.session import run_command

    async def main(session: "Session") -> "Ended":
        from agentctl.faces.cli.progress import teller
        from agentctl.faces.cli.session import ended_with

        envelope = await session.call("backup_create", {"place": place}, notify=teller())
        return ended_with(envelope)

    run_command(main)


@command.command("list", epilog=example("agentctl backup list --from /mnt/backups/supply"))
@click.option("--from", "place", required=True, metavar="PLACE", help="A folder or s3:// URI.")
@shared
def list_(place: str, **_: object) -> None:
    """List the backups of a place, newest first."""
    from agentctl.faces.cli.session import run_operation

    run_operation("backup_list", {"place": place}, show=_text)


@command.command("verify", epilog=example("agentctl backup verify --from /mnt/backups/supply"))
@click.argument("backup_id", required=False, metavar="[ID]")
@click.option("--from", "place", required=True, metavar="PLACE", help="A folder or s3:// URI.")
@shared
def verify(backup_id: str | None, place: str, **_: object) -> None:
    """Read all of a backup again, the newest one without ID, and prove its chains."""
    from agentctl.faces.cli.session import run_operation

    run_operation("backup_verify", {"backup_id": backup_id, "place": place})


@command.command(
    "restore",
    epilog=example("agentctl backup restore 01J9ZC4R3QWE5T6Y7U8I9O0P1A --from /mnt/backups/supply"),
)
@click.argument("backup_id", metavar="ID")
@click.option("--from", "place", required=True, metavar="PLACE", help="A folder or s3:// URI.")
@click.option("-m", "--intent", default=None, metavar="TEXT", help="Why; kept in the op.")
@shared
@click.pass_context
def restore(
    context: click.Context, /, backup_id: str, place: str, intent: str | None, **_: object
) -> None:
    """Make a new cluster of a backup, in the empty storage root that cluster.yaml names.

    A human of the old cluster signs for it. It has an id of its own, so approvals do not carry over,
    and the folder is bound to it.
    """
    import anyio

    from agentctl.faces.cli.compose import read_passphrase_from_terminal
    from agentctl.faces.cli.session import Ended, composition_of, finish, internal_error
    from agentctl_tools.envelopes import failed
    from agentctl_tools.failures import diagnostics_of
    from agentctl_tools.restoring import Hands
    from agentctl_tools.restoring import restore as restore_backup

    settings, composition = settings_of(context), composition_of(context)

    def signer(key: str) -> Any:  # noqa: ANN401  # a Signer, which a face knows by its door only
        path = composition.public_keys().get(key)
        if path is None:
            return composition.agent_signer(key)
        return composition.signer(path, read_passphrase_from_terminal)

    async def run() -> Any:  # noqa: ANN401  # an Envelope
        hands = Hands(
            make_store=composition.make_store,
            open_cluster=composition.open,
            keys=composition.key_texts(),
            signer=signer,
            world=composition.world,
        )
        why = intent if intent is not None else f"restore backup {backup_id}"
        try:
            return await restore_backup(settings.config, place, backup_id, intent=why, hands=hands)
        finally:
            await composition.aclose()

    try:
        envelope = anyio.run(run)
    except Exception as failure:  # noqa: BLE001  # the outermost loop
        envelope = failed(diagnostics_of(failure) or (internal_error(failure),))
    finish(Ended(envelope=envelope), settings)


def _text(data: Any) -> str:  # noqa: ANN401  # a BackupList, which is the engine's
    from agentctl.views.decision import safe

    lines = []
    for backup in data.backups:
        size = f"{backup.size_bytes:,} bytes"
        lines.append(f"{backup.backup_id}  {backup.made_at}  {safe(backup.name)}")
        lines.append(f"  ledger object {backup.ledger_seq}, {backup.object_count} objects, {size}")
    return "\n".join(lines)
