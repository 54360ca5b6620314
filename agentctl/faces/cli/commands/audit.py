"""`agentctl audit`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session
    from agentctl_tools.audit import AuditExport


@click.group(
    "audit",
    epilog=example(
        "agentctl audit verify", "agentctl audit anchor", "agentctl audit export > audit.jsonl"
    ),
)
@shared
def command(**_: object) -> None:
    """The chain of everything that was asked of the cluster, allowed and denied."""


@command.command(
    "verify",
    epilog=example(
        "agentctl audit verify",
        "agentctl audit verify audit.jsonl",
        "agentctl audit verify --anchors git --anchors anchors.jsonl",
    ),
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--anchors",
    multiple=True,
    metavar="WHERE",
    help="Anchors kept elsewhere: git (tags and notes of the folder's repository), a file, a URL.",
)
@shared
@click.pass_context
def verify(
    context: click.Context, /, file: str | None, anchors: tuple[str, ...], **_: object
) -> None:
    """Prove that the chain, or an export of it, is whole, and up to which record what proves it.

    The ledger and each human's signed decision prove it as far as they are kept; an anchor proves it
    against whoever can write the storage root. An export and its anchors can be proved anywhere,
    without the cluster.
    """
    from agentctl.faces.cli.options import settings_of
    from agentctl.faces.cli.session import run_operation

    settings = settings_of(context)
    if file is not None and not (settings.config / "cluster.yaml").exists():
        import anyio

        from agentctl.faces.cli.session import ended_with, finish
        from agentctl_tools.audit import verify_elsewhere

        finish(
            ended_with(anyio.run(verify_elsewhere, Path(file), anchors, settings.config)), settings
        )
    run_operation("audit_verify", {"file": file, "anchors": anchors})


@command.command(
    "anchor",
    epilog=example(
        "agentctl audit anchor",
        "agentctl audit anchor --file /mnt/worm/anchors.jsonl",
        "agentctl audit anchor --unsigned --url https://witness.example/agentctl",
    ),
)
@click.option("--git-tag", "place", flag_value="git-tag", default="git-tag", help="The default.")
@click.option(
    "--git-note", "place", flag_value="git-note", help="A note on the checked out commit."
)
@click.option("--file", "file", metavar="FILE", help="Append it to FILE.")
@click.option("--url", "url", metavar="URL", help="Send it by POST; `verify` reads it by GET.")
@click.option("--unsigned", is_flag=True, help="Do not sign it, so that nobody need be there.")
@shared
def anchor(place: str, *, file: str | None, url: str | None, unsigned: bool, **_: object) -> None:
    """Write down elsewhere what the chain is now, signed with your key where you are enrolled."""
    from agentctl.faces.cli.session import run_command

    if file is not None and url is not None:
        msg = "--file and --url exclude each other"
        raise click.UsageError(msg)

    async def main(session: "Session") -> "Ended":
        from agentctl.faces.cli.human_key import human_key
        from agentctl.faces.cli.session import ended_with

        key = None if unsigned else await human_key(session)
        envelope = await session.call(
            "audit_anchor",
            {"place": file or url or place},
            signer=key.signer() if key is not None else None,
        )
        return ended_with(envelope)

    run_command(main)


@command.command("export", epilog=example("agentctl audit export > audit.jsonl"))
@shared
def export(**_: object) -> None:
    """Print every record, its exact bytes on a line of its own.

    On a terminal characters that would act on it are escaped; the exact bytes need a file.
    """
    from agentctl.faces.cli.session import run_operation

    run_operation("audit_export", {}, show=_lines, raw=lambda data: {"records": data.records})


def _lines(data: "AuditExport") -> str:
    from agentctl.foreign import show_json

    return show_json(data.lines) if sys.stdout.isatty() else data.lines
