"""Begins a session, or goes on with one that sleeps or was broken off."""

from agentctl import __version__
from agentctl.canonical import sha256_hex
from agentctl.faces.agent.budget import Budget
from agentctl.faces.agent.conversation import LOOP_PROMPTS, SYSTEM_PROMPTS, told
from agentctl.faces.agent.lines import Asked, Ended, Event, Recorded, Resumed
from agentctl.faces.agent.loop import REPLY_TOKENS_MAX, drive
from agentctl.faces.agent.model import Tool
from agentctl.faces.agent.standing import UNDECIDED, Request, requests, standing_of
from agentctl.faces.agent.tools import catalogue_digest
from agentctl.faces.agent.trying import open_own, return_to_own
from agentctl.faces.agent.working import NO_SANDBOX, Run, Sandboxing, keep
from agentctl.faces.prompting.reader import read_prompt
from agentctl_evals.tape import Header, Step


def header_of(
    model: str,
    principal: str,
    tools: tuple[Tool, ...],
    budget: Budget,
    *,
    sandbox: Sandboxing = NO_SANDBOX,
) -> Header:
    """Returns line 1 of a new session."""
    return Header(
        format=1,
        agentctl=__version__,
        provenance="recorded",
        principal=principal,
        catalogue_digest=catalogue_digest(tools),
        model=model,
        parameters={
            "budget": budget.plain(),
            "reply_tokens_max": REPLY_TOKENS_MAX,
            "sandbox": sandbox,
        },
        prompt_digests=prompt_digests(),
    )


def sandboxing_of(header: Header) -> Sandboxing:
    """Returns what becomes of the sandbox of a session that was recorded; older ones had none."""
    written = (header.parameters or {}).get("sandbox")
    known: dict[object, Sandboxing] = {"closed": "closed", "kept": "kept"}
    return known.get(written, NO_SANDBOX)


def prompt_digests() -> dict[str, str]:
    """Returns the SHA-256 of each prompt that a session uses, by its name."""
    return {
        name: sha256_hex(read_prompt(name).text.encode())
        for name in sorted((*SYSTEM_PROMPTS, *LOOP_PROMPTS))
    }


def unlike(header: Header, now: Header) -> str | None:
    """Returns what of this world differs from what a session was recorded in, or None."""
    if header.catalogue_digest != now.catalogue_digest:
        return "the tools are others than those of the session"
    if header.prompt_digests != now.prompt_digests:
        return "the prompts are others than those of the session"
    return None


def goal_of(recorded: Recorded) -> str:
    """Returns what the human of a session asked; of a script, what it says of itself."""
    asked = [line for line in recorded.lines if isinstance(line, Asked) and line.by == "human"]
    return asked[0].text if asked else recorded.header.script or "play the script"


async def begin(run: Run, header: Header, goal: str) -> Ended:
    """Runs a new session to its end.

    Raises:
        DivergedError: a replay came to another line than the session that it replays.
    """
    run.session.begin(header)
    keep(run, Asked(by="human", text=goal))
    return await drive(run, ready=open_own)


async def resume(run: Run) -> Ended:
    """Goes on with a session whose lines were restored.

    Where every request still waits, nothing is written, the model is not asked, and it sleeps on.

    Raises:
        DivergedError: a replay came to another line than the session that it replays.
        ServerLostError: the server did not say how the requests stand.
    """
    open_requests = requests(run.session.lines)
    ended = last_end(run.session.lines)
    answers = [(request, await _ask(run, request)) for request in open_requests]
    decided = [(r, a) for r, a in answers if standing_of(a[1]) not in {None, UNDECIDED}]
    if ended == "waiting" and open_requests and not decided:
        return Ended(why="waiting")
    keep(run, Resumed(budget=run.budget.plain()))
    if ended != "waiting":
        keep(run, Asked(by="agentctl", text=told("agent/interrupted")))
    for request, answer in decided:
        arguments = _arguments(request)
        step = run.session.add_call("approval_wait", arguments, answer, by_us=True)
        run.watch(step)
        standing = standing_of(answer[1]) or UNDECIDED
        text = told(
            "agent/resume", resource=request.resource, request=request.id, standing=standing
        )
        keep(run, Asked(by="agentctl", text=text))
    return await drive(run, ready=return_to_own)


def last_end(lines: "list[Event | Step]") -> str | None:
    """Returns why the newest run of a session ended; None where it was killed."""
    if lines and isinstance(lines[-1], Ended):
        return lines[-1].why
    return None


async def _ask(run: Run, request: Request) -> tuple[bool, object]:
    return await run.connection.call("approval_wait", _arguments(request))


def _arguments(request: Request) -> dict[str, object]:
    return {"id": request.id, "timeout_s": 0}
