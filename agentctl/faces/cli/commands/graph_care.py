"""`agentctl graph verify`, `optimize`, `cleanup`."""

import click

from agentctl.faces.cli.options import example, intent_option, shared, wait_option


@click.command("verify", epilog=example("agentctl graph verify supply"))
@click.argument("graph", metavar="ID")
@shared
def verify(graph: str, **_: object) -> None:
    """Look at every commit, dataset version and constraint of a graph."""
    from agentctl.faces.cli.session import run_operation

    run_operation("graph_verify", {"graph": graph})


@click.command("optimize", epilog=example("agentctl graph optimize supply"))
@click.argument("graph", metavar="ID")
@click.option("--branch", metavar="BRANCH", default="main", help="Which branch.")
@intent_option
@wait_option
@shared
def optimize(graph: str, branch: str, intent: str | None, wait_s: float, **_: object) -> None:
    """Compact small files and bring the indexes up to date, by one commit or none."""
    from agentctl.faces.cli.graph_text import optimized_text
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"optimize graph {graph}"
    asked = {"graph": graph, "branch": branch, "intent": why, "wait_s": wait_s}
    run_operation("graph_optimize", asked, show=optimized_text)


@click.command(
    "cleanup",
    epilog=example(
        "agentctl graph cleanup supply --dry-run",
        "agentctl graph cleanup supply --keep 10 --older-than 30d",
    ),
)
@click.argument("graph", metavar="ID")
@click.option("--keep", type=int, default=1, help="Newest commits of each branch that stay.")
@click.option(
    "--older-than",
    metavar="TIME",
    help="What is younger stays; default, and least: `ops.retention.detached`.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@intent_option
@wait_option
@shared
@click.pass_context
def cleanup(  # noqa: PLR0913  # a command's options
    context: click.Context,
    /,
    graph: str,
    keep: int,
    older_than: str | None,
    dry_run: bool,  # noqa: FBT001  # a flag of the command line
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Let go of the data of old commits that no branch, tag or pin keeps; it cannot be undone."""
    from agentctl.domain.config.durations import duration_s
    from agentctl.faces.cli.graph_text import cleaned_text, waste_text
    from agentctl.faces.cli.session import run_operation

    age_s = None if older_than is None else duration_s(older_than)
    if age_s is None and older_than is not None:
        context.fail("--older-than is a number and s, m, h, d or w: 12h, 30d.")
    asked = {"graph": graph, "keep": keep, "older_than_s": age_s}
    if dry_run:
        by_floor = age_s is None
        run_operation("graph_waste", asked, show=lambda r: waste_text(r, by_floor=by_floor))
    why = intent if intent is not None else f"cleanup graph {graph}"
    run_operation("graph_cleanup", {**asked, "intent": why, "wait_s": wait_s}, show=cleaned_text)
