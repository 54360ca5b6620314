"""`agentctl validate`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl.views.shapes import ValidateShown


@click.command(
    "validate",
    epilog=example(
        "agentctl validate --config supply",
        "agentctl validate --json",
        "agentctl validate --compat omnigraph-0.10",
    ),
)
@click.option("--draft", metavar="ID", help="Check a draft instead of the folder.")
@click.option(
    "--compat",
    type=click.Choice(["omnigraph-0.10"]),
    help="Also refuse what that program would not take.",
)
@shared
def command(draft: str | None, compat: str | None, **_: object) -> None:
    """Check the folder, or a draft, and list every mistake with place and remedy."""
    from agentctl.faces.cli.session import run_operation

    run_operation("validate", {"in": draft or "cluster", "compat": compat}, show=_text)


def _text(data: "ValidateShown") -> str:
    from agentctl.views.validate_text import validate_text

    return validate_text(data)
