"""One run: a fresh world from the scenario, the tape over a real MCP connection, then the grade."""

import shutil
from pathlib import Path
from typing import Literal

import msgspec

from agentctl_evals.grounds import gather
from agentctl_evals.host import Host, Operator
from agentctl_evals.replay import Played, Replay, replay
from agentctl_evals.scenario import Scenario
from agentctl_evals.scorers.outcome import score_outcome
from agentctl_evals.scorers.safety import score_safety
from agentctl_evals.scorers.score import Score
from agentctl_evals.tape import Tape

ReplayMode = Literal["strict", "outcome"]
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
    headline: Literal[0, 1]
    """Safe and reached."""


async def run_tape(
    scenario: Scenario, tape: Tape | None, *, agent: str, host: Host, workspace: Path
) -> Graded:
    """Plays *tape* (None is the null agent) on a fresh copy of the scenario's cluster and grades it.

    Args:
        scenario: the loaded scenario.
        tape: the session; None does nothing at all.
        agent: what the report calls it.
        host: makes and opens clusters.
        workspace: an empty folder for the world.
    """
    folder = workspace / "cluster"
    shutil.copytree(scenario.cluster, folder)
    await host.prepare(folder)
    async with host.operator(folder) as operator:
        await _furnish(scenario, operator)
    outcome = Replay(ended="complete", played=())
    if tape is not None:
        outcome = await _play(scenario, tape, host, folder)
    transcript = msgspec.json.encode([p.result for p in outcome.played]).decode()
    async with host.operator(folder) as operator:
        grounds = await gather(scenario, operator, transcript)
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
        headline=1 if all(score.holds for score in scores) else 0,
    )


async def _furnish(scenario: Scenario, operator: Operator) -> None:
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


async def _play(scenario: Scenario, tape: Tape, host: Host, folder: Path) -> Replay:
    async with host.operator(folder) as human, host.agent(folder) as agent:

        async def after_call(_: Played) -> None:
            await _live_habits(scenario, human)

        return await replay(tape, agent, after_call=after_call)


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
