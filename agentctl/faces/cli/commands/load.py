"""`agentctl load`."""

import click

from agentctl.faces.cli.options import example, intent_option, shared


@click.command(
    "load",
    epilog=example(
        "agentctl load supply rows.ndjson", "agentctl load supply rows.ndjson --mode merge"
    ),
)
@click.argument("graph", metavar="GRAPH")
@click.argument("file", metavar="FILE")
@click.option(
    "--mode",
    type=click.Choice(["append", "merge", "overwrite"]),
    default="append",
    help="append refuses a key that is there, merge updates it, overwrite replaces the types.",
)
@intent_option
@shared
def command(graph: str, file: str, mode: str, intent: str | None, **_: object) -> None:
    """Load NDJSON rows into a graph, by one commit or not at all."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"load {graph}"
    run_operation("load", {"graph": graph, "file": file, "mode": mode, "intent": why})
