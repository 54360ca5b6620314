"""`agentctl query`."""

import json

import click

from agentctl.faces.cli.options import example, shared


@click.command(
    "query",
    epilog=example(
        'agentctl query supply.impact --params \'{"name": "json"}\'',
        "agentctl query supply.packages --json",
    ),
)
@click.argument("query", metavar="GRAPH.NAME")
@click.option("--params", metavar="JSON", default="{}", help="Values by name.")
@click.option("--limit", metavar="N", type=int, default=10_000, help="Rows at most.")
@shared
def command(query: str, params: str, limit: int, **_: object) -> None:
    """Run a stored query of the applied revision and print its rows."""
    from agentctl.faces.cli.session import run_operation

    try:
        values = json.loads(params)
    except ValueError as invalid:
        raise click.BadParameter(str(invalid), param_hint="--params") from invalid
    if not isinstance(values, dict):
        msg = "it must be a JSON object"
        raise click.BadParameter(msg, param_hint="--params")
    run_operation("run_query", {"query": query, "params": values, "limit": limit}, show=_rows)


def _rows(data: object) -> str:
    from agentctl.views.table import reply_table

    return reply_table(data)  # type: ignore[arg-type]  # a ReadReply, by the registry
