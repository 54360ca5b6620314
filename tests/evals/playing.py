"""Plays a tape of a scenario in a world of its own, over real servers."""

from pathlib import Path

import anyio

from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.host import WorldHost
from agentctl_evals.run import Graded, run_tape
from agentctl_evals.scenario import Scenario, load_scenario
from agentctl_evals.tape import read_tape

SCENARIOS = Path(__file__).parents[2] / "evals" / "scenarios"


def loaded(name: str) -> Scenario:
    """Returns a scenario of the repository."""
    scenario, problems = load_scenario(SCENARIOS / name)
    assert scenario is not None, problems
    return scenario


def played(scenario: Scenario, name: str | None, workspace: Path) -> Graded:
    """Returns how a tape of *scenario* is graded; None is the agent that does nothing."""
    tape = None
    if name is not None:
        path = scenario.folder / "tapes" / f"{name}.jsonl"
        tape, problems = read_tape(path.read_bytes(), file=name)
        assert tape is not None, problems
    workspace.mkdir()

    async def grade() -> Graded:
        composition = compose()
        try:
            host = WorldHost(composition, forgets=True)
            return await run_tape(
                scenario, tape, agent=name or "null", host=host, workspace=workspace
            )
        finally:
            await composition.aclose()

    return anyio.run(grade)


def holds(graded: Graded) -> dict[str, bool]:
    """Returns whether each score of a run holds."""
    return {score.name: score.holds for score in graded.scores}
