"""`agentctl mutate`."""

import click

from agentctl.faces.cli.json_values import object_of
from agentctl.faces.cli.options import example, in_option, intent_option, place, shared, wait_option


@click.command(
    "mutate",
    epilog=example(
        'agentctl mutate supply.add --params \'{"name": "json"}\'',
        'agentctl mutate supply.add --params \'{"name": "json"}\' --if-commit main:7',
    ),
)
@click.argument("query", metavar="GRAPH.NAME")
@click.option("--params", metavar="JSON", default="{}", help="Values by name.")
@click.option("--branch", metavar="B", default="main", show_default=True, help="Of the graph.")
@click.option(
    "--if-commit",
    metavar="COMMIT",
    help="Only if the branch is at this commit; else nothing is done, and it exits 4.",
)
@click.option("--key", metavar="KEY", help="With the same key it is done once.")
@in_option
@intent_option
@wait_option
@shared
def command(  # noqa: PLR0913  # its options
    query: str,
    params: str,
    branch: str,
    if_commit: str | None,
    key: str | None,
    within: str | None,
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Run a stored mutation of the applied revision, by one commit or not at all."""
    from agentctl.faces.cli.session import run_operation

    arguments = {
        "in": place(within),
        "query": query,
        "params": object_of(params, "--params"),
        "branch": branch,
        "if_commit": if_commit,
        "intent": intent if intent is not None else f"mutate {query}",
        "idempotency_key": key,
        "wait_s": wait_s,
    }
    run_operation("mutate", arguments)
