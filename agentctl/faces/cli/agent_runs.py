"""What `agentctl agent` is put together from: the server's process, the model, the session's file."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.agent.budget import Budget, Price, budget_of, spent
from agentctl.faces.agent.lines import RESUMABLE, Ended, Event, Recorded, Resumed, Turn, unusable
from agentctl.faces.agent.model import Model
from agentctl.faces.agent.names import Names
from agentctl.faces.agent.redaction import MODEL_VARIABLES, Redactor, secrets_of
from agentctl.faces.agent.replay_model import ReplayModel, expected_lines, is_script
from agentctl.faces.agent.running import (
    begin,
    goal_of,
    header_of,
    last_end,
    resume,
    sandboxing_of,
    unlike,
)
from agentctl.faces.agent.session import DivergedError, Session
from agentctl.faces.agent.session_file import SessionFile, create, live_path, read_file, reopen
from agentctl.faces.agent.standing import Request, requests
from agentctl.faces.agent.tools import catalogue
from agentctl.faces.agent.trying import own_sandbox
from agentctl.faces.agent.working import NO_SANDBOX, Run, Sandboxing, Watcher
from agentctl.faces.mcp_client.steady import ServerLostError, SteadyConnection, work_with
from agentctl_evals.tape import Header, Step, point

if TYPE_CHECKING:
    import httpx2

REPLAY: Final = "replay:"
KEY_VARIABLE: Final = "ANTHROPIC_API_KEY"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    session: Path
    model: str | None
    """A model of the API, or ``replay:FILE``; None is the default, or the session's own."""
    budget: Mapping[str, object]
    """The bounds that were given."""
    price: Price | None
    principal: str | None = None
    folder: Path | None = None
    """The cluster's; None where the session knows."""
    goal: str | None = None
    sandbox: Sandboxing = "closed"
    """Of a new session; one that is played or goes on does as it did."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run of a session ended; the one document of `--json`."""

    ok: bool
    ended: str
    """As in the session's last line; `diverged` and `not_begun` stand in no session."""
    session: str
    turns: int = 0
    calls: int = 0
    tokens: int = 0
    micro_dollars: int | None = None
    waiting: tuple[Request, ...] = ()
    sandbox: str | None = None
    """The session's own, where it is still open."""
    said: str = ""
    """The model's last words: foreign text."""
    diagnostics: tuple[Diagnostic, ...] = ()


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A session file that a run may write."""

    file: SessionFile
    earlier: Recorded | None = None
    values: Mapping[str, str] = {}


async def run_goal(
    wanted: Wanted, *, default_model: str, watch: Watcher, http: "httpx2.AsyncClient | None" = None
) -> Outcome:
    """Begins a session and runs it to its end.

    Args:
        wanted: what the command line asks for.
        default_model: where it names none.
        watch: is told of each line.
        http: what reaches the model's API; a test hands in one without a network.
    """
    replayed = _replayed(wanted.model)
    if isinstance(replayed, Diagnostic):
        return _not_begun(wanted, replayed)
    key = _key_for(replayed)
    if isinstance(key, Diagnostic):
        return _not_begun(wanted, key)
    made = create(wanted.session)
    if isinstance(made, Diagnostic):
        return _not_begun(wanted, made)
    model = wanted.model or default_model
    desk = _Desk(wanted, _Opened(file=made), replayed, _Api(model=model, key=key, http=http))
    return await _with_server(desk, watch)


async def resume_session(
    wanted: Wanted, *, watch: Watcher, http: "httpx2.AsyncClient | None" = None
) -> Outcome:
    """Goes on with a session, or says that it still waits."""
    replayed = _replayed(wanted.model)
    if isinstance(replayed, Diagnostic):
        return _not_begun(wanted, replayed)
    found = reopen(wanted.session)
    if isinstance(found, Diagnostic):
        return _not_begun(wanted, found)
    file, earlier, values = found
    opened = _Opened(file=file, earlier=earlier, values=values or {})
    model = wanted.model or earlier.header.model
    problem = _resumable(wanted, earlier, replayed, model) or _nameless(wanted, values)
    key = _key_for(replayed)
    if problem is not None or isinstance(key, Diagnostic):
        file.close()
        return _not_begun(wanted, problem or key)  # type: ignore[arg-type]  # one of them it is
    assert model is not None
    desk = _Desk(wanted, opened, replayed, _Api(model=model, key=key, http=http))
    return await _with_server(desk, watch)


def _replayed(model: str | None) -> Recorded | Diagnostic | None:
    if model is None or not model.startswith(REPLAY):
        return None
    return read_file(Path(model.removeprefix(REPLAY)))


def _key_for(replayed: Recorded | None) -> str | Diagnostic:
    if replayed is not None:
        return ""
    return os.environ.get(KEY_VARIABLE, "").strip() or error(
        "agent_model_key_missing",
        KEY_VARIABLE,
        "there is no key for the model's API",
        remedy="Set the variable, or play a session: --model replay:FILE",
    )


def _resumable(
    wanted: Wanted, earlier: Recorded, replayed: Recorded | None, model: str | None
) -> Diagnostic | None:
    """Returns why a session cannot go on, or None."""
    path = str(wanted.session)
    ended = last_end(list(earlier.lines))
    if ended is not None and ended not in RESUMABLE:
        told = f"the session ended: {ended}"
        return error("agent_session_over", path, told, remedy='agentctl agent run "…"')
    if model is None:
        return error(
            "agent_session_unusable",
            path,
            "a script has no model that could go on",
            remedy="--model NAME, or --model replay:FILE",
        )
    if replayed is None:
        return None
    done, whole = expected_lines(earlier), expected_lines(replayed)
    if replayed.header != earlier.header or done != whole[: len(done)]:
        told = "the session is not the beginning of the one that is replayed"
        return error("agent_replay_diverged", path, told)
    return None


def _nameless(wanted: Wanted, values: Mapping[str, str] | None) -> Diagnostic | None:
    if values is not None:
        return None
    told = "what the names of the session stand for is gone, so it cannot go on"
    return unusable(str(live_path(wanted.session)), told)


async def _with_server(desk: "_Desk", watch: Watcher) -> Outcome:
    """Starts the MCP server and lets the model work through it."""
    folder, wanted = desk.folder, desk.wanted
    args = ["-m", "agentctl", "--config", str(folder), "mcp"]
    args += ["--principal", wanted.principal] if wanted.principal is not None else []
    env = {k: v for k, v in os.environ.items() if not k.startswith(MODEL_VARIABLES)}

    async def work(connection: SteadyConnection, listed: list[dict[str, Any]]) -> Outcome:
        return await desk.work(connection, listed, watch=watch)

    try:
        return await work_with(sys.executable, args, env=env, work=work)
    except ServerLostError:
        told = "the MCP server did not start, or died before the session went on"
        remedy = f"agentctl --config {folder} status"
        return _not_begun(wanted, error("agent_tools_lost", str(folder), told, remedy=remedy))
    finally:
        desk.close()


class _Api(msgspec.Struct, frozen=True, kw_only=True):
    """How the model is reached where no session is replayed."""

    model: str
    key: str
    http: Any = None


class _Desk:
    """One run: everything that it needs, put together, and what came of it."""

    def __init__(
        self, wanted: Wanted, opened: _Opened, replayed: Recorded | None, api: _Api
    ) -> None:
        self.wanted = wanted
        folder = wanted.folder or Path(opened.values.get("folder", "."))
        self.folder = folder.resolve()
        self._opened = opened
        self._replayed = replayed
        self._api = api
        self._begun = opened.earlier is not None

    def close(self) -> None:
        """Closes the file; one that nothing was written to goes away."""
        self._opened.file.close()
        if not self._begun:
            self.wanted.session.unlink(missing_ok=True)

    async def work(
        self, connection: SteadyConnection, listed: Sequence[Mapping[str, Any]], *, watch: Watcher
    ) -> Outcome:
        """Runs the session and returns how it ended.

        Raises:
            ServerLostError: the server did not even say who calls.
        """
        _, status = await connection.call("status", {})
        known = _known(status, self.folder)
        names = Names(known)
        names.learn({k: v for k, v in self._opened.values.items() if k not in known})
        session, budget = self._session(names), self._budget()
        source, close = self._source(session, budget)
        run = Run(
            session=session,
            model=source,
            tools=catalogue(listed),
            connection=connection,
            budget=budget,
            price=self.wanted.price,
            sandbox=self._sandboxing(),
            watch=watch,
            answered=source.answered if isinstance(source, ReplayModel) else lambda _: None,
        )
        try:
            ended = await self._ran(run, _principal(status))
        except DivergedError as parted:
            self._opened.file.forget()
            return _diverged(self.wanted, run, str(parted))
        finally:
            await close()
        if isinstance(ended, Outcome):
            return ended
        self._leave(ended, names)
        return _outcome(self.wanted, run, ended)

    def _source(self, session: Session, budget: Budget) -> tuple[Model, Any]:
        """Returns the model, and what closes it."""
        if self._replayed is not None:
            done = len(session.lines)
            replay = ReplayModel(self._replayed, names=session.names, done=done)
            return replay, anyio.lowlevel.checkpoint
        from agentctl.faces.agent.anthropic_model import AnthropicModel

        deadline = anyio.current_time() + budget.minutes * 60
        made = AnthropicModel(
            self._api.model, api_key=self._api.key, deadline=deadline, http_client=self._api.http
        )
        return made, made.aclose

    async def _ran(self, run: Run, principal: str) -> Ended | Outcome:
        if self._opened.earlier is not None:
            return await resume(run)
        header = header_of(run.model.name, principal, run.tools, run.budget, sandbox=run.sandbox)
        goal = self.wanted.goal or ""
        if self._replayed is not None:
            theirs = self._replayed
            goal = self.wanted.goal or str(run.session.names.fill(goal_of(theirs)))
            differs = None if is_script(theirs) else unlike(theirs.header, header)
            if differs is not None:
                return _diverged(self.wanted, run, differs)
            header = _replay_header(theirs, header)
        self._begun = True
        return await begin(run, header, goal)

    def _session(self, names: Names) -> Session:
        theirs = self._replayed
        session = Session(
            self._opened.file,
            names=names,
            redactor=Redactor((*secrets_of(os.environ), self._api.key)),
            expected=expected_lines(theirs) if theirs is not None else (),
            held=theirs is not None and not is_script(theirs),
        )
        if self._opened.earlier is not None:
            session.restore(self._opened.earlier.lines)
        return session

    def _budget(self) -> Budget:
        """The bounds that were given, over those of the session before."""
        earlier = self._opened.earlier
        if self._replayed is not None:
            before = _replayed_bounds(
                self._replayed, None if earlier is None else len(earlier.lines)
            )
        else:
            before = {} if earlier is None else _bounds(earlier)
        return budget_of({**before, **self.wanted.budget})

    def _sandboxing(self) -> Sandboxing:
        """What was asked for; of a session that goes on or is played, what it began with."""
        begun = self._opened.earlier or self._replayed
        if begun is None:
            return self.wanted.sandbox
        # A script numbers its calls, and makes all of them itself.
        return NO_SANDBOX if is_script(begun) else sandboxing_of(begun.header)

    def _leave(self, ended: Ended, names: Names) -> None:
        if ended.why in RESUMABLE:
            self._opened.file.keep(names.values())
        else:
            self._opened.file.forget()


def _bounds(recorded: Recorded) -> Mapping[str, object]:
    """The bounds of a session: those of its last going on, or of its header."""
    for line in reversed(recorded.lines):
        if isinstance(line, Resumed):
            return line.budget
    bounds = (recorded.header.parameters or {}).get("budget")
    return bounds if isinstance(bounds, Mapping) else {}


def _replayed_bounds(recorded: Recorded, done: int | None) -> Mapping[str, object]:
    """The bounds that were in force where a replay begins, or goes on behind *done* lines."""
    if done is not None and done < len(recorded.lines):
        following = recorded.lines[done]
        if isinstance(following, Resumed):
            return following.budget
    return _bounds(msgspec.structs.replace(recorded, lines=()))


def _known(status: object, folder: Path) -> dict[str, str]:
    """Returns the names that every session begins with."""
    known = {"folder": str(folder.resolve()), "principal": _principal(status)}
    operator = _text(status, "/data/you/on_behalf_of")
    return known | ({"operator": operator} if operator else {})


def _principal(status: object) -> str:
    return _text(status, "/data/you/principal") or "agent"


def _text(value: object, pointer: str) -> str:
    try:
        found = point(value, pointer)
    except LookupError:
        return ""
    return found if isinstance(found, str) else ""


def _replay_header(theirs: Recorded, header: Header) -> Header:
    """Of a recorded session its own header; of a script ours, which says that it was one."""
    if not is_script(theirs):
        return theirs.header
    return msgspec.structs.replace(
        header, provenance="scripted", script=theirs.header.script, model=None
    )


def _outcome(wanted: Wanted, run: Run, ended: Ended) -> Outcome:
    problem = _problem(wanted, ended)
    return msgspec.structs.replace(
        _counted(wanted, run),
        ok=problem is None,
        ended=ended.why,
        diagnostics=(problem,) if problem is not None else (),
    )


def _counted(wanted: Wanted, run: Run) -> Outcome:
    lines: list[Event | Step] = run.session.lines
    total = spent(lines, run.price)
    words = [line.words() for line in lines if isinstance(line, Turn)]
    words = [text for text in words if text.strip()]
    return Outcome(
        ok=True,
        ended="",
        session=str(wanted.session),
        turns=total.turns,
        calls=sum(isinstance(line, Step) for line in lines),
        tokens=total.tokens,
        micro_dollars=total.micro_dollars,
        waiting=requests(lines),
        sandbox=own_sandbox(lines),
        said=words[-1] if words else "",
    )


_PROBLEMS: Final[Mapping[str, tuple[str, str]]] = {
    "budget": ("agent_budget_spent", "the bound of {budget} is reached"),
    "refusal": ("agent_model_refused", "the model will not do this"),
    "loop": ("agent_in_circles", "the model makes the same call again and again"),
    "context_full": ("agent_context_full", "the conversation is longer than the model can read"),
    "model_unavailable": (
        "agent_model_unavailable",
        "the model's API gave no reply; its attempts are in the session",
    ),
    "tools_lost": ("agent_tools_lost", "the MCP server went away"),
}
"""The ends that are errors."""


def _problem(wanted: Wanted, ended: Ended) -> Diagnostic | None:
    if ended.why not in _PROBLEMS:
        return None
    code, told = _PROBLEMS[ended.why]
    again = f"agentctl agent resume {wanted.session}" if ended.why in RESUMABLE else None
    if again is not None and ended.budget is not None:
        again += f" --max-{ended.budget} N"
    return error(code, str(wanted.session), told.format(budget=ended.budget), remedy=again)


def _diverged(wanted: Wanted, run: Run, difference: str) -> Outcome:
    problem = error("agent_replay_diverged", str(wanted.session), difference)
    return msgspec.structs.replace(
        _counted(wanted, run), ok=False, ended="diverged", diagnostics=(problem,)
    )


def _not_begun(wanted: Wanted, problem: Diagnostic) -> Outcome:
    return Outcome(ok=False, ended="not_begun", session=str(wanted.session), diagnostics=(problem,))
