"""`agentctl refresh`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.views.shapes import StatusShown


@click.command("refresh", epilog=example("agentctl refresh", "agentctl refresh --json"))
@intent_option
@shared
def command(intent: str | None, **_: object) -> None:
    """Observe the live graphs and the catalog, and record what was seen."""
    from agentctl.faces.cli.session import run_operation

    run_operation(
        "refresh", {"intent": intent if intent is not None else "refresh the cluster"}, show=_text
    )


def _text(data: "StatusShown") -> str:
    from agentctl.views.status_text import status_text

    return status_text(data)
