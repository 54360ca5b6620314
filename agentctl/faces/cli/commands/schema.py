"""`agentctl schema`."""

import click

from agentctl.faces.cli.options import example, in_option, place, shared


@click.group("schema", epilog=example("agentctl schema show supply"))
@shared
def command(**_: object) -> None:
    """The schemas that graphs have; what the folder says is in its files."""


@command.command(
    "show",
    epilog=example(
        "agentctl schema show supply",
        "agentctl schema show supply --branch try",
        "agentctl schema show supply --at v1 > before.pg",
    ),
)
@click.argument("graph", metavar="GRAPH")
@click.option("--branch", metavar="BRANCH", default="main", help="Which branch; default: main.")
@click.option("--at", metavar="POINT", help="A commit, tag or time in place of the newest.")
@in_option
@shared
def show(graph: str, branch: str, at: str | None, within: str | None, **_: object) -> None:
    """Print the schema of a graph, as the .pg file that was applied."""
    from agentctl.faces.cli.graph_text import schema_text
    from agentctl.faces.cli.session import run_operation

    asked = {"in": place(within), "graph": graph, "branch": branch, "at": at}
    run_operation("schema_show", asked, show=schema_text)
