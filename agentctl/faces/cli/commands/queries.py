"""`agentctl queries`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, in_option, place, shared

if TYPE_CHECKING:
    from agentctl_tools.queries import QueryList


@click.group("queries", epilog=example("agentctl queries list", "agentctl queries list --json"))
@shared
def command(**_: object) -> None:
    """The stored queries of the applied revision."""


@command.command("list", epilog=example("agentctl queries list --graph supply"))
@click.option("--graph", metavar="ID", help="Only of this graph.")
@click.option("--search", metavar="WORDS", default="", help="In the name or the description.")
@in_option
@shared
def list_queries(graph: str | None, search: str, within: str | None, **_: object) -> None:
    """List stored queries with their parameters."""
    from agentctl.faces.cli.session import run_operation

    run_operation(
        "queries",
        {"in": place(within), "graph": graph, "search": search, "limit": 200},
        show=_text,
        raw=lambda data: {"queries": data.queries},
    )


def _text(data: "QueryList") -> str:
    lines: list[str] = []
    for query in data.queries:
        params = ", ".join(f"{p.name}: {p.kind}{'?' if p.nullable else ''}" for p in query.params)
        lines.append(f"{query.address}({params})")
        says = query.by_the_querys_author
        if says is not None and says.description:
            lines.append(f"  the query's author says: {says.description}")
    return "\n".join(lines)
