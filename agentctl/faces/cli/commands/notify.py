"""`agentctl notify`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.notices import Notified


@click.command("notify", epilog=example("agentctl notify", "agentctl notify --test"))
@click.option("--test", is_flag=True, help="Send one notice that tells of nothing.")
@shared
def command(test: bool, **_: object) -> None:  # noqa: FBT001  # a flag
    """Tell people of requests whose time is half over or about to end; for a timer to run.

    Whom, says `notify:` in profile.yaml of your configuration folder. Requests, decisions and
    freezes are told when they happen.
    """
    from agentctl.faces.cli.session import run_operation

    run_operation("notify", {"test": test}, show=_text)


def _text(data: "Notified") -> str:
    from agentctl.views.decision import safe

    return "\n".join(f"{n.event}  {safe(n.resource)}  {n.run}" for n in data.notices)
