"""`agentctl deps`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, in_option, place, shared

if TYPE_CHECKING:
    from agentctl.views.deps import DependencyGraph


@click.command(
    "deps",
    epilog=example(
        "agentctl deps",
        "agentctl deps query.supply.impact",
        "agentctl deps graph.supply --reverse",
        "agentctl deps --dot > cluster.dot",
    ),
)
@click.argument("address", required=False)
@click.option("--reverse", is_flag=True, help="Show what needs it, not what it needs.")
@click.option("--dot", is_flag=True, help="Print a graph in the DOT language.")
@click.option("--draft", metavar="ID", help="Look at a draft instead of the folder.")
@in_option
@shared
def command(  # click passes each option
    address: str | None,
    *,
    reverse: bool,
    dot: bool,
    draft: str | None,
    within: str | None,
    **_: object,
) -> None:
    """Show what each declared resource needs, as trees or as a graph for Graphviz."""
    from agentctl.faces.cli.session import run_operation

    arguments = {"address": address, "reverse": reverse, "in": place(within, draft)}
    run_operation("deps", arguments, show=_dot if dot else _text)


def _text(data: "DependencyGraph") -> str:
    from agentctl.views.deps import deps_text

    return deps_text(data)


def _dot(data: "DependencyGraph") -> str:
    from agentctl.views.deps import deps_dot

    return deps_dot(data)
