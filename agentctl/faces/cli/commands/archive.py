"""`agentctl archive`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl_tools.archive import ArchiveStatus, RetentionRun


@click.group("archive", epilog=example("agentctl archive status", "agentctl archive run"))
@shared
def command(**_: object) -> None:
    """Copies of what ops leave, kept elsewhere and encrypted by restic or kopia.

    `ops.archive` in cluster.yaml says where. The password is in the environment, under the name
    that `ops.archive.password` refers to, else AGENTCTL_ARCHIVE_PASSWORD.
    """


@command.command("status", epilog=example("agentctl archive status --json"))
@shared
def status(**_: object) -> None:
    """Show what the archive holds, and which ops wait for it."""
    from agentctl.faces.cli.session import run_operation

    run_operation("archive_status", {}, show=_status)


@command.command("run", epilog=example("agentctl archive run"))
@intent_option
@shared
def run(intent: str | None, **_: object) -> None:
    """Archive the ops that wait; each apply and refresh tries too."""
    from agentctl.faces.cli.session import run_operation

    run_operation("archive_run", {"intent": intent or "archive run"})


@command.command("prune", epilog=example("agentctl archive prune --dry-run"))
@click.option("--dry-run", is_flag=True, help="Tell what would be forgotten, and forget nothing.")
@intent_option
@shared
def prune(dry_run: bool, intent: str | None, **_: object) -> None:  # noqa: FBT001
    """Forget snapshots that the applied retention does not keep; what is needed stays."""
    from agentctl.faces.cli.session import run_operation

    arguments = {"intent": intent or "archive prune", "dry_run": dry_run}
    run_operation("archive_prune", arguments, show=_pruned)


@command.command("fetch", epilog=example("agentctl archive fetch 5ff37692 restored"))
@click.argument("snapshot", metavar="SNAPSHOT")
@click.argument("into", metavar="DIR")
@shared
def fetch(snapshot: str, into: str, **_: object) -> None:
    """Write what a snapshot holds into a folder that is not there yet."""
    from agentctl.faces.cli.session import run_operation

    run_operation("archive_fetch", {"snapshot": snapshot, "into": into})


def _status(data: "ArchiveStatus") -> str:
    from agentctl.views.ops_archive import archive_text

    return archive_text(data.snapshots, data.pending, tool=data.tool)


def _pruned(data: "RetentionRun") -> str:
    from agentctl.views.ops_archive import pruned_text

    return pruned_text(data.forgotten, data.kept, data.pinned)
