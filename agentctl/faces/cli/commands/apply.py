"""`agentctl apply`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import (
    example,
    gate_options,
    in_option,
    intent_option,
    place,
    shared,
)

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "apply",
    epilog=example(
        "agentctl apply -m 'add the impact query'",
        "agentctl apply plan.json",
        "agentctl apply --draft 01J9ZC4R3Q --require-converged",
    ),
)
@click.argument("plan", required=False, metavar="[FILE|PLAN_ID]")
@click.option(
    "--same-effects",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Go on where a fresh plan has the same effects as the one in FILE.",
)
@click.option("--draft", metavar="ID", help="Apply a draft, and bring its files home.")
@in_option
@click.option("--refresh", is_flag=True, help="Look at live graphs first, and correct drift.")
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
    """Carry out what needs no decision and what a human has decided; the rest waits.

    FILE is what `plan --out` wrote: a fresh plan must have its very digest. A PLAN_ID is that of a
    kept plan: a fresh one must have the same effects.
    """
    from agentctl.faces.cli.session import run_command

    arguments = _arguments(**given)

    async def main(session: "Session") -> "Ended":
        return await _apply(session, arguments, required=given["require_converged"])

    run_command(main)


def _arguments(  # noqa: PLR0913  # the options of the verb
    *,
    plan: str | None,
    same_effects: Path | None,
    draft: str | None,
    within: str | None,
    all_or_nothing: bool,
    refresh: bool,
    wait_s: float,
    intent: str | None,
    gates: tuple[str, ...],
    on_failure: tuple[str, ...],
    **_: object,
) -> dict[str, object]:
    if plan is not None and same_effects is not None:
        msg = "Give a plan or --same-effects FILE, not both."
        raise click.UsageError(msg)
    target = f"draft {draft}" if draft else "the folder"
    if within is not None:
        target = "what the sandbox has"
    arguments: dict[str, object] = {
        "intent": intent if intent is not None else f"apply {target}",
        "without_gated": not all_or_nothing,
        "refresh": refresh,
        "wait_s": wait_s,
        "gates": gates,
        "on_failure": on_failure,
    }
    if draft or within is not None:
        arguments["in"] = place(within, draft)
    file = same_effects
    if plan is not None and len(plan) == 64 and not Path(plan).exists():
        arguments["plan_id"] = plan
    elif plan is not None:
        file = Path(plan)
        arguments["exact"] = True
    if file is not None:
        if not file.is_file():
            msg = f"There is no plan file '{file}', and it is no plan id."
            raise click.UsageError(msg)
        arguments["plan_file"] = file.read_text(encoding="utf-8", errors="replace")
    return arguments


async def _apply(session: "Session", arguments: dict[str, object], *, required: bool) -> "Ended":
    from agentctl.faces.cli.exit_codes import ExitCode
    from agentctl.faces.cli.interrupting import LeftAtOnceError, interruptible, left_at_once
    from agentctl.faces.cli.progress import teller
    from agentctl.faces.cli.session import Ended
    from agentctl.views.apply_text import apply_text
    from agentctl_tools.envelopes import failed

    notify = None if session.settings.as_json else teller()
    try:
        async with interruptible() as is_interrupted:
            envelope = await session.call(
                "apply", arguments, notify=notify, is_interrupted=is_interrupted
            )
    except LeftAtOnceError:
        return Ended(
            envelope=failed((left_at_once(),), summary="Left at once."), code=ExitCode.INTERRUPTED
        )
    if envelope.data is None:
        return Ended(envelope=envelope)
    result: Any = envelope.data
    interrupted = any(d.code == "interrupted" for d in result.diagnostics)
    return Ended(
        envelope=envelope,
        text=apply_text(result),
        waiting=required and not result.converged,
        code=ExitCode.INTERRUPTED if interrupted else None,
    )
