"""What a run of a session works with, and how it keeps a line and makes a call."""

from collections.abc import Callable
from typing import Final, Literal, Protocol

import msgspec

from agentctl.faces.agent.budget import Budget, Price
from agentctl.faces.agent.lines import Event
from agentctl.faces.agent.model import Model, Tool
from agentctl.faces.agent.session import Session
from agentctl.faces.agent.tools import ToolConnection
from agentctl_evals.tape import Step

Sandboxing = Literal["closed", "kept", "none"]
"""What becomes of a session's own sandbox when it is over; `none`: it opens none."""
NO_SANDBOX: Final[Sandboxing] = "none"


class Watcher(Protocol):
    """Is told what happens, while it happens."""

    def __call__(self, event: Event | Step, /) -> None:
        """Takes one line, with real values."""
        ...


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of a session needs."""

    session: Session
    model: Model
    tools: tuple[Tool, ...]
    connection: ToolConnection
    budget: Budget
    price: Price | None = None
    sandbox: Sandboxing = NO_SANDBOX
    watch: Watcher
    answered: Callable[[Step], None] = lambda _: None
    """Is told of each answer before the model is asked again."""


def keep(run: Run, event: Event) -> None:
    """Keeps an event, and tells it."""
    run.session.add(event)
    run.watch(event)


async def call_tool(run: Run, tool: str, arguments: dict[str, object], *, by_us: bool) -> Step:
    """Makes one call and keeps it with its answer.

    Raises:
        ServerLostError: there was no answer.
    """
    answer = await run.connection.call(tool, arguments)
    step = run.session.add_call(tool, arguments, answer, by_us=by_us)
    run.watch(step)
    run.answered(step)
    return step
