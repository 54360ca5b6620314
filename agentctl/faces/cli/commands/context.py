"""`agentctl context`. What is kept stands in `agentctl_tools.contexts`; no cluster's files are touched."""

from typing import Any

import click

from agentctl.faces.cli.options import example, shared, shared_with_token

NAME = click.argument("name", metavar="NAME")


@click.group(
    "context",
    epilog=example(
        "agentctl context add prod https://graphs.example.org --token-file ~/prod.token",
        "agentctl context use prod",
    ),
)
@shared
def command(**_: object) -> None:
    """Clusters behind a door elsewhere: URL, pinned id, and the file of your token."""


@command.command(
    "add",
    epilog=example(
        "agentctl context add prod https://graphs.example.org --token-file prod.token",
        "agentctl context add here unix:/run/agentctl/supply.sock --token-file ci.token",
    ),
)
@NAME
@click.argument("url", metavar="URL")
@click.option("--cluster-id", metavar="ID", help="As its operator told you; default: asked there.")
@click.option("--key", metavar="KEY|FILE", help="The public key that you decide with there.")
@shared_with_token
def add(name: str, url: str, **given: Any) -> None:  # noqa: ANN401  # options of click
    """Keep a cluster under a name, its id pinned. One of that name is replaced."""
    from agentctl.faces.cli.context_acts import add_context

    if given["token_file"] is None:
        msg = "--token-file is needed: the file of your token, of mode 0600."
        raise click.UsageError(msg)
    add_context(name, url, given)


@command.command("list", epilog=example("agentctl context list --json"))
@shared
def list_contexts(**_: object) -> None:
    """List the contexts; the current one has a star."""
    from agentctl.faces.cli.context_acts import list_all

    list_all()


@command.command("use", epilog=example("agentctl context use prod", "agentctl context use --none"))
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--none", "nothing", is_flag=True, help="The folder you are in is meant again.")
@shared
def use(name: str | None, nothing: bool, **_: object) -> None:  # noqa: FBT001  # a flag
    """Mean this cluster wherever neither --context nor --config says otherwise."""
    from agentctl.faces.cli.context_acts import use_context

    if (name is None) != nothing:
        msg = "Give a NAME, or --none."
        raise click.UsageError(msg)
    use_context(name)


@command.command("show", epilog=example("agentctl context show", "agentctl context show prod"))
@click.argument("name", metavar="[NAME]", required=False)
@shared
def show(name: str | None, **_: object) -> None:
    """Show one context; without a NAME the current one."""
    from agentctl.faces.cli.context_acts import show_one

    show_one(name)


@command.command("remove", epilog=example("agentctl context remove prod"))
@NAME
@shared
def remove(name: str, **_: object) -> None:
    """Forget a context. Its token stays good until it ends or is revoked there."""
    from agentctl.faces.cli.context_acts import remove_context

    remove_context(name)
