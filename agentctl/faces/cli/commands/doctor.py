"""`agentctl doctor`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.doctor import DoctorAnswer


@click.command("doctor", epilog=example("agentctl doctor", "agentctl doctor --trust"))
@click.option("--trust", is_flag=True, help="Only what holds against whom on this machine.")
@shared
def command(trust: bool, **_: object) -> None:  # noqa: FBT001  # a flag
    """Check that the cluster is whole, and say what holds against whom on this machine."""
    from agentctl.faces.cli.session import run_operation

    run_operation("doctor", {"trust_only": trust}, show=_text)


def _text(data: "DoctorAnswer") -> str:
    lines = [data.trust_line]
    if data.audit_length is not None:
        lines.append(f"audit: {data.audit_length} records")
    return "\n".join(lines)
