"""`agentctl publication`."""

import click

from agentctl.faces.cli.options import example, shared


@click.group("publication", epilog=example("agentctl publication list"))
@shared
def command(**_: object) -> None:
    """What was published of sandboxes, and how far it came."""


@command.command("list", epilog=example("agentctl publication list --json"))
@shared
def list_publications(**_: object) -> None:
    """List the publications, newest first."""
    from agentctl.faces.cli.publication_text import publication_line
    from agentctl.faces.cli.session import run_operation

    run_operation(
        "publication_list",
        {},
        show=lambda found: "".join(publication_line(one) for one in found.publications),
    )


@command.command("show", epilog=example("agentctl publication show ID"))
@click.argument("publication", metavar="ID")
@shared
def show(publication: str, **_: object) -> None:
    """Show a publication as its remote has it now."""
    from agentctl.faces.cli.publication_text import publication_line
    from agentctl.faces.cli.session import run_operation

    run_operation(
        "publication_show",
        {"id": publication},
        show=lambda found: publication_line(found.publication),
    )
