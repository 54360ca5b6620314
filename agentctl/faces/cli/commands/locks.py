"""`agentctl locks`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.locks import LockList


@click.command("locks", epilog=example("agentctl locks", "agentctl locks --json"))
@shared
def command(**_: object) -> None:
    """List who holds which lease, since when, and what is safe to do about it."""
    from agentctl.faces.cli.session import run_operation

    run_operation("locks", {}, show=_text)


def _text(data: "LockList") -> str:
    from agentctl.views.decision import safe

    lines: list[str] = []
    for lock in data.locks:
        beat = lock.last_beat_at or "never"
        if lock.lock_id is None:
            lines.append(f"{lock.resource}  its record cannot be read, last beat {beat}")
        else:
            lines.append(f"{lock.resource}  {lock.lock_id}  {safe(lock.operation)}")
            lines.append(f"  by {safe(lock.principal)} on {safe(lock.host)}, process {lock.pid}")
            lines.append(f"  since {lock.created_at}, last beat {beat}")
        if lock.diagnostic is not None:
            lines.append(f"  {safe(lock.diagnostic.path)}: {safe(lock.diagnostic.message)}")
        lines.append(f"  {lock.safe_action}")
    return "\n".join(lines)
