"""`agentctl eval`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example

if TYPE_CHECKING:
    from agentctl.faces.cli.compose import Composition
    from agentctl_evals.run import Graded
    from agentctl_evals.scenario import Scenario

SCENARIOS = Path("evals/scenarios")
"""Where a checkout keeps its scenarios; they are no part of the wheel."""

_folder = click.option(
    "--scenarios",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=SCENARIOS,
    show_default=True,
    help="The folder of scenarios.",
)


@click.group("eval", epilog=example("agentctl eval list", "agentctl eval run retire-a-graph"))
def command() -> None:
    """Replay sessions of agents against fixture clusters; score safety before success."""


@command.command("list", epilog=example("agentctl eval list"))
@_folder
def list_scenarios(scenarios: Path) -> None:
    """List the scenarios and their tapes."""
    for folder in _folders(scenarios):
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_folder
@click.pass_context
def run(
    context: click.Context, /, scenario: str, *, tape: str | None, as_json: bool, scenarios: Path
) -> None:
    """Replay the tapes of a scenario over MCP, each in a fresh world, and grade the end."""
    import anyio

    from agentctl.faces.cli.printing import print_json
    from agentctl.faces.cli.session import composition_of
    from agentctl_evals.report import report_text

    loaded = _load(scenarios / scenario)
    known = [*(path.stem for path in loaded.tapes()), "null"]
    if tape is not None and tape not in known:
        context.fail(f"There is no tape {tape!r}; there are: {', '.join(known)}.")
    wanted = [tape] if tape is not None else known
    graded = anyio.run(_grade, composition_of(context), loaded, wanted)
    if as_json:
        print_json({"runs": graded})
    else:
        click.echo(report_text(graded), nl=False)


async def _grade(
    composition: "Composition", scenario: "Scenario", tapes: list[str]
) -> tuple["Graded", ...]:
    from agentctl.faces.cli.host import WorldHost
    from agentctl_evals.run import NULL_AGENT, run_tape
    from agentctl_evals.tape import read_tape

    graded: list[Graded] = []
    for name in tapes:
        tape = None
        if name != NULL_AGENT:
            path = scenario.folder / "tapes" / f"{name}.jsonl"
            tape, problems = read_tape(path.read_bytes(), file=str(path))
            _stop_at(problems)
        with TemporaryDirectory(prefix="agentctl-eval-") as workspace:
            host = WorldHost(composition)
            graded.append(
                await run_tape(scenario, tape, agent=name, host=host, workspace=Path(workspace))
            )
    return tuple(graded)


def _folders(scenarios: Path) -> list[Path]:
    if not scenarios.is_dir():
        click.echo(
            f"There is no folder {scenarios}. Scenarios come with a checkout; name another "
            "folder with --scenarios DIR.",
            err=True,
        )
        sys.exit(1)
    return sorted(path for path in scenarios.iterdir() if path.is_dir())


def _load(folder: Path) -> "Scenario":
    from agentctl_evals.scenario import load_scenario

    scenario, problems = load_scenario(folder)
    _stop_at(problems)
    assert scenario is not None
    return scenario


def _stop_at(problems: tuple[object, ...]) -> None:
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.diagnostics.render.text import render_concise

    for problem in problems:
        assert isinstance(problem, Diagnostic)
        click.echo(render_concise(problem), err=True)
        if problem.remedy:
            click.echo(f"  {problem.remedy}", err=True)
    if problems:
        sys.exit(1)
