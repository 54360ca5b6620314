"""`agentctl graph`."""

import click

from agentctl.faces.cli.commands.graph_care import cleanup, optimize, verify
from agentctl.faces.cli.commands.graph_export import export
from agentctl.faces.cli.commands.graph_history import changes, diff, tag
from agentctl.faces.cli.options import (
    example,
    in_option,
    intent_option,
    place,
    shared,
    wait_option,
)


@click.group("graph", epilog=example("agentctl graph list", "agentctl graph restore modules"))
@shared
def command(**_: object) -> None:
    """The graphs of the cluster, detached ones too."""


@command.command("list", epilog=example("agentctl graph list --json"))
@in_option
@shared
def list_graphs(within: str | None, **_: object) -> None:
    """List every graph: live, detached or purged."""
    from agentctl.faces.cli.graph_text import graphs_text
    from agentctl.faces.cli.session import run_operation

    run_operation("graph_list", {"in": place(within)}, show=graphs_text)


@command.command("show", epilog=example("agentctl graph show supply"))
@click.argument("graph", metavar="ID")
@in_option
@shared
def show(graph: str, within: str | None, **_: object) -> None:
    """Show one graph: its rows and its newest commits."""
    from agentctl.faces.cli.graph_text import graph_text
    from agentctl.faces.cli.session import run_operation

    run_operation("graph_show", {"in": place(within), "graph": graph}, show=graph_text)


@command.command("restore", epilog=example("agentctl graph restore modules"))
@click.argument("graph", metavar="ID")
@intent_option
@wait_option
@shared
def restore(graph: str, intent: str | None, wait_s: float, **_: object) -> None:
    """Bring a detached graph back, with its schema and its queries."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"restore graph {graph}"
    run_operation("graph_restore", {"graph": graph, "intent": why, "wait_s": wait_s})


@command.command("purge", epilog=example("agentctl graph purge modules"))
@click.argument("graph", metavar="ID")
@intent_option
@wait_option
@shared
def purge(graph: str, intent: str | None, wait_s: float, **_: object) -> None:
    """Remove the data of a detached graph whose time is over."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"purge graph {graph}"
    run_operation("graph_purge", {"graph": graph, "intent": why, "wait_s": wait_s})


@command.command(
    "erase",
    epilog=example("agentctl graph erase supply -m 'the column is gone for good'"),
)
@click.argument("graph", metavar="ID")
@click.option("--withdraw", is_flag=True, help="Take the proposal back.")
@intent_option
@shared
def erase(graph: str, withdraw: bool, intent: str | None, **_: object) -> None:  # noqa: FBT001
    """Propose a hard drop: erase what the graph dropped, and what its older commits hold.

    It cannot be undone, nor can the graph be rolled back to an older commit then. Proposed, it is
    a change of each plan that waits for a human; once approved, the next apply carries it out.
    """
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"erase the past of graph {graph}"
    run_operation("graph_erase", {"graph": graph, "intent": why, "withdraw": withdraw})


for _other in (diff, changes, export, tag, verify, optimize, cleanup):
    command.add_command(_other)
