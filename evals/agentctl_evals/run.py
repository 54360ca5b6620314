"""One run: a fresh world from the scenario, the tape over a real MCP connection, then the grade."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl_evals.grounds import gather, look_before
from agentctl_evals.host import Host, Operator
from agentctl_evals.remotes import lay_remotes
from agentctl_evals.replay import Played, Replay, ReplayMode, replay
from agentctl_evals.scenario import Scenario
from agentctl_evals.scorers.outcome import score_outcome
from agentctl_evals.scorers.safety import score_safety
from agentctl_evals.scorers.score import Score
from agentctl_evals.tape import Tape

NULL_AGENT = "null"
"""The name of the agent that does nothing: safe, not good."""


class Graded(msgspec.Struct, frozen=True, kw_only=True):
    """One graded run."""

    scenario: str
    version: int
    canary: str
    agent: str
    """The tape's file name, or ``null``."""
    ended: Literal["complete", "diverged"]
    difference: str | None
    calls: int
    scores: tuple[Score, ...]
    headline: Literal[0, 1] | None
    """Safe and reached; None where the replay diverged, which is neither."""


def tape_problems(scenario: Scenario, tape: Tape, *, file: str) -> tuple[Diagnostic, ...]:
    """Returns why *tape* is not one of *scenario* as it stands; nothing where it is."""
    made_for = tape.header.scenario
    about = scenario.about
    if made_for is not None and (made_for.id, made_for.version) == (about.id, about.version):
        return ()
    told = "no scenario" if made_for is None else f"{made_for.id} version {made_for.version}"
    return (
        error(
            "eval_scenario_invalid",
            file,
            f"the tape was made for {told}; this is {about.id} version {about.version}",
            remedy="Record it again, and review what differs.",
        ),
    )


async def run_tape(
    scenario: Scenario,
    tape: Tape | None,
    *,
    agent: str,
    host: Host,
    workspace: Path,
    mode: ReplayMode = "strict",
) -> Graded:
    """Plays *tape* (None is the null agent) on a fresh copy of the scenario's cluster and grades it.

    Args:
        scenario: the loaded scenario.
        tape: the session; None does nothing at all.
        agent: what the report calls it.
        host: makes and opens clusters.
        workspace: an empty folder for the world.
        mode: whether each result must be as the tape expects, or only the end counts.
    """
    folder = workspace / "cluster"
    shutil.copytree(scenario.cluster, folder)
    await lay_remotes(folder, workspace, scenario.recipe.remotes)
    await host.prepare(folder)
    async with host.operator(folder) as operator:
        names = await furnish(scenario, operator)
        before = await look_before(scenario, operator)
    outcome = Replay(ended="complete", played=())
    if tape is not None:
        outcome = await _play(World(scenario, host, folder, names), tape, mode)
    async with host.operator(folder) as operator:
        grounds = await gather(
            scenario, operator, workspace=workspace, played=outcome.played, before=before
        )
    scores = (score_safety(scenario, grounds), score_outcome(scenario, grounds))
    return Graded(
        scenario=scenario.about.id,
        version=scenario.about.version,
        canary=scenario.about.canary,
        agent=agent,
        ended=outcome.ended,
        difference=outcome.difference,
        calls=len(outcome.played),
        scores=scores,
        headline=_headline(outcome, scores),
    )


def _headline(outcome: Replay, scores: tuple[Score, ...]) -> Literal[0, 1] | None:
    if outcome.ended == "diverged":
        return None
    return 1 if all(score.holds for score in scores) else 0


class World(NamedTuple):
    """Where a tape is played."""

    scenario: Scenario
    host: Host
    folder: Path
    names: Mapping[str, str]


async def furnish(scenario: Scenario, operator: Operator) -> dict[str, str]:
    """Applies the cluster, fills it, and returns what a tape knows by name."""
    for remote in scenario.recipe.remotes:
        asked = {"gate": f"remote.{remote}", "intent": "the world's remote"}
        filed = msgspec.to_builtins((await operator.call("request_approval", asked)).data)
        decided = await operator.decide(filed["request_id"], "approve", None)
        assert decided.ok, decided
    applied = await operator.call("apply", {"intent": "lay the scenario's cluster"})
    assert applied.ok, applied
    for load in scenario.recipe.loads:
        path = scenario.folder / "data" / load.file
        done = await operator.call(
            "load",
            {
                "graph": load.graph,
                "file": str(path),
                "mode": "append",
                "intent": "fill the scenario's graph",
            },
        )
        assert done.ok, done
    names: dict[str, str] = {}
    for name in scenario.recipe.others:
        opened = await operator.call("sandbox_open", {"name": name})
        assert opened.ok, opened
        names[name] = msgspec.to_builtins(opened.data)["sandbox"]
    return names


async def _play(world: World, tape: Tape, mode: ReplayMode) -> Replay:
    host, folder = world.host, world.folder
    toolsets = world.scenario.about.toolsets
    async with host.operator(folder) as human, host.agent(folder, toolsets) as agent:

        async def after_call(_: Played) -> None:  # a human never ends the agent's session
            await _live_habits(world.scenario, human)

        return await replay(tape, agent, names=world.names, after_call=after_call, mode=mode)


async def _live_habits(scenario: Scenario, human: Operator) -> None:
    """Lets the simulated human decide what waits, as `human.yaml` says."""
    verdicts = {h.gate: h for h in scenario.human.habits if h.does != "silence"}
    if not verdicts:
        return
    listed = await human.call("approvals", {})
    plain = msgspec.to_builtins(listed.data)
    assert isinstance(plain, dict)
    for request in plain["requests"]:
        habit = verdicts.get(request["statement"]["resource"])
        if habit is not None and habit.does != "silence":
            await human.decide(request["request_id"], habit.does, habit.why)
