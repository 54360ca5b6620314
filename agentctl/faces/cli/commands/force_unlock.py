"""`agentctl force-unlock`."""

import click

from agentctl.faces.cli.options import example, intent_option, shared


@click.command(
    "force-unlock", epilog=example("agentctl force-unlock 01J9ZC4R3QWE5T6Y7U8I9O0P1A -m 'it hung'")
)
@click.argument("lock_id", metavar="LOCK_ID")
@intent_option
@shared
def command(lock_id: str, intent: str | None, **_: object) -> None:
    """Remove a lease by its exact id; see `agentctl locks`. Its holder writes nothing more."""
    from agentctl.faces.cli.session import run_operation

    why = intent if intent is not None else f"force-unlock {lock_id}"
    run_operation("force_unlock", {"lock_id": lock_id, "intent": why})
