"""`agentctl graph diff`, `changes`, `tag`: what became of a graph, and names for its commits."""

from typing import Any

import click

from agentctl.faces.cli.options import example, in_option, intent_option, place, shared, wait_option


@click.command(
    "diff", epilog=example("agentctl graph diff supply main:3", "agentctl graph diff supply v1 v2")
)
@click.argument("graph", metavar="ID")
@click.argument("before", metavar="POINT")
@click.argument("after", metavar="[POINT]", required=False)
@click.option("--branch", metavar="BRANCH", default="main", help="Of numbers, times and the head.")
@click.option("--sample", type=int, default=20, help="Changes shown of each type.")
@in_option
@shared
def diff(  # a command's options
    graph: str,
    before: str,
    after: str | None,
    branch: str,
    sample: int,
    within: str | None,
    **_: object,
) -> None:
    """Show what differs between two commits, tags, branches or times; without the second, the newest."""
    from agentctl.faces.cli.history_text import difference_text
    from agentctl.faces.cli.session import run_operation

    asked = {"graph": graph, "before": before, "after": after, "branch": branch, "sample": sample}
    asked["in"] = place(within)
    run_operation("graph_diff", asked, show=difference_text)


@click.command(
    "changes",
    epilog=example(
        "agentctl graph changes supply --since main:3", "agentctl graph changes supply --baseline"
    ),
)
@click.argument("graph", metavar="ID")
@click.option("--branch", metavar="BRANCH", default="main", help="Whose commits.")
@click.option(
    "--since", metavar="FROM", default="beginning", help="now, beginning, commit, cursor."
)
@click.option("--limit", type=int, default=200, help="About how many changes.")
@click.option("--baseline", is_flag=True, help="Only say where to export, and to go on from then.")
@in_option
@shared
def changes(
    graph: str,
    branch: str,
    since: str,
    limit: int,
    baseline: bool,  # noqa: FBT001  # a flag of the command line
    within: str | None,
    **_: object,
) -> None:
    """Show what commits of a branch did to the rows, in order, from a point on."""
    from agentctl.faces.cli.history_text import baseline_text, changes_text
    from agentctl.faces.cli.session import run_operation

    target = place(within)
    if baseline:
        if target != "cluster":
            msg = "Give --baseline or --in, not both: nobody goes on from a sandbox."
            raise click.UsageError(msg)
        run_operation(
            "graph_baseline",
            {"graph": graph, "branch": branch},
            show=lambda found: baseline_text(found, graph, branch),
        )
    asked = {"graph": graph, "branch": branch, "since": since, "limit": limit, "in": target}
    run_operation("graph_changes", asked, show=changes_text)


@click.command(
    "tag",
    epilog=example(
        "agentctl graph tag supply",
        "agentctl graph tag supply v1",
        "agentctl graph tag supply v1 -d",
    ),
)
@click.argument("graph", metavar="ID")
@click.argument("tag", metavar="[TAG]", required=False)
@click.option("--branch", metavar="BRANCH", default="main", help="Whose newest commit.")
@click.option("--at", metavar="POINT", help="A commit, tag or time in place of the newest.")
@click.option("-d", "--delete", is_flag=True, help="Take the tag away.")
@intent_option
@wait_option
@shared
def tag(  # noqa: PLR0913  # a command's options
    graph: str,
    tag: str | None,
    branch: str,
    at: str | None,
    delete: bool,  # noqa: FBT001  # a flag of the command line
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Name a commit for good, which keeps its data; without a name, list the tags."""
    from agentctl.faces.cli.history_text import tags_text
    from agentctl.faces.cli.session import run_operation

    if tag is None:
        run_operation("graph_tags", {"graph": graph}, show=lambda found: tags_text(found, graph))
    verb = "untag" if delete else "tag"
    asked: dict[str, Any] = {"graph": graph, "tag": tag, "wait_s": wait_s}
    asked["intent"] = intent if intent is not None else f"{verb} {graph} {tag}"
    if not delete:
        asked |= {"branch": branch, "at": at}
    run_operation(f"graph_{verb}", asked)
