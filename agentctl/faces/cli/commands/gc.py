"""`agentctl gc`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl_tools.gc import GarbageFound


@click.command("gc", epilog=example("agentctl gc", "agentctl gc --propose -m 'after the cleanup'"))
@click.option("--propose", is_flag=True, help="Put its removal before those who decide.")
@click.option("--withdraw", is_flag=True, help="Take that back.")
@intent_option
@shared
def command(*, propose: bool, withdraw: bool, intent: str | None, **_: object) -> None:
    """Show payloads and sources that no kept revision, draft, plan or request names any more.

    Their removal cannot be undone. Proposed, it is a change of each plan that waits for a human;
    once approved, the next apply carries it out.
    """
    from agentctl.faces.cli.session import run_operation

    if propose and withdraw:
        msg = "Propose, or take back, not both."
        raise click.UsageError(msg)
    if withdraw:
        run_operation("gc_withdraw", {"intent": intent or "not wanted any more"})
    if propose:
        given = {"intent": intent or "collect the catalog's garbage"}
        run_operation("gc_propose", given, show=_shown)
    run_operation("gc", {}, show=_shown)


def _shown(data: "GarbageFound") -> str:
    from agentctl.views.garbage_text import garbage_text

    return garbage_text(data)
