"""A scripted model that tries a schema change and two queries in a sandbox, and what records it.

`python tests/e2e/sandbox_session.py FILE` records the session anew, which is the tape
`tries-first.jsonl` of the scenario `try-a-schema-change`.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import msgspec

from agentctl.faces.cli.agent_runs import Outcome, Wanted, run_goal
from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.host import WorldHost
from agentctl.testing.scripted_model import Act, Play, Says, ScriptedApi, results
from agentctl_evals.remotes import lay_remotes, remote_path
from agentctl_evals.run import furnish
from agentctl_evals.scenario import Scenario, load_scenario
from agentctl_evals.tape import Header, ScenarioRef

SCENARIO = Path(__file__).parents[2] / "evals" / "scenarios" / "try-a-schema-change"
GOAL = "Packages get an optional licence, with the queries `licences` and `without_licence`; publish it to origin."
SCHEMA = (SCENARIO / "data" / "supply.pg").read_text(encoding="utf-8")
QUERIES = (SCENARIO / "data" / "licences.gq").read_text(encoding="utf-8")
WRONG = QUERIES.replace("$p.licence is null", "$p.license is null")
SAMPLES = (
    '{"type":"Package","data":{"name":"musl","licence":"MIT"}}\n'
    '{"type":"Package","data":{"name":"libnew"}}\n'
)


class World(NamedTuple):
    """A scenario's world that stands."""

    folder: Path
    workspace: Path
    host: WorldHost
    names: dict[str, str]

    @property
    def origin(self) -> Path:
        """The bare repository."""
        return remote_path(self.workspace, "origin")


def scenario() -> Scenario:
    loaded, problems = load_scenario(SCENARIO)
    assert loaded is not None, problems
    return loaded


async def world_of(workspace: Path, host: WorldHost) -> World:
    """Lays the scenario's world in an empty folder."""
    folder, made = workspace / "cluster", scenario()
    await anyio.to_thread.run_sync(_copy, made.cluster, folder)
    await lay_remotes(folder, workspace, made.recipe.remotes)
    await host.prepare(folder)
    async with host.operator(folder) as operator:
        names = await furnish(made, operator)
    return World(folder, workspace, host, names)


def _copy(cluster: Path, folder: Path) -> None:
    import shutil

    shutil.copytree(cluster, folder)


def _box(body: dict[str, Any]) -> str:
    """The sandbox as the first message tells it."""
    told = body["messages"][0]["content"][-1]["text"]
    return str(told.split("`")[1])


def _plan(body: dict[str, Any]) -> str:
    found = [
        r["data"]["plan_id"]
        for r in results(body)
        if isinstance(r, dict) and r.get("data") and "plan_id" in r["data"]
    ]
    return str(found[-1])


def _says(text: str, tool: str, **arguments: object) -> Play:
    def act(body: dict[str, Any]) -> Act:
        return Says(text=text, calls=((tool, {"in": _box(body), **arguments}),))

    return act


def _applies(body: dict[str, Any]) -> Act:
    given = {
        "in": _box(body),
        "plan_id": _plan(body),
        "intent": "try the licence",
        "idempotency_key": "try-1",
    }
    return Says(calls=(("apply", given),))


ACTS: tuple[Play, ...] = (
    Says(text="I look first.", calls=(("status", {}), ("schema", {"graph": "supply"}))),
    _says("In my sandbox: the schema.", "draft_edit", path="supply.pg", content=SCHEMA),
    _says("And the queries.", "draft_edit", path="queries/licences.gq", content=WRONG),
    _says("A typo; I mend it.", "draft_edit", path="queries/licences.gq", content=QUERIES),
    _says("", "plan"),
    _applies,
    _says("A few samples.", "sandbox_write", graph="supply", rows=SAMPLES),
    _says("", "run_query", query="query.supply.licences"),
    _says("", "run_query", query="query.supply.without_licence"),
    _says("What changed in all?", "sandbox_diff"),
    _says(
        "",
        "publish",
        to="origin",
        intent="Packages get a licence, and two queries over it",
        idempotency_key="hand-1",
    ),
    Says(
        text="Tried with two rows, and published to origin; people merge it. Nothing real changed."
    ),
)


async def recorded(world: World, session: Path) -> Outcome:
    """Lets the scripted model work, and records it."""
    api = ScriptedApi(ACTS)
    wanted = Wanted(
        session=session, folder=world.folder, model=None, budget={}, price=None, goal=GOAL
    )
    done = await run_goal(
        wanted, default_model="claude-scripted-1", watch=lambda _: None, http=api.client()
    )
    assert done.ended == "done", done
    assert api.left == 0
    return done


def as_tape(session: Path) -> bytes:
    """Returns the session as a tape of the scenario."""
    first, _, rest = session.read_bytes().partition(b"\n")
    about = scenario().about
    header = msgspec.json.decode(first, type=Header)
    header = msgspec.structs.replace(
        header, scenario=ScenarioRef(id=about.id, version=about.version)
    )
    return msgspec.json.encode(header) + b"\n" + rest


async def _record(target: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        os.environ |= {
            "HOME": place,
            "XDG_CONFIG_HOME": place,
            "XDG_STATE_HOME": place,
            "ANTHROPIC_API_KEY": "none",
        }
        composition = compose()
        world = await world_of(root / "world", WorldHost(composition))
        await recorded(world, root / "session.jsonl")
        await composition.aclose()
        await anyio.Path(target).write_bytes(as_tape(root / "session.jsonl"))


if __name__ == "__main__":
    anyio.run(_record, Path(sys.argv[1]))
