"""`agentctl validate`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl.views.shapes import ValidateShown


@click.command(
    "validate", epilog=example("agentctl validate --config supply", "agentctl validate --json")
)
@click.option("--draft", metavar="ID", help="Check a draft instead of the folder.")
@shared
def command(draft: str | None, **_: object) -> None:
    """Check the folder, or a draft, and list every mistake with place and remedy."""
    from agentctl.faces.cli.session import run_operation

    run_operation("validate", {"in": draft or "cluster"}, show=_text)


def _text(data: "ValidateShown") -> str:
    from agentctl.views.validate_text import validate_text

    return validate_text(data)
