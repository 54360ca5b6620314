"""A model that misbehaves works through a real MCP server; its session replays byte for byte, twice.

Source: issue 5, item 6 and its "must show"; access-and-faces 3.6.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx2
import pytest

from agentctl.faces.agent.budget import Price
from agentctl.faces.agent.lines import Event, Fault, Recorded, read_session
from agentctl.faces.agent.session_file import live_path
from agentctl.faces.cli.agent_runs import Outcome, Wanted, resume_session, run_goal
from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.host import WorldHost
from agentctl.testing.scripted_model import Act, Fails, Lost, Play, Says, ScriptedApi, results
from agentctl_evals.replay import Played, replay
from agentctl_evals.tape import Step, point, read_tape

pytestmark = pytest.mark.slow

CLUSTER = Path(__file__).parents[2] / "evals" / "scenarios" / "retire-a-graph" / "cluster"
KEY = "sk-ant-api03-" + "k3yOfThe0perator" * 3
PASTED = "ghp_" + "p4stedByTheModel" * 2
GOAL = "Add the query `owners` and retire the graph scratch."
OWNERS = (
    "query owners() {\n  match { $s: Service  $s ownedBy $t }\n  return { $s.name as service }\n}\n"
)
WITHOUT_SCRATCH = (
    "version: 1\nmetadata:\n  name: fleet\ngraphs:\n  services:\n    schema: services.pg\n"
    "    queries: queries/\n"
)


class Made(NamedTuple):
    """One recording, for all tests that only read it."""

    session: Path
    folder: Path
    slept: Outcome
    done: Outcome
    graphs: set[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        at_home(root, patch)

        async def record() -> Made:
            world = await World(root / "world").made()
            session = root / "session.jsonl"
            slept, done = await recorded(world, session)
            return Made(session, world.folder, slept, done, await world.graphs())

        yield anyio.run(record)


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home(tmp_path, monkeypatch)


def at_home(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("HOME", str(root / "home"))
    patch.setenv("XDG_CONFIG_HOME", str(root / "home" / ".config"))
    patch.setenv("XDG_STATE_HOME", str(root / "home" / ".state"))
    patch.setenv("ANTHROPIC_API_KEY", KEY)


class World:
    """A fresh cluster with its own human."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = WorldHost(compose())

    async def made(self) -> "World":
        shutil.copytree(CLUSTER, self.folder)
        await self.host.prepare(self.folder)
        async with self.host.operator(self.folder) as operator:
            applied = await operator.call("apply", {"intent": "lay the cluster"})
            assert applied.ok, applied
        return self

    async def decide(self, request_id: str) -> None:
        async with self.host.operator(self.folder) as operator:
            decided = await operator.decide(request_id, "approve", None)
            assert decided.ok, decided

    async def graphs(self) -> set[str]:
        async with self.host.operator(self.folder) as operator:
            listed: Any = (await operator.call("graph_list", {})).data
        return {g.id for g in listed.graphs if g.presence == "live"}


def nowhere() -> httpx2.AsyncClient:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(request.url)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(refuse))


def silent(_: Event | Step) -> None:
    """Nobody looks on."""


def wanted(session: Path, folder: Path, **more: Any) -> Wanted:
    given: dict[str, Any] = {"model": None, "budget": {}, "price": None, **more}
    return Wanted(session=session, folder=folder, **given)


def draft(body: dict[str, Any]) -> str:
    return next(str(r["data"]["draft"]) for r in results(body) if has(r, "draft"))


def plan(body: dict[str, Any]) -> str:
    return next(str(r["data"]["plan_id"]) for r in reversed(results(body)) if has(r, "plan_id"))


def has(result: Any, field: str) -> bool:
    return isinstance(result, dict) and field in (result.get("data") or {})


def asks(body: dict[str, Any]) -> Act:
    return Says(calls=(("approve", {**ASKS, "in": draft(body)}),))


def edits(body: dict[str, Any]) -> Act:
    second = {"in": draft(body), "path": "cluster.yaml", "content": WITHOUT_SCRATCH}
    return Says(text=f"The draft is {draft(body)}.", calls=(("draft_edit", second),))


def plans(body: dict[str, Any]) -> Act:
    return Says(calls=(("plan", {"in": draft(body)}),))


def does_what_it_may(body: dict[str, Any]) -> Act:
    given = {
        "plan_id": plan(body),
        "without_gated": True,
        "intent": "the owners query",
        "idempotency_key": "owners-1",
    }
    return Says(calls=(("apply", given),))


EDIT = {"path": "cluster.yaml", "content": WITHOUT_SCRATCH}
ASKS = {"gate": "graph.scratch", "intent": "unused", "idempotency_key": "ask-1"}


def finishes(body: dict[str, Any]) -> Act:
    given = {"plan_id": plan(body), "intent": "as approved", "idempotency_key": "retire-1"}
    return Says(calls=(("apply", given),))


BEFORE: tuple[Play, ...] = (
    Lost(),
    Says(text="I begin.", calls=(("status", {}),), cut_after=4),
    Fails(status=529, kind="overloaded_error"),
    Fails(status=429, kind="rate_limit_error", retry_after="0"),
    Says(text=f"I begin. My key is {KEY}.", calls=(("status", {}),)),
    Says(calls=(("draft_edit", {"path": 5, "contents": "x"}),)),
    Says(calls=(("draft_edit", '{"path": "queries/owners.gq", "content"'),)),
    Says(calls=(("decide", {"request_id": "any", "verdict": "approve"}),)),
    Says(calls=(("schema", {"graph": "services"}),)),
    Says(calls=(("schema", {"graph": "services"}),)),
    Says(calls=(("schema", {"graph": "services"}), ("no_such_tool", {"token": PASTED}))),
    Says(text="x" * 50, calls=(("validate", {}),), stop="max_tokens"),
    Says(calls=(("draft_edit", {"path": "queries/owners.gq", "content": OWNERS}),)),
    edits,
    plans,
    does_what_it_may,
    Says(calls=(("approve", ASKS),)),
    Says(text="Scratch waits for a human; the rest is done."),
)
AFTER: tuple[Play, ...] = (
    Fails(status=500, kind="api_error"),
    Says(calls=(("plan", {}),)),
    finishes,
    Says(text="It is done."),
)


async def recorded(world: World, session: Path) -> tuple[Outcome, Outcome]:
    """A whole session: run, sleep, a human's decision, resumed, done."""
    first = ScriptedApi(BEFORE)
    slept = await run_goal(
        wanted(session, world.folder, goal=GOAL, price=Price(input=3, output=15)),
        default_model="claude-scripted-1",
        watch=silent,
        http=first.client(),
    )
    assert slept.ended == "waiting", slept
    assert first.left == 0
    await world.decide(slept.waiting[0].id)
    second = ScriptedApi(AFTER)
    done = await resume_session(wanted(session, world.folder), watch=silent, http=second.client())
    assert second.left == 0
    return slept, done


async def test_a_session_of_a_model_that_misbehaves_replays_byte_for_byte_twice(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (made.slept.ended, made.slept.ok) == ("waiting", True)
    assert (made.done.ended, made.done.ok, made.done.said) == ("done", True, "It is done.")
    assert made.graphs == {"services"}
    monkeypatch.delenv("ANTHROPIC_API_KEY")

    for again in ("once", "twice"):
        other = await World(tmp_path / again).made()
        played = tmp_path / f"{again}.jsonl"
        from_file = f"replay:{made.session}"
        first = await run_goal(
            wanted(played, other.folder, model=from_file),
            default_model="none",
            watch=silent,
            http=nowhere(),
        )
        assert first.ended == "waiting", first
        assert made.session.read_bytes().startswith(played.read_bytes())
        await other.decide(first.waiting[0].id)
        last = await resume_session(
            wanted(played, other.folder, model=from_file), watch=silent, http=nowhere()
        )

        assert last.ended == "done", last
        assert played.read_bytes() == made.session.read_bytes()
        assert await other.graphs() == {"services"}


def test_the_file_holds_no_key_no_header_and_no_id_and_is_a_tape(made: Made) -> None:
    text = made.session.read_text()

    for secret in (KEY, PASTED, "uthorization", "x-api-key", "the API's own words"):
        assert secret not in text
    for varying in (made.slept.waiting[0].id, str(made.folder), "toolu_"):
        assert varying not in text
    assert "[redacted]" in text
    assert made.session.stat().st_mode & 0o777 == 0o600
    assert not live_path(made.session).exists()
    tape, problems = read_tape(made.session.read_bytes(), file="session.jsonl")
    assert problems == ()
    assert tape is not None
    tools = [step.call.tool for step in tape.steps]
    assert tools[-5:] == ["approval_wait", "config_read", "plan", "apply", "sandbox_close"]


def test_every_attempt_and_what_it_cost_is_in_the_session(made: Made) -> None:
    found = read_session(made.session.read_bytes(), file="s")

    assert isinstance(found, Recorded)
    faults = [line.kind for line in found.lines if isinstance(line, Fault)]
    assert faults == ["connection", "cut", "overloaded", "rate_limited", "server"]
    assert made.slept.micro_dollars is not None
    assert made.slept.micro_dollars >= 14 * (100 * 3 + 20 * 15)


def test_what_the_model_did_wrong_was_answered_as_an_error_and_is_on_record(made: Made) -> None:
    tape, _ = read_tape(made.session.read_bytes(), file="session.jsonl")
    assert tape is not None

    wrong = [
        (step.call.tool, point(step.result, "/diagnostics/0/code"))
        for step in tape.steps
        if step.expect is not None and step.expect.is_error
    ]

    assert wrong == [
        ("draft_edit", "invalid_arguments"),
        ("decide", "human_only"),
        ("no_such_tool", "unknown_operation"),
    ]


async def test_what_a_human_has_not_decided_is_not_asked_again_and_costs_nothing(
    tmp_path: Path,
) -> None:
    session = tmp_path / "session.jsonl"
    world = await World(tmp_path / "world").made()
    api = ScriptedApi((Says(calls=(("draft_edit", EDIT),)), asks, Says(text="I wait.")))
    asked = wanted(session, world.folder, goal=GOAL)
    slept = await run_goal(asked, default_model="m", watch=silent, http=api.client())
    before = session.read_bytes()

    still = await resume_session(
        Wanted(session=session, model=None, budget={}, price=None), watch=silent, http=nowhere()
    )

    assert still.ended == "waiting"
    assert still.waiting == slept.waiting
    assert session.read_bytes() == before


async def test_a_replay_in_another_world_ends_where_it_parts(tmp_path: Path, made: Made) -> None:
    other = await World(tmp_path / "other").made()
    schema = other.folder / "services.pg"
    schema.write_text(schema.read_text() + "\nnode Stray { name: String @key }\n")

    parted = await run_goal(
        wanted(tmp_path / "again.jsonl", other.folder, model=f"replay:{made.session}"),
        default_model="none",
        watch=silent,
        http=nowhere(),
    )

    assert parted.ended == "diverged"
    assert [d.code for d in parted.diagnostics] == ["agent_replay_diverged"]
    assert "differs at /result" in parted.diagnostics[0].message


async def test_the_calls_of_a_session_play_as_a_tape(tmp_path: Path, made: Made) -> None:
    tape, _ = read_tape(made.session.read_bytes(), file="session.jsonl")
    assert tape is not None
    world = await World(tmp_path / "world").made()

    async def human(played: Played) -> str | None:
        if played.step.call.tool == "approve":
            assert isinstance(played.result, dict)
            await world.decide(played.result["data"]["request_id"])
        return None

    async with world.host.agent(world.folder) as agent:
        ended = await replay(tape, agent, after_call=human)

    assert ended.ended == "complete", ended.difference
    assert await world.graphs() == {"services"}
