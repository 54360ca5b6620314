"""`agentctl rollback`."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, gate_options, intent_option, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "rollback",
    epilog=example(
        "agentctl rollback --to 3 --dry-run",
        "agentctl rollback --op 5pqr7abc:0198… -m 'the query was wrong'",
    ),
)
@click.option("--to", "seq", metavar="SEQ", type=click.IntRange(min=1), help="A ledger object.")
@click.option("--op", metavar="ID", help="The op to undo; its state before is reached.")
@click.option("--with-data", is_flag=True, help="Graphs go back to what they held then, too.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and do nothing.")
@click.option("--all-or-nothing", is_flag=True, help="Do nothing while a gate is open.")
@click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    type=float,
    default=0.0,
    help="For a held lease; of a graph, 32 unless told.",
)
@click.option("--require-converged", is_flag=True, help="Exit 6 where a decision is awaited.")
@gate_options
@intent_option
@shared
def command(**given: Any) -> None:  # noqa: ANN401  # the options above
    """Reach an earlier revision again, by a new op: planned and gated like any change.

    The folder stays as it is; `agentctl config restore SEQ` brings its files along. What needs a
    human waits: `agentctl approvals request RESOURCE --to SEQ` asks for it.
    """
    from agentctl.faces.cli.session import run_command

    if (given["seq"] is None) == (given["op"] is None):
        msg = "Give one of --to SEQ and --op ID."
        raise click.UsageError(msg)
    what = f"op {given['op']}" if given["op"] else f"to ledger object {given['seq']}"
    arguments: dict[str, object] = {
        "intent": given["intent"] if given["intent"] is not None else f"rollback {what}",
        "to": given["seq"],
        "op": given["op"],
        "with_data": given["with_data"],
        "dry_run": given["dry_run"],
        "without_gated": not given["all_or_nothing"],
        "wait_s": given["wait_s"],
        "gates": given["gates"],
        "on_failure": given["on_failure"],
    }

    async def main(session: "Session") -> "Ended":
        return await _rollback(session, arguments, required=given["require_converged"])

    run_command(main)


async def _rollback(session: "Session", arguments: dict[str, object], *, required: bool) -> "Ended":
    from agentctl.faces.cli.progress import teller
    from agentctl.faces.cli.session import Ended
    from agentctl.views.ops_rollback import rollback_plan_text, rollback_text

    looking = bool(arguments["dry_run"])
    notify = None if session.settings.as_json or looking else teller()
    envelope = await session.call("rollback", arguments, notify=notify)
    if envelope.data is None:
        return Ended(envelope=envelope)
    result: Any = envelope.data
    if looking:
        return Ended(envelope=envelope, text=rollback_plan_text(result.undone, result.plan))
    return Ended(
        envelope=envelope,
        text=rollback_text(result.undone, result.applied),
        waiting=required and not result.applied.converged,
    )
