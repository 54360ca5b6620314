"""`agentctl audit`."""

import sys
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.audit import AuditExport


@click.group(
    "audit", epilog=example("agentctl audit verify", "agentctl audit export > audit.jsonl")
)
@shared
def command(**_: object) -> None:
    """The chain of everything that was asked of the cluster, allowed and denied."""


@command.command(
    "verify", epilog=example("agentctl audit verify", "agentctl audit verify audit.jsonl")
)
@click.argument("file", required=False, metavar="[FILE]")
@shared
def verify(file: str | None, **_: object) -> None:
    """Prove that the chain, or an export of it, is whole, and how far the ledger proves it."""
    from agentctl.faces.cli.session import run_operation

    run_operation("audit_verify", {"file": file})


@command.command("export", epilog=example("agentctl audit export > audit.jsonl"))
@shared
def export(**_: object) -> None:
    """Print every record, its exact bytes on a line of its own.

    On a terminal characters that would act on it are escaped; the exact bytes need a file.
    """
    from agentctl.faces.cli.session import run_operation

    run_operation("audit_export", {}, show=_lines, raw=lambda data: {"records": data.records})


def _lines(data: "AuditExport") -> str:
    from agentctl.foreign import show_json

    return show_json(data.lines) if sys.stdout.isatty() else data.lines
