"""The sandbox that a session opens for itself, so that the agent tries before it does.

It is opened and closed by calls like any others: through the server, as the agent, on the record. A
session that sleeps or was broken off leaves it open and goes on in it, or in a new one where it is gone.
A sandbox that cannot be opened is told to the model, and the session goes on without.
"""

from collections.abc import Iterable
from typing import Final

from agentctl.faces.agent.conversation import told
from agentctl.faces.agent.lines import RESUMABLE, Asked, Ended, Line
from agentctl.faces.agent.working import NO_SANDBOX, Run, call_tool, keep
from agentctl.faces.mcp_client.steady import ServerLostError
from agentctl_evals.tape import Step, point

OPEN: Final = "sandbox_open"
CLOSE: Final = "sandbox_close"
LOOK: Final = "config_read"
"""Reads little, and is refused in a sandbox that is gone."""
PURPOSE_MAX: Final = 2000
"""Characters of the goal that whoever lists sandboxes is told."""
_SANDBOX: Final = "sandbox:"
_DRAFT: Final = "draft:"
_UNTOLD: Final = "the server did not say why"


def own_sandbox(lines: Iterable[Line]) -> str | None:
    """Returns the sandbox that the session opened for itself; None where it has none, or closed it."""
    found: str | None = None
    for line in lines:
        if not isinstance(line, Step) or _failed(line):
            continue
        if line.call.tool == OPEN and line.by == "agentctl":
            found = _text(line.result, "/data/sandbox") or None
        elif line.call.tool == CLOSE and found is not None and _closes(line, found):
            found = None
    return found


async def open_own(run: Run) -> Ended | None:
    """Opens a sandbox, where the session is to have one, and tells the model.

    Returns:
        The end, where the session that is replayed ended here.

    Raises:
        ServerLostError: the server did not answer.
    """
    if run.sandbox == NO_SANDBOX:
        return None
    return await _opened(run)


async def return_to_own(run: Run) -> Ended | None:
    """Looks whether the session's sandbox is still open, and opens another where it is not.

    Raises:
        ServerLostError: the server did not answer.
    """
    sandbox = own_sandbox(run.session.lines)
    if run.sandbox == NO_SANDBOX or (sandbox is None and _has_opened(run.session.lines)):
        return None
    if sandbox is None:
        return await _opened(run)
    stopped = run.session.stopped_here()
    if stopped is not None:
        return Ended(why=stopped)
    looked = await call_tool(run, LOOK, {"in": sandbox}, by_us=True)
    return await _opened(run, gone=sandbox) if _failed(looked) else None


async def leave_own(run: Run, ended: Ended) -> None:
    """Closes the session's sandbox, where the session is over and does not keep it.

    A server that is gone leaves it to its time to live: what the session reached, it reached.
    """
    sandbox = own_sandbox(run.session.lines)
    if sandbox is None or run.sandbox != "closed" or ended.why in RESUMABLE:
        return
    if run.session.stopped_here() is not None:
        return
    try:
        await call_tool(run, CLOSE, {"in": sandbox}, by_us=True)
    except ServerLostError:
        return


async def _opened(run: Run, *, gone: str | None = None) -> Ended | None:
    stopped = run.session.stopped_here()
    if stopped is not None:
        return Ended(why=stopped)
    step = await call_tool(run, OPEN, {"purpose": _goal(run)[:PURPOSE_MAX]}, by_us=True)
    words = [] if gone is None else [told("agent/sandbox_gone", sandbox=gone)]
    if _failed(step):
        why = _text(step.result, "/diagnostics/0/message") or _text(step.result, "/summary")
        words.append(told("agent/no_sandbox", why=why or _UNTOLD))
    else:
        sandbox = _text(step.result, "/data/sandbox")
        draft = _DRAFT + sandbox.removeprefix(_SANDBOX)
        words.append(told("agent/sandbox", sandbox=sandbox, draft=draft))
    keep(run, Asked(by="agentctl", text="\n".join(words)))
    return None


def _goal(run: Run) -> str:
    asked = (line for line in run.session.lines if isinstance(line, Asked))
    return next((line.text for line in asked if line.by == "human"), "")


def _has_opened(lines: Iterable[Line]) -> bool:
    """Whether the session tried to open one; a server that went away before may be asked again."""
    return any(
        isinstance(line, Step) and line.call.tool == OPEN and line.by == "agentctl"
        for line in lines
    )


def _closes(step: Step, sandbox: str) -> bool:
    written = step.call.arguments.get("in")
    return isinstance(written, str) and written.removeprefix(_SANDBOX) == sandbox.removeprefix(
        _SANDBOX
    )


def _failed(step: Step) -> bool:
    return step.expect is not None and bool(step.expect.is_error)


def _text(result: object, pointer: str) -> str:
    try:
        found = point(result, pointer)
    except LookupError:
        return ""
    return found if isinstance(found, str) else ""
