"""`agentctl reconcile`."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.domain.reconcile.telling import Transition
    from agentctl.faces.cli.session import Ended, Session

INTERVAL_S = 300.0


@click.command(
    "reconcile",
    epilog=example(
        "agentctl reconcile --interval 60",
        "agentctl reconcile --git-ref main --json",
        "agentctl reconcile --once --dry-run",
    ),
)
@click.option("--once", is_flag=True, help="End where it would begin to wait.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.option(
    "--interval",
    "interval_s",
    metavar="SECONDS",
    type=click.FloatRange(1.0, 86_400.0),
    default=INTERVAL_S,
    show_default=True,
    help="Plan at least so often, with a look for drift.",
)
@click.option("--git-ref", "ref", metavar="REF", help="Watch a git ref in place of the folder.")
@intent_option
@shared
def command(**given: Any) -> None:  # noqa: ANN401  # the options above
    """Keep the cluster what the folder says: plan and apply on every change, as policy lets it.

    What needs a human decision is asked for and waited for; nothing here consents. It prints a line
    for each thing it does and for why it waits, with --json one document on each line, and ends in
    order at Ctrl-C or SIGTERM.
    """
    from agentctl.faces.cli.session import run_command

    async def main(session: "Session") -> "Ended":
        return await _reconcile(session, given)

    run_command(main)


async def _reconcile(session: "Session", given: dict[str, Any]) -> "Ended":
    import sys

    from agentctl.faces.cli.interrupting import LeftAtOnceError, interruptible, left_at_once
    from agentctl.faces.cli.printing import print_json_line
    from agentctl.faces.cli.session import Ended
    from agentctl.views.reconcile_text import transition_text
    from agentctl_tools.envelopes import failed

    as_json = session.settings.as_json

    async def tell(line: "Transition") -> None:
        if as_json:
            print_json_line(line)
        else:
            sys.stdout.write(transition_text(line) + "\n")
        sys.stdout.flush()

    intent = given["intent"] if given["intent"] is not None else "reconcile the cluster"
    arguments = {name: given[name] for name in ("once", "dry_run", "interval_s", "ref")}
    try:
        async with interruptible() as is_interrupted:
            envelope = await session.call(
                "reconcile",
                {**arguments, "intent": intent},
                notify=tell,
                is_interrupted=is_interrupted,
            )
    except LeftAtOnceError:
        return Ended(envelope=failed((left_at_once(),), summary="Left at once."))
    return Ended(envelope=envelope, printed=as_json and envelope.data is not None)
