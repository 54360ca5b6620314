"""A recorded session tries a schema change in a sandbox, mends it, publishes it; people take it over.

Source: issue 7, "Must show". The session is the tape `tries-first.jsonl`, recorded by `agent run`; it
is replayed over a real MCP connection, with a real git repository and a bare remote.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import pytest

from agentctl.adapters.sources.directory import Folder
from agentctl.faces.cli.agent_runs import Wanted, run_goal
from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.host import WorldHost, WorldOperator
from agentctl_evals.replay import Played, replay
from agentctl_evals.tape import Tape, read_tape
from tests.e2e.sandbox_session import SCENARIO, World, recorded, world_of

pytestmark = pytest.mark.slow

TAPE: Final = SCENARIO / "tapes" / "tries-first.jsonl"
Change = tuple[str, str, str | None, str | None]


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / ".state"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")


@asynccontextmanager
async def a_world(workspace: Path) -> AsyncIterator[World]:
    """Gives the scenario's world, and closes what it opened."""
    await anyio.Path(workspace).mkdir()
    composition = compose()
    try:
        yield await world_of(workspace, WorldHost(composition))
    finally:
        await composition.aclose()


def tape() -> Tape:
    found, problems = read_tape(TAPE.read_bytes(), file=TAPE.name)
    assert found is not None, problems
    return found


def git(folder: Path, *words: str) -> str:
    quiet = ("-c", "user.name=sarah", "-c", "user.email=s@localhost")
    done = subprocess.run(
        ["git", *quiet, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def answers(played: tuple[Played, ...], tool: str) -> list[Any]:
    """What a tool answered each time."""
    return [p.result for p in played if p.step.call.tool == tool]


async def asked(operator: WorldOperator, operation: str, **arguments: object) -> Any:
    envelope = await operator.call(operation, arguments)
    assert envelope.ok, (operation, envelope.summary, envelope.diagnostics)
    return msgspec.to_builtins(envelope.data)


def changes(listed: list[Mapping[str, Any]]) -> list[Change]:
    """What a plan would do: what, how, from what, to what."""
    return [
        (c["resource"], c["operation"], c.get("before_digest"), c.get("after_digest"))
        for c in listed
    ]


async def of_the_real(operator: WorldOperator) -> Any:
    """All that is applied and loaded for real."""
    status = await asked(operator, "status")
    rows = await asked(operator, "run_query", query="query.supply.packages")
    return (
        status["state_observations"],
        status["resource_digests"],
        rows["rows"],
        rows["graph_commit_id"],
    )


async def digests_of(folder: Path) -> tuple[str, str | None]:
    loaded = await Folder(folder).load(confined=True)
    return loaded.source_digest, loaded.config_digest


async def test_what_was_tried_and_published_is_what_people_get_and_nothing_else(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path / "world") as world:
        async with world.host.operator(world.folder) as operator:
            before = await of_the_real(operator)
        async with world.host.agent(world.folder) as agent:
            ended = await replay(tape(), agent, names=world.names)
        assert ended.ended == "complete", ended.difference
        made = ended.played

        _, wrong, mended = answers(made, "draft_edit")
        assert [d["code"] for d in wrong["diagnostics"]] == ["query_typecheck_error"]
        assert (wrong["data"]["valid"], mended["data"]["valid"]) == (False, True)
        (written,) = answers(made, "sandbox_write")
        assert written["data"]["report"]["rows"] == {"Package": 2}
        known, unknown = (a["data"]["rows"] for a in answers(made, "run_query"))
        assert {"p.name": "musl", "p.licence": "MIT"} in known
        assert [row["p.name"] for row in unknown] == ["curl", "libnew", "zlib"]
        (diff,) = (a["data"]["changes"] for a in answers(made, "sandbox_diff"))
        assert (diff["files_added"], diff["files_modified"]) == (
            ["queries/licences.gq"],
            ["supply.pg"],
        )
        assert [p["name"] for p in diff["packages_added"]] == ["supply.Package.licence"]
        assert [(r["type_name"], r["added"]) for r in diff["rows"]] == [("Package", 2)]

        async with world.host.operator(world.folder) as operator:
            assert await of_the_real(operator) == before
            await the_change_set_gives_its_digests(operator, world, made)
            await the_real_plan_is_the_tried_one(operator, world, made)


async def the_change_set_gives_its_digests(
    operator: WorldOperator, world: World, made: tuple[Played, ...]
) -> None:
    """The patch, applied by git itself to a fresh clone, and the branch are what was tried."""
    (published,) = (a["data"] for a in answers(made, "publish"))
    shown = await asked(operator, "changeset_show", digest=published["change_set"])
    promised = shown["body"]["result"]
    again = await asked(operator, "changeset_replay", digest=published["change_set"])
    assert (again["source"], again["config"]) == (
        promised["source_digest"],
        promised["config_digest"],
    )
    for name, branch in (("patched", "main"), ("branch", published["publication"]["branch"])):
        clone = world.workspace / name
        git(world.workspace, "clone", "-q", "-b", branch, str(world.origin), str(clone))
        if name == "patched":
            patch = world.workspace / "change.patch"
            patch.write_text(shown["body"]["patch"], encoding="utf-8")
            git(clone, "apply", str(patch))
        assert await digests_of(clone) == (promised["source_digest"], promised["config_digest"])


async def the_real_plan_is_the_tried_one(
    operator: WorldOperator, world: World, made: tuple[Played, ...]
) -> None:
    """People merge the branch into the folder: its plan is the one that was applied in the sandbox."""
    assert (await asked(operator, "plan"))["result"]["changes"] in ([], ())
    (published,) = (a["data"] for a in answers(made, "publish"))
    git(
        world.folder,
        "pull",
        "-q",
        "--ff-only",
        str(world.origin),
        published["publication"]["branch"],
    )
    (tried,) = answers(made, "plan")

    real = await asked(operator, "plan")

    assert changes(real["result"]["changes"]) == changes(tried["data"]["changes"])
    assert {c[0] for c in changes(real["result"]["changes"])} == {
        "graph.supply",
        "schema.supply",
        "query.supply.licences",
        "query.supply.without_licence",
    }


async def test_such_a_session_replays_byte_for_byte_as_a_session_of_its_model(
    tmp_path: Path,
) -> None:
    session, again = tmp_path / "session.jsonl", tmp_path / "again.jsonl"
    async with a_world(tmp_path / "one") as world:
        first = await recorded(world, session)
    async with a_world(tmp_path / "two") as world:
        wanted = Wanted(
            session=again,
            folder=world.folder,
            model=f"replay:{session}",
            budget={},
            price=None,
        )
        second = await run_goal(wanted, default_model="none", watch=lambda _: None)

    assert (first.ended, second.ended) == ("done", "done"), second
    assert again.read_bytes() == session.read_bytes()
    assert first.sandbox is None
