"""`agentctl refresh`."""

import click

from agentctl.faces.cli.options import example, intent_option, shared


@click.command("refresh", epilog=example("agentctl refresh", "agentctl refresh --json"))
@intent_option
@shared
def command(intent: str | None, **_: object) -> None:
    """Observe the live graphs and the catalog, and record what was seen."""
    from agentctl.faces.cli.session import run_operation

    run_operation("refresh", {"intent": intent if intent is not None else "refresh the cluster"})
