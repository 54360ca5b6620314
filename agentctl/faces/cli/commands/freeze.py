"""`agentctl freeze`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, intent_option, shared

if TYPE_CHECKING:
    from agentctl.domain.ledger.freezes import FreezeResult
    from agentctl_tools.freezes import FreezeList


@click.command(
    "freeze",
    epilog=example(
        "agentctl freeze -m 'wrong rows are coming in'",
        "agentctl freeze graph.supply --until 2h -m 'audit'",
        "agentctl freeze --list",
    ),
)
@click.argument("scope", metavar="[SCOPE]", default="cluster")
@click.option("--until", metavar="TIME|SPAN", help="Ends it by itself: 2h, 2026-11-21T18:00:00Z.")
@click.option("--list", "listed", is_flag=True, help="Only show what is frozen.")
@intent_option
@shared
def command(scope: str, until: str | None, listed: bool, intent: str | None, **_: object) -> None:  # noqa: FBT001  # a flag
    """Stop every commit at once: of the `cluster`, or of one graph as `graph.<id>`.

    Anyone may freeze. Only an enrolled human thaws.
    """
    from agentctl.faces.cli.session import run_operation

    if listed:
        run_operation("freezes", {}, show=_list)
    arguments: dict[str, object] = {"scope": scope, "intent": intent or f"freeze {scope}"}
    if until is not None:
        arguments["until"] = until
    run_operation("freeze", arguments, show=_frozen)


def _list(data: "FreezeList") -> str:
    from agentctl.views.state_text import freezes_text

    return freezes_text(data.freezes)


def _frozen(data: "FreezeResult") -> str:
    from agentctl.views.state_text import freezes_text

    if data.freeze is None:
        return ""
    return f"Frozen: {freezes_text((data.freeze,))}It ends with: agentctl thaw {data.freeze.id}"
