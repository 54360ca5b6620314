"""`agentctl validate`."""

import click

from agentctl.faces.cli.options import example, shared


@click.command(
    "validate", epilog=example("agentctl validate --config supply", "agentctl validate --json")
)
@click.option("--draft", metavar="ID", help="Check a draft instead of the folder.")
@shared
def command(draft: str | None, **_: object) -> None:
    """Check the folder, or a draft, and list every mistake with place and remedy."""
    from agentctl.faces.cli.session import run_operation

    run_operation("validate", {"in": draft or "cluster"})
