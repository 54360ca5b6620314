"""`agentctl load`."""

import click

from agentctl.faces.cli.options import example, intent_option, shared, wait_option


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
@wait_option
@shared
def command(
    graph: str, file: str, mode: str, intent: str | None, wait_s: float, **_: object
) -> None:
    """Load NDJSON rows into a graph, by one commit or not at all."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"load {graph}"
    arguments = {"graph": graph, "file": file, "mode": mode, "intent": why, "wait_s": wait_s}
    run_operation("load", arguments)
