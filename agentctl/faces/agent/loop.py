"""The loop: ask the model, make its calls, keep every line, until it is done, sleeps, or must stop.

It decides nothing about the cluster: every call goes to the MCP server as the agent, and a gate is a
result like any other. It never polls: where a human has not decided, the session ends as `waiting`.
All that it decides follows from the session's own lines, so a replay comes to the same end.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio

from agentctl.faces.agent.budget import spent, used_up
from agentctl.faces.agent.conversation import messages, system_prompt, told
from agentctl.faces.agent.lines import (
    Asked,
    Ended,
    EndedWhy,
    Fault,
    FaultKind,
    ToolUse,
    Turn,
)
from agentctl.faces.agent.model import Failure, Halt, Question, Reply
from agentctl.faces.agent.standing import (
    REPEATS_MAX,
    REPEATS_TOLD,
    circles,
    repeats,
    requests,
    sleeps,
)
from agentctl.faces.agent.trying import leave_own
from agentctl.faces.agent.working import Run, call_tool, keep
from agentctl.faces.mcp_client.steady import ServerLostError

if TYPE_CHECKING:
    from agentctl_evals.tape import Step

ATTEMPTS_MAX: Final = 5
"""Of one turn."""
RETRY_S_MAX: Final = 60
REPLY_TOKENS_MAX: Final = 8_192
_LASTING: Final[frozenset[FaultKind]] = frozenset({"refused"})
"""Failures that the same request would meet again."""


Ready = Callable[[Run], Awaitable[Ended | None]]
"""Makes ready what a run works in, or says why it ends at once."""


async def drive(run: Run, *, ready: Ready) -> Ended:
    """Runs the session to its end and writes it.

    Raises:
        DivergedError: a replay came to another line than the session that it replays.
    """
    try:
        ended = await ready(run) or await _driven(run)
        await leave_own(run, ended)
    except ServerLostError:
        ended = Ended(why="tools_lost")
    except anyio.get_cancelled_exc_class():
        keep(run, Ended(why="interrupted"))
        raise
    keep(run, ended)
    return ended


async def _driven(run: Run) -> Ended:
    while True:
        which = used_up(run.budget, spent(run.session.lines, run.price))
        if which is not None:
            return Ended(why="budget", budget=which)
        turn = await _turn(run)
        if isinstance(turn, Ended):
            return turn
        ended = await _obey(run, turn)
        if ended is not None:
            return ended


async def _turn(run: Run) -> Turn | Ended:
    """Asks until there is a reply, and keeps it; each attempt that failed is kept too."""
    number = 1 + sum(isinstance(line, Turn) for line in run.session.lines)
    for attempt in range(1, ATTEMPTS_MAX + 1):
        came = await run.model.reply(_question(run, number, attempt))
        if isinstance(came, Halt):
            return Ended(why=came.why, budget=came.budget)
        if isinstance(came, Reply):
            turn = Turn(turn=number, blocks=came.blocks, stop=came.stop, usage=came.usage)
            keep(run, turn)
            return turn
        wait_s = _wait_s(came, attempt)
        keep(run, _fault(came, number, attempt, wait_s))
        if wait_s is None:
            break
        halt = await run.model.pause(wait_s)
        if halt is not None:
            return Ended(why=halt.why, budget=halt.budget)
    return Ended(why="model_unavailable")


def _question(run: Run, turn: int, attempt: int) -> Question:
    left = run.budget.tokens - spent(run.session.lines, None).tokens
    return Question(
        turn=turn,
        attempt=attempt,
        system=system_prompt(),
        tools=run.tools,
        messages=messages(run.session.lines),
        reply_tokens_max=max(1, min(REPLY_TOKENS_MAX, left)),
    )


def _wait_s(failure: Failure, attempt: int) -> int | None:
    """Returns how long to wait before the next attempt; None where there is none."""
    if failure.kind in _LASTING or attempt == ATTEMPTS_MAX:
        return None
    wanted = failure.retry_after_s
    return min(RETRY_S_MAX, wanted if wanted is not None else 2 ** (attempt - 1))


def _fault(failure: Failure, turn: int, attempt: int, wait_s: int | None) -> Fault:
    return Fault(
        turn=turn,
        attempt=attempt,
        kind=failure.kind,
        status=failure.status,
        retry_in_s=wait_s,
        usage=failure.usage,
    )


async def _obey(run: Run, turn: Turn) -> Ended | None:
    """Does what a reply wants; returns the end, or None where the model is to be asked again."""
    if turn.stop == "refusal":
        return Ended(why="refusal")
    steps: list[Step] = []
    for use in turn.uses():
        if use.malformed is not None:
            continue
        stopped = run.session.stopped_here()
        if stopped is not None:
            return Ended(why=stopped)
        steps.append(await call_tool(run, use.tool, dict(use.arguments), by_us=False))
        if repeats(run.session.lines) >= REPEATS_MAX:
            return Ended(why="loop")
    if sleeps(steps):
        return Ended(why="waiting")
    if circles(run.session.lines) >= REPEATS_MAX:
        return Ended(why="loop")
    _remark(run, turn)
    return None if _goes_on(turn) else Ended(why=_why(run, turn))


def _goes_on(turn: Turn) -> bool:
    return bool(turn.uses()) or turn.stop in {"max_tokens", "pause_turn"}


def _why(run: Run, turn: Turn) -> EndedWhy:
    """Why a reply without calls is the last one."""
    if turn.stop == "model_context_window_exceeded":
        return "context_full"
    return "waiting" if requests(run.session.lines) else "done"


def _remark(run: Run, turn: Turn) -> None:
    """Says to the model what it cannot see by itself."""
    if turn.stop == "max_tokens":
        keep(run, Asked(by="agentctl", text=told("agent/cut")))
    count = repeats(run.session.lines)
    if count >= REPEATS_TOLD and _called(turn):
        use = _called(turn)[-1]
        text = told("agent/repeated", tool=use.tool, count=str(count))
        keep(run, Asked(by="agentctl", text=text))


def _called(turn: Turn) -> tuple[ToolUse, ...]:
    return tuple(use for use in turn.uses() if use.malformed is None)
