"""`agentctl status`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.status import StatusAnswer


@click.command("status", epilog=example("agentctl status", "agentctl status --json"))
@shared
def command(**_: object) -> None:
    """Show what is applied, what drifted, who holds leases and what waits for whom."""
    from agentctl.faces.cli.session import run_operation

    run_operation("status", {}, show=_text, raw=lambda data: data.result())


def _text(data: "StatusAnswer") -> str:
    from agentctl.views.decision import safe
    from agentctl.views.status_text import status_text

    lines = [status_text(data.result()).rstrip("\n")]
    lines.append(f"you: {data.you.principal} ({data.you.kind})")
    lines.append(f"trust: {data.trust_line}")
    lines += [
        f"waits: {r.statement.operation} {r.statement.resource}, asked by {safe(r.requester)}:"
        f" agentctl approve {r.request_id}"
        for r in data.waiting
    ]
    return "\n".join(lines)
