"""`agentctl load`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, in_option, intent_option, place, shared, wait_option

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "load",
    epilog=example(
        "agentctl load supply rows.ndjson --mode merge",
        "agentctl load supply packages.csv --type Package --column name=package_name",
        "agentctl load supply uses.tsv --format csv --edge Uses --delimiter tab --null NA",
        "agentctl load supply rows.ndjson --max-errors 100 --rejects bad.ndjson",
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
@click.option("--branch", metavar="B", default="main", help="Of the graph; default: main.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "csv", "parquet"]),
    help="Default: by the file's name.",
)
@click.option("--type", "node", metavar="T", help="Node type of the rows of CSV and Parquet.")
@click.option("--edge", metavar="E", help="Edge type of the rows of CSV and Parquet.")
@click.option("--column", "columns", metavar="MEMBER=COLUMN", multiple=True, help="What is where.")
@click.option("--ignore", metavar="COLUMN", multiple=True, help="A column to leave out.")
@click.option("--delimiter", metavar="CHAR", help="Between the cells of a CSV; `tab` for a tab.")
@click.option("--null", metavar="TEXT", help="The cell of a CSV that is no value; default: empty.")
@click.option("--max-errors", metavar="N", type=int, default=0, help="Bad rows to set aside.")
@click.option("--rejects", metavar="FILE", help="Where rows that were set aside go.")
@in_option
@intent_option
@wait_option
@shared
def command(  # noqa: PLR0913  # its options
    graph: str,
    file: str,
    mode: str,
    branch: str,
    form: str | None,
    node: str | None,
    edge: str | None,
    columns: tuple[str, ...],
    ignore: tuple[str, ...],
    delimiter: str | None,
    null: str | None,
    max_errors: int,
    rejects: str | None,
    within: str | None,
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Load NDJSON, CSV or Parquet rows into a graph, by one commit or not at all."""
    from agentctl.faces.cli.session import run_command

    arguments: dict[str, object] = {
        "in": place(within),
        "graph": graph,
        "file": file,
        "mode": mode,
        "branch": branch,
        "format": form,
        "max_errors": max_errors,
        "rejects": rejects,
        "intent": intent if intent is not None else f"load {graph}",
        "wait_s": wait_s,
    }
    if delimiter is not None:
        arguments["delimiter"] = _character(delimiter)
    if null is not None:
        arguments["null"] = null
    if node is not None or edge is not None or columns or ignore:
        arguments["mapping"] = {
            "type": node,
            "edge": edge,
            "columns": dict(map(_pair, columns)),
            "ignore": list(ignore),
        }

    async def main(session: "Session") -> "Ended":
        return await _load(session, arguments)

    run_command(main)


async def _load(session: "Session", arguments: dict[str, object]) -> "Ended":
    from agentctl.faces.cli.progress import load_teller
    from agentctl.faces.cli.session import ended_with

    if session.settings.as_json:
        return ended_with(await session.call("load", arguments))
    with load_teller() as notify:
        return ended_with(await session.call("load", arguments, notify=notify))


def _character(text: str) -> str:
    character = "\t" if text in {"\\t", "tab"} else text
    if len(character) != 1 or character in '"\r\n':
        msg = "it is one character, and neither a quote nor the end of a line; a tab is `tab`"
        raise click.BadParameter(msg, param_hint="--delimiter")
    return character


def _pair(text: str) -> tuple[str, str]:
    member, sign, column = text.partition("=")
    if not sign:
        msg = "it is MEMBER=COLUMN"
        raise click.BadParameter(msg, param_hint="--column")
    return member, column
