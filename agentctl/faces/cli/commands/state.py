"""`agentctl state`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl.domain.ledger.differences import StateDiff
    from agentctl.domain.ledger.summaries import Listed, RevisionShown

SEQ = click.IntRange(min=1)


@click.group("state", epilog=example("agentctl state list", "agentctl state diff 3 4"))
@shared
def command(**_: object) -> None:
    """What the ledger has recorded, object by object."""


@command.command("list", epilog=example("agentctl state list --limit 5 --json"))
@click.option("--limit", metavar="N", type=click.IntRange(1, 200), default=20, help="How many.")
@click.option("--before", metavar="SEQ", type=SEQ, help="Only those below this number.")
@shared
def list_state(limit: int, before: int | None, **_: object) -> None:
    """List the ledger's objects, newest first."""
    from agentctl.faces.cli.session import run_operation

    run_operation("state_list", {"limit": limit, "before": before}, show=_list)


@command.command("show", epilog=example("agentctl state show 4"))
@click.argument("seq", metavar="[SEQ]", type=SEQ, required=False)
@shared
def show(seq: int | None, **_: object) -> None:
    """Show one object, the newest where none is named."""
    from agentctl.faces.cli.session import run_operation

    run_operation("state_show", {"seq": seq}, show=_show)


@command.command("diff", epilog=example("agentctl state diff 3 4", "agentctl state diff 3"))
@click.argument("a", metavar="A", type=SEQ)
@click.argument("b", metavar="[B]", type=SEQ, required=False)
@shared
def diff(a: int, b: int | None, **_: object) -> None:
    """Show what differs between object A and object B, the newest where B is not named."""
    from agentctl.faces.cli.session import run_operation

    run_operation("state_diff", {"a": a, "b": b}, show=_diff)


@command.command("collect", epilog=example("agentctl state collect --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only say what may go.")
@shared
def collect(dry_run: bool, **_: object) -> None:  # noqa: FBT001  # a flag
    """Remove ledger objects beyond the newest hundred, ended leases and forgotten keys.

    Commands that write do the same now and then by themselves.
    """
    from agentctl.faces.cli.session import run_operation

    run_operation("state_collect", {"dry_run": dry_run})


def _list(data: "Listed") -> str:
    from agentctl.views.state_text import revisions_text

    return revisions_text(data.revisions, total=data.total)


def _show(data: "RevisionShown") -> str:
    from agentctl.views.state_text import revision_text

    return revision_text(data)


def _diff(data: "StateDiff") -> str:
    from agentctl.views.state_text import diff_text

    return diff_text(data)
