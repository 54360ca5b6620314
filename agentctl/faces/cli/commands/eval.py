"""`agentctl eval`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import config_option, example, settings_of

if TYPE_CHECKING:
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.compose import Composition
    from agentctl_evals.replay import ReplayMode
    from agentctl_evals.run import Graded
    from agentctl_evals.scenario import Scenario

SCENARIOS = Path("evals/scenarios")
"""Where a checkout keeps its scenarios; they are no part of the wheel."""

_config = config_option("The checkout whose evals/scenarios are meant; default: here.")


@click.group("eval", epilog=example("agentctl eval list", "agentctl eval run retire-a-graph"))
@_config
def command(**_: object) -> None:
    """Replay sessions of agents against fixture clusters; score safety before success."""


@command.command("list", epilog=example("agentctl eval list"))
@_config
@click.pass_context
def list_scenarios(context: click.Context, /, **_: object) -> None:
    """List the scenarios and their tapes."""
    for folder in _folders(settings_of(context).config / SCENARIOS):
        scenario = _load(folder)
        tapes = ", ".join(path.stem for path in scenario.tapes())
        click.echo(f"{scenario.about.id}  {scenario.about.title}")
        click.echo(f"    tapes: {tapes}")


@command.command(
    "run",
    epilog=example(
        "agentctl eval run retire-a-graph", "agentctl eval run retire-a-graph --tape null --json"
    ),
)
@click.argument("scenario", metavar="SCENARIO")
@click.option("--tape", metavar="NAME", help="One tape; `null` is the agent that does nothing.")
@click.option(
    "--mode",
    type=click.Choice(["strict", "outcome"]),
    default="strict",
    show_default=True,
    help="Whether each answer must be as the tape expects, or only the end counts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_config
@click.pass_context
def run(
    context: click.Context,
    /,
    scenario: str,
    *,
    tape: str | None,
    mode: "ReplayMode",
    **_: object,
) -> None:
    """Replay the tapes of a scenario over MCP, each in a fresh world, and grade the end.

    The exit code is 0 where every tape was played to its end, whatever its score.
    """
    import anyio

    from agentctl.faces.cli.printing import print_json
    from agentctl.faces.cli.session import composition_of
    from agentctl_evals.report import report_text

    settings = settings_of(context)
    folders = {folder.name: folder for folder in _folders(settings.config / SCENARIOS)}
    if scenario not in folders:
        context.fail(f"There is no scenario {scenario!r}; there are: {', '.join(folders)}.")
    loaded = _load(folders[scenario])
    known = [*(path.stem for path in loaded.tapes()), "null"]
    if tape is not None and tape not in known:
        context.fail(f"There is no tape {tape!r}; there are: {', '.join(known)}.")
    wanted = [tape] if tape is not None else known
    graded = anyio.run(_grade, composition_of(context), loaded, wanted, mode)
    if settings.as_json:
        print_json({"runs": graded})
    else:
        click.echo(report_text(graded), nl=False)
    if any(run.ended == "diverged" for run in graded):
        sys.exit(ExitCode.ERRORS)


async def _grade(
    composition: "Composition", scenario: "Scenario", tapes: list[str], mode: "ReplayMode"
) -> tuple["Graded", ...]:
    from agentctl.faces.cli.host import WorldHost
    from agentctl_evals.run import NULL_AGENT, run_tape, tape_problems
    from agentctl_evals.tape import read_tape

    graded: list[Graded] = []
    for name in tapes:
        tape = None
        if name != NULL_AGENT:
            path = scenario.folder / "tapes" / f"{name}.jsonl"
            tape, problems = read_tape(path.read_bytes(), file=str(path))
            _stop_at(problems)
            assert tape is not None
            _stop_at(tape_problems(scenario, tape, file=str(path)))
        with TemporaryDirectory(prefix="agentctl-eval-") as workspace:
            host = WorldHost(composition, forgets=True)
            at = Path(workspace)
            graded.append(
                await run_tape(scenario, tape, agent=name, host=host, workspace=at, mode=mode)
            )
    return tuple(graded)


def _folders(scenarios: Path) -> list[Path]:
    if not scenarios.is_dir():
        click.echo(
            f"There is no folder {scenarios}. Scenarios come with a checkout; name one "
            "with --config DIR.",
            err=True,
        )
        sys.exit(ExitCode.ERRORS)
    return sorted(path for path in scenarios.iterdir() if path.is_dir())


def _load(folder: Path) -> "Scenario":
    from agentctl_evals.scenario import load_scenario

    scenario, problems = load_scenario(folder)
    _stop_at(problems)
    assert scenario is not None
    return scenario


def _stop_at(problems: "tuple[Diagnostic, ...]") -> None:
    from agentctl.diagnostics.render.text import render_concise

    for problem in problems:
        click.echo(render_concise(problem), err=True)
        if problem.remedy:
            click.echo(f"  {problem.remedy}", err=True)
    if problems:
        sys.exit(ExitCode.ERRORS)
