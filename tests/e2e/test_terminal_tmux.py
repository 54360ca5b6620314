"""The terminal under tmux, by keys alone: an agent asks over MCP, a person decides, the agent goes on.

The screens are kept as text under `captures/`; AGENTCTL_KEEP_CAPTURES=1 rewrites them.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from agentctl.faces.mcp_client.client import ToolConnection, connect

CAPTURES = Path(__file__).parent / "captures"
SCENARIO = Path(__file__).parents[2] / "evals" / "scenarios" / "retire-a-graph"
WITHOUT_SCRATCH = """\
version: 1
metadata:
  name: fleet
graphs:
  services:
    schema: services.pg
    queries: queries/
"""

EVIL = "\x1b]52;c;ZXZpbA==\x07clean \x1b[2Kup \u202eevorppa\u202c [red]now[/]"

pytestmark = pytest.mark.slow


class Person(Protocol):
    environment: dict[str, str]

    def sits_down(self, folder: Path) -> None: ...
    def types(self, text: str) -> None: ...
    def presses(self, *keys: str) -> None: ...
    def runs(self, command: str) -> None: ...
    def screen(self) -> str: ...
    def records(self, file: Path) -> None: ...
    def sees(self, *texts: str, gone: str | None = None) -> str: ...


VARYING = (
    (r"column [A-E]: .*", "column X: whom it protects against"),
    (r"column [A-E]\b", "column X"),
    (r"\b01[0-9A-HJKMNP-TV-Z]{8}…", "01JXXXXXXX…"),
    (r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "01JXXXXXXXXXXXXXXXXXXXXXXX"),
    (r"\b\d\d:\d\d\b", "00:00"),
    (r"\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b", "01 Jan"),
    (r"(?:under 1|\d+) min\b", "0 min"),
    (r"\b\d+ h\b", "00 h"),
    (r"\d+\.\d KiB", "0.0 KiB"),
    (r"agent:[a-z0-9_.-]+", "agent:me"),
    (r"local:[a-z0-9_.-]+", "local:me"),
    (r"\(agent\) for [a-z0-9_.:-]+", "(agent) for me"),
    (r"compare: (?:[a-z]+ ){6}", "compare: one two three four five six "),
    (r"(── agent:me says, unverified) ─*", r"\1 ──"),
)


POLL_S = 0.05
SETTLED_S = 10.0


def normal(screen: str) -> str:
    """Returns a screen without what is different on every day and machine, sides kept apart."""
    lines = []
    for line in screen.rstrip("\n").split("\n"):
        shown = line
        for pattern, instead in VARYING:
            shown = re.sub(pattern, instead, shown)
        lines.append(re.sub(r"(?<=\S) {3,}(?=\S)", "   ", shown).rstrip())
    return "\n".join(lines).rstrip() + "\n"


def kept(name: str, person: Person, *texts: str) -> None:
    """Waits for the screen that is kept, or keeps the one on which *texts* stand.

    A screen is drawn in pieces, so that one which is looked at too early lacks some.
    """
    path = CAPTURES / f"{name}.txt"
    screen = person.sees(*texts)
    if os.environ.get("AGENTCTL_KEEP_CAPTURES"):
        CAPTURES.mkdir(exist_ok=True)
        path.write_text(normal(screen), encoding="utf-8")
    wanted = path.read_text(encoding="utf-8")
    deadline = time.monotonic() + SETTLED_S
    while normal(screen) != wanted and time.monotonic() < deadline:
        time.sleep(POLL_S)
        screen = person.screen()
    assert normal(screen) == wanted


def agentctl(person: Person, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agentctl", "--config", str(folder), *arguments],
        env=person.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def fleet(person: Person, tmp_path: Path) -> Path:
    """A cluster with two graphs, one of them with rows; its human has a key without passphrase."""
    folder = tmp_path / "fleet"
    shutil.copytree(SCENARIO / "cluster", folder)
    agentctl(person, folder, "init", "--no-passphrase", str(folder))
    agentctl(person, folder, "apply", "-m", "the first revision")
    rows = str(SCENARIO / "data" / "scratch.ndjson")
    agentctl(person, folder, "load", "scratch", rows, "-m", "notes")
    return folder


class Agent:
    """An agent that has removed a graph in a draft and asked for it, over one connection."""

    def __init__(self, connection: ToolConnection) -> None:
        self._connection = connection
        self.draft = ""
        self.request = ""

    async def call(self, tool: str, **arguments: Any) -> tuple[bool, Any]:
        return await self._connection.call(tool, arguments)

    async def asks(self, intent: str = "scratch is not wanted any more; nobody reads it") -> None:
        failed, edited = await self.call("draft_edit", path="cluster.yaml", content=WITHOUT_SCRATCH)
        assert not failed, edited
        self.draft = edited["data"]["draft"]
        failed, asked = await self.call(
            "approve",
            gate="graph.scratch",
            intent=intent,
            idempotency_key="ask",
            **{"in": self.draft},
        )
        assert not failed, asked
        self.request = asked["data"]["request_id"]

    async def applies(self, key: str) -> Any:
        _, planned = await self.call("plan", **{"in": self.draft})
        _, applied = await self.call(
            "apply",
            plan_id=planned["data"]["plan_id"],
            intent="detach scratch",
            idempotency_key=key,
            **{"in": self.draft},
        )
        return applied

    async def waits(self) -> str:
        _, told = await self.call("approval_wait", id=self.request, timeout_s=5)
        return str(told["data"]["standing"])


@asynccontextmanager
async def agent_of(person: Person, folder: Path) -> AsyncIterator[Agent]:
    command = ("-m", "agentctl", "--config", str(folder), "mcp")
    async with connect(sys.executable, command, env=person.environment) as connection:
        yield Agent(connection)


def presence(person: Person, folder: Path) -> str:
    return agentctl(person, folder, "graph", "list")


async def test_a_deletion_is_approved_by_keys_and_the_agents_next_apply_detaches_the_graph(
    person: Person, fleet: Path
) -> None:
    async with agent_of(person, fleet) as agent:
        await agent.asks()
        held = await agent.applies("before")
        assert held["data"]["waiting"], held
        assert "detached" not in presence(person, fleet)

        person.sits_down(fleet)
        person.runs("clear; agentctl tui")
        kept("approve-1-list", person, "graph.scratch", "1 waits for a decision")
        person.presses("Enter")
        kept("approve-2-page", person, "DELETE GRAPH scratch", "compare:")
        person.types("a")
        kept("approve-3-confirmation", person, "type its name: scratch", "not armed yet")
        kept("approve-4-armed", person, "Armed.")
        person.types("scratch")
        person.presses("Enter")
        kept("approve-5-result", person, "Approved: graph.scratch.", "Nothing waits")
        person.types("q")
        person.sees(">>", gone="Nothing waits")

        assert await agent.waits() == "approved"
        applied = await agent.applies("after")

        assert applied["ok"], applied
        assert "detached" in presence(person, fleet)


async def test_a_deny_takes_two_keys_and_the_graph_stays(person: Person, fleet: Path) -> None:
    async with agent_of(person, fleet) as agent:
        await agent.asks()
        person.sits_down(fleet)
        person.runs(f"clear; agentctl tui {agent.request}")
        person.sees("DELETE GRAPH scratch", "compare:")
        person.types("d")
        kept("deny-1-reasons", person, "Deny, because", "wrong target")
        person.types("2")
        kept("deny-2-result", person, "Denied: graph.scratch.", "Nothing waits")

        assert await agent.waits() == "denied"
        applied = await agent.applies("after")

        assert applied["data"]["waiting"], applied
        assert "detached" not in presence(person, fleet)


async def test_looking_and_leaving_decides_nothing(person: Person, fleet: Path) -> None:
    async with agent_of(person, fleet) as agent:
        await agent.asks()
        person.sits_down(fleet)
        person.runs("clear; NO_COLOR=1 agentctl tui")
        person.sees("graph.scratch", "1 waits for a decision")
        person.presses("Enter")
        person.sees("DELETE GRAPH scratch", "compare:")
        person.types("a")
        person.sees("Armed.")
        person.types("scratc")
        person.presses("Enter")
        person.sees("That is not its name. Nothing was signed.")
        person.presses("Escape")
        person.sees("compare:", gone="That is not its name")
        person.presses("Escape")
        person.sees("1 waits for a decision")
        person.types("q")
        person.sees(">>", gone="1 waits")

        assert await agent.waits() == "waiting"
        assert "detached" not in presence(person, fleet)


async def test_what_an_agent_writes_reaches_the_terminal_as_text_only(
    person: Person, fleet: Path, tmp_path: Path
) -> None:
    async with agent_of(person, fleet) as agent:
        await agent.asks(EVIL)
        person.sits_down(fleet)
        person.records(tmp_path / "received")
        person.runs("clear; agentctl tui")
        person.sees("graph.scratch", "1 waits for a decision")
        person.presses("Enter")
        kept("foreign-page", person, "DELETE GRAPH scratch", "‹U+202E›", "[red]now[/]")
        person.types("q")
        person.presses("Escape")
        person.sees("1 waits for a decision")
        person.types("q")
        person.sees(">>", gone="1 waits")
        person.runs(f"clear; agentctl approvals show {agent.request}")
        kept("foreign-approvals-show", person, "DELETE GRAPH scratch", "‹U+202E›", "\n>>")

    received = (tmp_path / "received").read_bytes()
    assert "‹U+202E›".encode() in received
    for acting in (b"\x1b]52", b"\x1b[2Kup", "\u202e".encode(), "\u202c".encode()):
        assert acting not in received


def test_without_a_terminal_the_screen_says_what_to_run_instead(
    person: Person, fleet: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentctl", "--config", str(fleet), "tui"],
        env=person.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )

    assert done.returncode != 0
    assert "agentctl approvals list" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
