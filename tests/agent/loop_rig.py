"""A loop in memory: pages for a file, a server that answers as it was told, a model from a script."""

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import msgspec

from agentctl.faces.agent.anthropic_model import AnthropicModel
from agentctl.faces.agent.budget import Budget, Price
from agentctl.faces.agent.lines import Asked, Ended, Recorded, decode_line
from agentctl.faces.agent.model import Tool
from agentctl.faces.agent.names import Names
from agentctl.faces.agent.redaction import Redactor
from agentctl.faces.agent.replay_model import ReplayModel, expected_lines
from agentctl.faces.agent.running import begin, header_of, sandboxing_of
from agentctl.faces.agent.session import Session
from agentctl.faces.agent.working import NO_SANDBOX, Run, Sandboxing
from agentctl.testing.scripted_model import Play, ScriptedApi
from agentctl_evals.tape import Header

TOOLS = (Tool(name="status", description="Look.", input_schema={"type": "object"}),)
REQUEST = "01M7ZFAN7J1EC84SFMPP1KYPMR"
ASKED = {
    "ok": True,
    "summary": "Asked.",
    "data": {
        "request_id": REQUEST,
        "resource": "graph.old",
        "tell_your_human": f"agentctl approve {REQUEST}",
    },
}


def standing(word: str) -> dict[str, object]:
    return {"ok": True, "summary": word, "data": {"request_id": REQUEST, "standing": word}}


class Pages:
    """A file in memory."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.values: dict[str, str] = {}

    def append(self, line: bytes) -> None:
        self.lines.append(line)

    def keep(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    def recorded(self) -> Recorded:
        header = msgspec.json.decode(self.lines[0], type=Header)
        return Recorded(header=header, lines=tuple(map(decode_line, self.lines[1:])), size_bytes=0)


class Answers:
    """A server in memory: one answer for each tool, the last of several again and again."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {
            name: list(a) if isinstance(a, list) else [a] for name, a in answers.items()
        }
        self.calls: list[tuple[str, Mapping[str, object]]] = []

    async def call(self, tool: str, arguments: Mapping[str, object]) -> tuple[bool, object]:
        self.calls.append((tool, dict(arguments)))
        left = self._answers.get(tool)
        if left is None:
            return True, {"ok": False, "summary": "Refused."}
        answer = left[0] if len(left) == 1 else left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return isinstance(answer, dict) and answer.get("ok") is False, answer


async def ran(
    acts: Iterable[Play],
    server: Answers,
    *,
    budget: Budget | None = None,
    price: Price | None = None,
    minutes: float = 5,
    sandbox: Sandboxing = NO_SANDBOX,
) -> tuple[Ended, Pages, ScriptedApi]:
    api, pages = ScriptedApi(acts), Pages()
    deadline = anyio.current_time() + minutes * 60
    model = AnthropicModel("m", api_key="k" * 20, deadline=deadline, http_client=api.client())
    run = run_of(pages, model, server, budget=budget, price=price, sandbox=sandbox)
    header = header_of("m", "agent:x", TOOLS, run.budget, sandbox=sandbox)
    ended = await begin(run, header, "the goal")
    return ended, pages, api


def run_of(
    pages: Pages,
    model: Any,
    server: Answers,
    *,
    budget: Budget | None = None,
    price: Price | None = None,
    expected: Recorded | None = None,
    sandbox: Sandboxing = NO_SANDBOX,
) -> Run:
    lines = () if expected is None else expected_lines(expected)
    names = model._names if isinstance(model, ReplayModel) else Names({})
    session = Session(
        pages, names=names, redactor=Redactor(()), expected=lines, held=expected is not None
    )
    return Run(
        session=session,
        model=model,
        tools=TOOLS,
        connection=server,
        budget=budget or Budget(),
        price=price,
        sandbox=sandbox if expected is None else sandboxing_of(expected.header),
        watch=lambda _: None,
    )


def asked_by_us(pages: Pages) -> list[str]:
    lines = pages.recorded().lines
    return [a.text for a in lines if isinstance(a, Asked) and a.by == "agentctl"]


async def replayed(pages: Pages, server: Answers, *, budget: Budget | None = None) -> Pages:
    source, again = pages.recorded(), Pages()
    names = Names({})
    run = run_of(again, ReplayModel(source, names=names), server, budget=budget, expected=source)
    await begin(run, source.header, "the goal")
    return again
