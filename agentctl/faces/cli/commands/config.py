"""`agentctl config`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.config_kept import ConfigDiff, ConfigRestored, KeptConfig

SEQ = click.IntRange(min=1)


@click.group("config", epilog=example("agentctl config show 4", "agentctl config diff 3"))
@shared
def command(**_: object) -> None:
    """The configuration that was applied, revision by revision, as the catalog keeps it."""


@command.command(
    "show", epilog=example("agentctl config show", "agentctl config show 4 --file cluster.yaml")
)
@click.argument("seq", metavar="[SEQ]", type=SEQ, required=False)
@click.option("--file", "path", metavar="PATH", help="Print this file of it.")
@shared
def show(seq: int | None, path: str | None, **_: object) -> None:
    """List the files that ledger object SEQ was applied from; the newest where none is named."""
    from agentctl.faces.cli.session import run_operation

    run_operation("config_show", {"seq": seq, "path": path}, show=_show)


@command.command("diff", epilog=example("agentctl config diff 3 4", "agentctl config diff 3"))
@click.argument("a", metavar="A", type=SEQ)
@click.argument("b", metavar="[B]", type=SEQ, required=False)
@shared
def diff(a: int, b: int | None, **_: object) -> None:
    """Show what differs from the source of A to that of B, or to the folder where B is not named."""
    from agentctl.faces.cli.session import run_operation

    run_operation("config_diff", {"a": a, "b": b}, show=_diff)


@command.command("restore", epilog=example("agentctl config restore 3"))
@click.argument("seq", metavar="SEQ", type=SEQ)
@shared
def restore(seq: int, **_: object) -> None:
    """Open a draft that holds the source of ledger object SEQ; the folder stays as it is.

    To go back at once, data included where that is possible: agentctl rollback --to SEQ.
    """
    from agentctl.faces.cli.session import run_operation

    run_operation("config_restore", {"seq": seq}, show=_restored)


def _show(data: "KeptConfig") -> str:
    from agentctl.views.config_text import kept_text

    return kept_text(data)


def _diff(data: "ConfigDiff") -> str:
    from agentctl.views.config_text import diff_text

    return diff_text(data)


def _restored(data: "ConfigRestored") -> str:
    from agentctl.views.config_text import restored_text

    return restored_text(data)
