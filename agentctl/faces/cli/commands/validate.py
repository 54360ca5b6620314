"""`agentctl validate`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import (
    concise_option,
    example,
    in_option,
    no_cache_option,
    place,
    settings_of,
    shared,
)

if TYPE_CHECKING:
    from agentctl.views.shapes import ValidateShown


@click.command(
    "validate",
    epilog=example(
        "agentctl validate --config supply",
        "agentctl validate --json",
        "agentctl validate --concise",
        "agentctl validate --compat omnigraph-0.10",
        "agentctl validate --watch",
    ),
)
@click.option("--draft", metavar="ID", help="Check a draft instead of the folder.")
@in_option
@click.option(
    "--compat",
    type=click.Choice(["omnigraph-0.10"]),
    help="Also refuse what that program would not take.",
)
@no_cache_option
@click.option("--watch", is_flag=True, help="Check again at every edit, until Ctrl-C.")
@click.option("--verbose", is_flag=True, help="Say what the cache spared.")
@concise_option
@shared
@click.pass_context
def command(  # noqa: PLR0913  # the flags of one verb
    context: click.Context,
    /,
    draft: str | None,
    within: str | None,
    compat: str | None,
    *,
    no_cache: bool,
    concise: bool,
    watch: bool,
    verbose: bool,
    **_: object,
) -> None:
    """Check the folder, or a draft, and list every mistake with place and remedy.

    Files that did not change since the last time are not read again: what was found then is kept in
    your cache folder. No storage is looked at, and nothing else is written.
    """
    target = place(within, draft)
    if target != "cluster":
        if watch:
            msg = "A draft or a sandbox changes through agentctl only; --watch is for the folder."
            raise click.UsageError(msg)
        from agentctl.faces.cli.session import run_operation

        run_operation("validate", {"in": target, "compat": compat}, show=_text)
    from agentctl.faces.cli.folder_checks import Wishes, run_check

    wishes = Wishes(
        cached=not no_cache, compat=compat is not None, verbose=verbose, concise=concise
    )
    if watch:
        from agentctl.faces.cli.watching import run_watch

        run_watch(settings_of(context), wishes)
    run_check(settings_of(context), wishes)


def _text(data: "ValidateShown") -> str:
    from agentctl.views.validate_text import validate_text

    return validate_text(data)
