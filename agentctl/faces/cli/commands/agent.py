"""`agentctl agent`: lets a model work on the cluster as an agent, over MCP, on the record."""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from agentctl.faces.cli.exit_codes import ExitCode, exit_code
from agentctl.faces.cli.options import config_given, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.faces.agent.lines import Event
    from agentctl.faces.agent.working import Sandboxing
    from agentctl.faces.cli.agent_runs import Outcome, Wanted
    from agentctl_evals.tape import Step

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
_SAID_CELLS: Final = 20_000
_LINE_CELLS: Final = 160
F = TypeVar("F", bound=Callable[..., Any])


@click.group(
    "agent",
    epilog=example(
        'agentctl agent run "Add a query that lists the packages without a licence."',
        "agentctl agent resume session.jsonl",
    ),
)
@shared
def command(**_: object) -> None:
    """Let a model work as an agent, through the MCP tools alone. It consents to nothing."""


def _bounds(command: F) -> F:
    """Adds the options of the model and of the budget."""
    for option in (
        click.option(
            "--max-minutes",
            type=click.FloatRange(min=0, min_open=True),
            metavar="N",
            help="Of this run; default 30.",
        ),
        click.option(
            "--price",
            metavar="IN/OUT",
            help="US dollars per million tokens; --max-cost counts with it.",
        ),
        click.option(
            "--max-cost",
            type=click.FloatRange(min=0, min_open=True),
            metavar="DOLLARS",
            help="At most; cached tokens count in full.",
        ),
        click.option(
            "--max-tokens",
            type=click.IntRange(min=1),
            metavar="N",
            help="Of all replies, in and out; default 1,000,000.",
        ),
        click.option(
            "--max-turns",
            type=click.IntRange(min=1),
            metavar="N",
            help="Replies of the model; default 50.",
        ),
        click.option(
            "--principal", metavar="NAME", help="An enrolled agent; default: agent:<you>."
        ),
    ):
        command = option(command)
    return command


@command.command(
    "run",
    epilog=example(
        'agentctl agent run "Which queries break if Package loses its licence?" --max-turns 20',
        "agentctl agent run --model replay:session.jsonl",
    ),
)
@click.argument("goal", metavar="[GOAL]", required=False)
@click.option(
    "--model",
    metavar="NAME",
    help=f"A model of the API (default {DEFAULT_MODEL}), or replay:FILE.",
)
@click.option(
    "--session",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to record it; default: a new file below your state folder.",
)
@click.option("--keep-sandbox", is_flag=True, help="Leave its sandbox open when it is done.")
@click.option("--no-sandbox", is_flag=True, help="Open no sandbox for it.")
@_bounds
@shared
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    goal: str | None,
    model: str | None,
    session: Path | None,
    **given: Any,  # noqa: ANN401  # the options of the budget
) -> None:
    """Work towards GOAL, and record every turn; ends with 6 where a human must decide first."""
    from agentctl.faces.cli.agent_runs import REPLAY, run_goal

    if not (goal or "").strip() and not (model or "").startswith(REPLAY):
        context.fail("Say what the agent is to reach.")
    wanted = _wanted(
        context,
        given,
        model=model,
        session=session or _fresh(),
        goal=goal,
        folder=_folder(context),
        sandbox=_sandboxing(context, given),
    )
    _run(context, wanted, lambda watch: run_goal(wanted, default_model=DEFAULT_MODEL, watch=watch))


@command.command(
    "resume",
    epilog=example(
        "agentctl agent resume session.jsonl",
        "agentctl agent resume session.jsonl --max-turns 100",
    ),
)
@click.argument(
    "session", metavar="SESSION", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option("--model", metavar="NAME", help="Another model than the session's, or replay:FILE.")
@_bounds
@shared
@click.pass_context
def resume(
    context: click.Context,
    /,
    *,
    session: Path,
    model: str | None,
    **given: Any,  # noqa: ANN401  # the options of the budget
) -> None:
    """Go on with a session that sleeps, or was broken off; ends with 6 where it still waits."""
    from agentctl.faces.cli.agent_runs import resume_session

    here = _folder(context, is_known=True)  # The session says it.
    folder = here if config_given(context) is not None else None
    wanted = _wanted(context, given, model=model, session=session, goal=None, folder=folder)
    _run(context, wanted, lambda watch: resume_session(wanted, watch=watch))


def _folder(context: click.Context, *, is_known: bool = False) -> Path:
    from agentctl.faces.cli.session import folder_here

    instead = "Start it on that cluster's machine"
    return folder_here(context, "An agent", instead, as_agent=True, is_known=is_known)


def _wanted(context: click.Context, given: dict[str, Any], **more: Any) -> "Wanted":  # noqa: ANN401  # the command line
    from agentctl.faces.cli.agent_runs import Wanted

    names = ("turns", "tokens", "cost", "minutes")
    budget = {n: given[f"max_{n}"] for n in names if given[f"max_{n}"] is not None}
    price = _price(context, given["price"])
    if "cost" in budget and price is None:
        context.fail("--max-cost counts with --price IN/OUT; no price is known by itself.")
    return Wanted(budget=budget, price=price, principal=given["principal"], **more)


def _sandboxing(context: click.Context, given: dict[str, Any]) -> "Sandboxing":
    if given["no_sandbox"] and given["keep_sandbox"]:
        context.fail("--keep-sandbox keeps what --no-sandbox does not open.")
    if given["no_sandbox"]:
        return "none"
    return "kept" if given["keep_sandbox"] else "closed"


def _price(context: click.Context, written: str | None) -> Any:  # noqa: ANN401  # a Price
    from agentctl.faces.agent.budget import Price

    if written is None:
        return None
    entered, _, left = written.partition("/")
    try:
        price = Price(input=float(entered), output=float(left))
    except ValueError:
        context.fail("--price is IN/OUT, two numbers: 3/15.")
    if not (0 <= price.input < float("inf") and 0 <= price.output < float("inf")):
        context.fail("--price is IN/OUT, two numbers: 3/15.")
    return price


def _fresh() -> Path:
    """Returns where a session is recorded that named no file."""
    import secrets
    from datetime import UTC, datetime

    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{stamp}-{secrets.token_hex(3)}.jsonl"
    return Path(state) / "agentctl" / "sessions" / name


def _run(
    context: click.Context,
    wanted: "Wanted",
    work: "Callable[[Callable[[Event | Step], None]], Awaitable[Outcome]]",
) -> None:
    import anyio

    from agentctl.faces.cli.printing import say

    settings = settings_of(context)

    def watch(event: "Event | Step") -> None:
        if not settings.as_json:
            for line in _told(event):
                say(line)

    try:
        outcome = anyio.run(work, watch)
    except KeyboardInterrupt:
        say(f"Interrupted. agentctl agent resume {wanted.session}")
        sys.exit(ExitCode.INTERRUPTED)
    _finish(outcome, as_json=settings.as_json)


def _finish(outcome: "Outcome", *, as_json: bool) -> None:
    from agentctl.faces.cli.printing import print_diagnostics, print_json, say
    from agentctl.foreign import Foreign, show

    if as_json:
        print_json(outcome)
    else:
        if outcome.said:
            click.echo(show(Foreign(outcome.said), limit=_SAID_CELLS, multiline=True))
        for request in outcome.waiting:
            say(f"waits: {show(Foreign(request.tell_your_human), limit=_LINE_CELLS)}")
        if outcome.ended == "waiting":
            say(f"then:  agentctl agent resume {outcome.session}")
        if outcome.sandbox is not None:
            say(f"open:  agentctl sandbox show {show(Foreign(outcome.sandbox), limit=_LINE_CELLS)}")
        print_diagnostics(outcome.diagnostics, folder=None)
        if outcome.ended != "not_begun":
            say(_summary(outcome))
    sys.exit(
        exit_code(
            ok=outcome.ok, diagnostics=outcome.diagnostics, waiting=outcome.ended == "waiting"
        )
    )


def _summary(outcome: "Outcome") -> str:
    cost = outcome.micro_dollars
    money = "" if cost is None else f", at most ${cost / 1_000_000:.2f}"
    return (
        f"{outcome.ended}: {outcome.turns} turns, {outcome.calls} calls, "
        f"{outcome.tokens:,} tokens{money}; {outcome.session}"
    )


def _told(event: "Event | Step") -> list[str]:
    """Returns what a person who looks on is told of a line."""
    from agentctl.faces.agent.lines import Fault, Turn
    from agentctl.foreign import Foreign, show
    from agentctl_evals.tape import Step, point

    if isinstance(event, Turn):
        words = event.words().strip()
        return [show(Foreign(words), limit=_SAID_CELLS, multiline=True)] if words else []
    if isinstance(event, Fault):
        again = f"again in {event.retry_in_s} s" if event.retry_in_s is not None else "no more"
        status = f" {event.status}" if event.status is not None else ""
        return [f"model: {event.kind}{status}; {again}"]
    if isinstance(event, Step):
        try:
            summary = str(point(event.result, "/summary"))
        except LookupError:
            summary = ""
        return [
            f"→ {show(Foreign(event.call.tool), limit=_LINE_CELLS)}",
            f"    {show(Foreign(summary), limit=_LINE_CELLS)}",
        ]
    return []
