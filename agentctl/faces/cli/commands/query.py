"""`agentctl query`."""

import click

from agentctl.faces.cli.json_values import object_of
from agentctl.faces.cli.options import example, in_option, place, shared


@click.command(
    "query",
    epilog=example(
        'agentctl query supply.impact --params \'{"name": "json"}\'',
        "agentctl query supply.packages --json",
        "agentctl query supply.packages --at main:7 --explain=analyze",
        "agentctl query supply --text 'query q() { match { $p: Package } return { $p.name } }'",
    ),
)
@click.argument("query", metavar="GRAPH.NAME")
@click.option("--params", metavar="JSON", default="{}", help="Values by name.")
@click.option("--limit", metavar="N", type=int, default=10_000, help="Rows at most.")
@click.option("--branch", metavar="B", default="main", help="Of the graph; default: main.")
@click.option("--at", metavar="COMMIT|TAG|TIME", help="Default: the newest of the branch.")
@click.option(
    "--explain",
    is_flag=False,
    flag_value="plan",
    type=click.Choice(["plan", "analyze"]),
    help="The plan in place of the rows; =analyze runs it too.",
)
@click.option("--text", metavar="QUERY", help="A read of your own, of GRAPH.")
@click.option("--deadline", "deadline_s", metavar="SECONDS", type=float, help="For the read.")
@click.option(
    "--memory",
    "memory_mib",
    metavar="MIB",
    type=click.IntRange(min=1),
    help="At most; default: 2048.",
)
@in_option
@shared
def command(  # noqa: PLR0913  # its options
    query: str,
    params: str,
    limit: int,
    branch: str,
    at: str | None,
    explain: str | None,
    text: str | None,
    deadline_s: float | None,
    memory_mib: int | None,
    within: str | None,
    **_: object,
) -> None:
    """Run a stored query of the applied revision and print its rows."""
    from agentctl.faces.cli.session import run_operation

    arguments: dict[str, object] = {
        "in": place(within),
        "params": object_of(params, "--params"),
        "limit": limit,
        "branch": branch,
        "at": at,
        "explain": explain,
        "deadline_s": deadline_s,
    }
    if memory_mib is not None:
        arguments["memory_bytes"] = memory_mib << 20
    if text is None:
        run_operation("run_query", {"query": query, **arguments}, show=_shown)
    run_operation("query", {"graph": query, "query": text, **arguments}, show=_shown)


def _shown(data: object) -> str:
    from agentctl.views.table import plan_lines, reply_table

    plan = getattr(data, "plan", None)
    return plan_lines(plan) if plan is not None else reply_table(data)  # type: ignore[arg-type]  # a QueryReply, by the registry
