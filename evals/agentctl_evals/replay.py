"""Plays a tape against an MCP server, call by call. The agent's half only: nothing here grades."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

import msgspec

from agentctl_evals.tape import ALWAYS_KNOWN, Step, Tape, fill, point

ReplayMode = Literal["strict", "outcome"]
"""`strict` ends at the first result that is not as expected; `outcome` leaves the judging to the
grade of the end, and stops only where a later call would lack what an earlier one should have told."""


class ToolClient(Protocol):
    """An MCP connection, as a replay needs it; `agentctl.faces.mcp_client` has the real one."""

    async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
        """Returns whether the tool answered with an error, and its structured result."""
        ...


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One call and what came back."""

    step: Step
    arguments: Mapping[str, object]
    is_error: bool
    result: object


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A whole replay. `diverged` is neither a pass nor a fail: the server answered otherwise."""

    ended: Literal["complete", "diverged"]
    played: tuple[Played, ...]
    difference: str | None = None


AfterCall = Callable[[Played], Awaitable[str | None]]
"""Returns why the session cannot go on, or None where it can."""


async def replay(
    tape: Tape,
    client: ToolClient,
    *,
    names: Mapping[str, object] | None = None,
    after_call: AfterCall | None = None,
    mode: ReplayMode = "strict",
) -> Replay:
    """Plays *tape* until its end or the first result that is not as expected.

    Args:
        tape: the session.
        client: the open connection; one for the whole tape.
        names: what ``${name}`` stands for from the start.
        after_call: is told of every call, before the next; where a simulated human lives.
        mode: what a result that is not as expected means.
    """
    known = {**ALWAYS_KNOWN, **(names or {})}
    played: list[Played] = []
    for step in tape.steps:
        try:
            arguments = fill(step.call.arguments, known)
        except KeyError as missing:
            return _diverged(played, f"step {step.n}: {missing} was not saved by an earlier step")
        assert isinstance(arguments, dict)
        is_error, result = await client.call(step.call.tool, arguments)
        one = Played(step=step, arguments=arguments, is_error=is_error, result=result)
        played.append(one)
        if after_call is not None:
            stopped = await after_call(one)
            if stopped is not None:
                return _diverged(played, stopped)
        difference = _difference(one) if mode == "strict" else None
        if difference is not None:
            return _diverged(played, difference)
        try:
            known |= {name: point(result, where) for name, where in step.save.items()}
        except LookupError as missing:
            return _diverged(played, f"step {step.n}: {missing}")
    return Replay(ended="complete", played=tuple(played))


def _diverged(played: list[Played], difference: str) -> Replay:
    return Replay(ended="diverged", played=tuple(played), difference=difference)


def _difference(one: Played) -> str | None:
    expect = one.step.expect
    if expect is None:
        return None
    where = f"step {one.step.n} ({one.step.call.tool})"
    if expect.is_error is not None and expect.is_error != one.is_error:
        return f"{where}: is_error is {one.is_error}, expected {expect.is_error}: {one.result}"
    for pointer, wanted in expect.has.items():
        try:
            found = point(one.result, pointer)
        except LookupError:
            return f"{where}: there is nothing at {pointer}, expected {wanted!r}"
        if found != wanted:
            return f"{where}: {pointer} is {found!r}, expected {wanted!r}"
    return None
