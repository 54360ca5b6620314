"""`agentctl branch`."""

import click

from agentctl.faces.cli.options import example, in_option, intent_option, place, shared, wait_option


@click.group(
    "branch", epilog=example("agentctl branch list supply", "agentctl branch create supply try")
)
@shared
def command(**_: object) -> None:
    """Branches of a graph: cut in no time at any size, merged by entity and property."""


@command.command("list", epilog=example("agentctl branch list supply --json"))
@click.argument("graph", metavar="GRAPH")
@in_option
@shared
def list_branches(graph: str, within: str | None, **_: object) -> None:
    """List the branches of a graph with their newest commits."""
    from agentctl.faces.cli.history_text import branches_text
    from agentctl.faces.cli.session import run_operation

    asked = {"in": place(within), "graph": graph}
    run_operation("branch_list", asked, show=lambda found: branches_text(found, graph))


@command.command(
    "create",
    epilog=example(
        "agentctl branch create supply try", "agentctl branch create supply old --at main:12"
    ),
)
@click.argument("graph", metavar="GRAPH")
@click.argument("branch", metavar="BRANCH")
@click.option("--from", "source", metavar="BRANCH", default="main", help="Cut it from this one.")
@click.option("--at", metavar="POINT", help="A commit, tag or time of it; default: the newest.")
@in_option
@intent_option
@wait_option
@shared
def create(  # noqa: PLR0913  # a command's options
    graph: str,
    branch: str,
    source: str,
    at: str | None,
    within: str | None,
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Cut a branch from a commit; nothing is copied."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"create branch {branch} of {graph}"
    arguments = {"graph": graph, "branch": branch, "source": source, "at": at}
    run_operation(
        "branch_create", {**arguments, "in": place(within), "intent": why, "wait_s": wait_s}
    )


@command.command(
    "merge",
    epilog=example(
        "agentctl branch merge supply try", "agentctl branch merge supply main --into try"
    ),
)
@click.argument("graph", metavar="GRAPH")
@click.argument("branch", metavar="BRANCH")
@click.option("--into", metavar="BRANCH", default="main", help="The branch that gets the commit.")
@click.option("--if-commit", metavar="ID", help="Only where this commit is its newest.")
@in_option
@intent_option
@wait_option
@shared
def merge(  # noqa: PLR0913  # a command's options
    graph: str,
    branch: str,
    into: str,
    if_commit: str | None,
    within: str | None,
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Merge a branch into another one by one commit, or tell the conflicts and do nothing."""
    from agentctl.faces.cli.history_text import merged_text
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"merge branch {branch} of {graph} into {into}"
    arguments = {"graph": graph, "source": branch, "into": into, "if_commit": if_commit}
    run_operation(
        "branch_merge",
        {**arguments, "in": place(within), "intent": why, "wait_s": wait_s},
        show=lambda done: merged_text(done, branch, into),
    )


@command.command("delete", epilog=example("agentctl branch delete supply try"))
@click.argument("graph", metavar="GRAPH")
@click.argument("branch", metavar="BRANCH")
@click.option("--unmerged", is_flag=True, help="Also where it holds what no other branch has.")
@in_option
@intent_option
@wait_option
@shared
def delete(  # a command's options
    graph: str,
    branch: str,
    unmerged: bool,  # noqa: FBT001  # a flag of the command line
    within: str | None,
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Delete a branch; what only it held goes with the next cleanup."""
    from agentctl.faces.cli.history_text import deleted_text
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"delete branch {branch} of {graph}"
    arguments = {"graph": graph, "branch": branch, "unmerged": unmerged}
    run_operation(
        "branch_delete",
        {**arguments, "in": place(within), "intent": why, "wait_s": wait_s},
        show=deleted_text,
    )
