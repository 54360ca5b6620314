"""`agentctl ops`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.ops import OpList, OpShown


@click.group("ops", epilog=example("agentctl ops list", "agentctl ops show 5pqr7abc:0198…"))
@shared
def command(**_: object) -> None:
    """The changes that were made: who, why, and what came of them."""


@command.command("list", epilog=example("agentctl ops list --limit 5 --json"))
@click.option("--limit", metavar="N", type=int, default=20, help="How many; newest first.")
@shared
def list_ops(limit: int, **_: object) -> None:
    """List ops, newest first."""
    from agentctl.faces.cli.session import run_operation

    run_operation("ops", {"limit": limit}, show=_log)


@command.command("log", epilog=example("agentctl ops log"))
@click.option("--limit", metavar="N", type=int, default=20, help="How many; newest first.")
@shared
def log(limit: int, **_: object) -> None:
    """Draw the ops with their lineage, newest first."""
    from agentctl.faces.cli.session import run_operation

    run_operation("ops", {"limit": limit}, show=_log)


@command.command("show", epilog=example("agentctl ops show 5pqr7abc:01981d2e-…"))
@click.argument("op", metavar="OP")
@shared
def show(op: str, **_: object) -> None:
    """Show one op and where it comes from."""
    from agentctl.faces.cli.session import run_operation

    run_operation("ops", {"id": op}, show=_one)


def _log(data: "OpList") -> str:
    from agentctl.views.ops_log import ops_log

    return ops_log(data.ops)


def _one(data: "OpShown") -> str:
    from agentctl.views.ops_log import ops_log

    return ops_log((data.op, *data.lineage))
