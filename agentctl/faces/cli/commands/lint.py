"""`agentctl lint`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import (
    concise_option,
    example,
    in_option,
    no_cache_option,
    place,
    shared,
)

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session
    from agentctl_tools.operation import Envelope


@click.command(
    "lint",
    epilog=example(
        "agentctl lint",
        "agentctl lint --json",
        "agentctl lint --sarif > lint.sarif",
        "agentctl lint --from omnigraph-0.10",
    ),
)
@click.option("--sarif", is_flag=True, help="Print a SARIF 2.1.0 log, for code scanning.")
@click.option(
    "--from",
    "compared_with",
    type=click.Choice(["omnigraph-0.10"]),
    help="Also list what means something else there.",
)
@click.option("--draft", metavar="ID", help="Look at a draft instead of the folder.")
@in_option
@concise_option
@no_cache_option
@shared
def command(
    compared_with: str | None,
    draft: str | None,
    within: str | None,
    *,
    sarif: bool,
    **_: object,
) -> None:
    """List mistakes, and what is right and hardly meant: unused names, results without a bound.

    Exits 1 where there is a mistake; remarks alone are no failure.
    """
    from agentctl.faces.cli.session import run_command

    target = place(within, draft)

    async def main(session: "Session") -> "Ended":
        from agentctl.faces.cli.session import Ended

        envelope = await session.call("lint", {"in": target, "from": compared_with})
        if sarif:
            return Ended(envelope=envelope, raw=_log(session, envelope), as_json=True)
        return Ended(envelope=envelope, text=envelope.summary if envelope.data else "")

    run_command(main)


def _log(session: "Session", envelope: "Envelope") -> object:
    from importlib.metadata import version

    from agentctl.views.rules import RULES
    from agentctl.views.sarif import sarif_log

    return sarif_log(
        envelope.diagnostics,
        folder_uri=session.settings.config.resolve().as_uri(),
        version=version("agentctl"),
        rules=RULES,
    )
