"""`agentctl import`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, intent_option, shared, wait_option

if TYPE_CHECKING:
    from agentctl.views.shapes import StatusShown


@click.command("import", epilog=example("agentctl import --config supply"))
@intent_option
@wait_option
@shared
def command(intent: str | None, wait_s: float, **_: object) -> None:
    """Make the first revision of a ledger, from the graphs that are there."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else "import the cluster"
    run_operation("import", {"intent": why, "wait_s": wait_s}, show=_text)


def _text(data: "StatusShown") -> str:
    from agentctl.views.status_text import status_text

    return status_text(data)
