"""What a tool's annotations say is what it does: seen on every byte of the folder and the storage root."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import mcp_types as types
import msgspec
import pytest
from mcp import Client

from agentctl.engine.cluster import Cluster
from agentctl.engine.history import History
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.faces.mcp_server.projection import TOOLSETS, tool_list
from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import QUERY, Bench, cluster_yaml, folder_files
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

ALL = frozenset(TOOLSETS) - {"commands"}
"""What those do, they do to sandboxes of this host: test_annotations_outside_the_cluster.py."""
TOOLS = {tool.name: tool for tool in tool_list(ALL)}
PUBLISHING = {"publish"}
"""Its effects are in repositories: proved in the same module as those."""
KEPT_PLANS = "__cluster/plans/"
"""A plan that was made is kept, so that its id means something; it is in no digest of anything."""
MOVING = ("__cluster/locks/", "__cluster/leases/", "__cluster/audit/", "__cluster/state.json")
"""What every change moves: leases, and the copy of the newest state that the seed reads."""
OF_SANDBOXES = {name for name in TOOLS if name.startswith("sandbox_")}
OF_PLAYBOOKS = {name for name in TOOLS if name.startswith("playbook_")}
OF_DATA = {"mutate"} | OF_SANDBOXES | OF_PLAYBOOKS
MERGING = "sandbox_merge"
HISTORY = "history.sqlite"
"""Of the clusters that keep one: playbooks are rows of it."""
BOUND = "policies: {main: {file: main.cedar, applies_to: [cluster]}}\n"
A_ROW = '{"type": "Package", "data": {"name": "z"}}\n'
ADD = "query add($name: String) { insert Package { name: $name } }\n"
SECOND = QUERY.replace("all_packages", "names")


def hints(tool: types.Tool) -> types.ToolAnnotations:
    assert tool.annotations is not None
    return tool.annotations


READ_ONLY = sorted(name for name, t in TOOLS.items() if hints(t).read_only_hint)
CHANGING = sorted(set(TOOLS) - set(READ_ONLY) - PUBLISHING)
LOOKS: Mapping[str, dict[str, object]] = {
    "config_read": {"path": "cluster.yaml"},
    "config_search": {"text": "package"},
    "schema": {"graph": "supply"},
    "query": {"graph": "supply", "query": QUERY},
    "run_query": {"query": "supply.all_packages"},
    "explain": {"what": "plan"},
    "approval_wait": {"timeout_s": 0},
}


class Ground:
    """A cluster with a draft, a plan, an open request and an op to go back on."""

    def __init__(self, bench: Bench, cluster: Cluster, client: Client) -> None:
        self.bench, self.cluster, self.client = bench, cluster, client
        self.history = bench.path.parent / HISTORY
        self.draft = self.gone = self.plan = self.request = self.op = self.sandbox = ""

    @property
    def own(self) -> str:
        """The id of the caller's sandbox; empty where there is none."""
        return self.sandbox.removeprefix("sandbox:")

    async def prepare(self) -> None:
        edited = await self.tool("draft_edit", path="supply.gq", content=f"{QUERY}\n{SECOND}")
        self.draft = edited["data"]["draft"]
        self.plan = (await self.tool("plan", within=self.draft))["data"]["plan_id"]
        gone = await self.tool(
            "draft_edit", path="cluster.yaml", content=folder_files("supply")["cluster.yaml"]
        )
        self.gone = gone["data"]["draft"]

    async def prepare_for(self, name: str) -> None:
        await self.prepare()
        if name in OF_SANDBOXES | OF_PLAYBOOKS:
            opened = await self.tool("sandbox_open", name="here")
            self.sandbox = opened["data"]["sandbox"]
            await self.tool("sandbox_snapshot", within=self.sandbox, name="before")
        if name in OF_PLAYBOOKS | {MERGING}:
            given = {"query": "supply.add", "params": {"name": "w"}}
            await self.tool("sandbox_write", within=self.sandbox, **given)
        if name in OF_PLAYBOOKS:
            made = {"within": self.sandbox, "name": "there"}
            await self.tool("playbook_from_sandbox", **made)
        if name == "approval_wait":
            asked = await self.tool("approve", **self.change("approve"))
            self.request = asked["data"]["request_id"]
        if name == "rollback":
            applied = await self.tool("apply", **self.change("apply"))
            self.op = applied["data"]["op"]

    async def tool(self, name: str, /, **arguments: object) -> dict[str, Any]:
        """Calls a tool; ``in`` is written `within`."""
        named = {("in" if k == "within" else k): v for k, v in arguments.items()}
        result = await self.client.call_tool(name, named)
        envelope = result.structured_content
        assert envelope is not None
        assert envelope["ok"], (name, envelope)
        return dict(envelope)

    def everything(self) -> dict[str, bytes]:
        folder = {str(p): p.read_bytes() for p in self.bench.path.rglob("*") if p.is_file()}
        objects = {k: v for k, v in self.bench.objects.items() if KEPT_PLANS not in k}
        return folder | objects | self.kept()

    def kept(self) -> dict[str, bytes]:
        """Each row of the history, by itself."""
        if not self.history.exists():
            return {}
        with closing(sqlite3.connect(self.history)) as database:
            return dict.fromkeys((f"{HISTORY}: {line}" for line in database.iterdump()), b"")

    def change(self, name: str) -> dict[str, object]:
        """Arguments with which the tool does something."""
        real: dict[str, object] = {"intent": "why", "idempotency_key": "one"}
        changes: dict[str, dict[str, object]] = {
            "draft_edit": {
                "path": "supply.gq",
                "content": f"{QUERY}\n{SECOND}",
                "within": self.draft,
            },
            "sandbox_open": {"name": "other"},
            "sandbox_write": {"within": self.sandbox, "graph": "supply", "rows": A_ROW},
            "sandbox_snapshot": {"within": self.sandbox, "name": "now-and-then"},
            "sandbox_restore": {"within": self.sandbox, "name": "before"},
            "sandbox_close": {"within": self.sandbox},
            "sandbox_merge": {"within": self.sandbox, "graph": "supply", **real},
            "playbook_create": {"name": "new"},
            "playbook_from_sandbox": {"within": self.sandbox, "name": "new"},
            "playbook_delete": {"name": "there"},
            "apply": {"plan_id": self.plan, **real},
            "rollback": {"op": self.op, **real},
            "mutate": {"query": "supply.add", "params": {"name": "a"}, **real},
            "approve": {"gate": "graph.old", "within": self.gone, **real},
            "refresh": {"intent": "why"},
            "import": {"intent": "why"},
            "force_unlock": {"lock_id": "none", "intent": "why"},
            "reconcile": {"intent": "why"},
        }
        return changes[name]


@asynccontextmanager
async def ground(tmp_path: Path, name: str = "") -> AsyncIterator[tuple[Bench, Cluster]]:
    """Prepares the ground for a tool; only real graphs are changed row by row.

    Agents merge where a policy lets them, and playbooks are kept in a history.
    """
    bench = Bench(tmp_path, where="lance" if name in OF_DATA else "memory")
    files = folder_files("supply", "old")
    if name in OF_DATA:
        files["supply.gq"] = f"{QUERY}\n{ADD}"
    if name == MERGING:
        files["cluster.yaml"] = cluster_yaml("supply", "old", policies=BOUND)
        files["main.cedar"] = "permit (principal, action, resource);\n"
    cluster = await bench.begun(files)
    done = await call(cluster, bench.sarah, "apply", {"intent": "begin"})
    assert done.ok, done
    if name not in OF_PLAYBOOKS:
        yield bench, cluster
        return
    history = History(StoreConfig(url=f"sqlite:///{tmp_path / HISTORY}"), bench.world.now)
    try:
        yield bench, msgspec.structs.replace(cluster, history=history)
    finally:
        await history.aclose()


@asynccontextmanager
async def prepared(tmp_path: Path, name: str) -> AsyncIterator[Ground]:
    """Connects an agent with all toolsets to the ground of a tool."""
    async with (
        ground(tmp_path, name) as (bench, cluster),
        Client(make_server(Entrance(cluster, bench.agent), toolsets=ALL)) as client,
    ):
        here = Ground(bench, cluster, client)
        await here.prepare_for(name)
        yield here


@pytest.mark.parametrize("name", READ_ONLY)
async def test_a_tool_that_says_it_only_reads_leaves_every_byte(tmp_path: Path, name: str) -> None:
    async with prepared(tmp_path, name) as here:
        given = dict(LOOKS.get(name, {}))
        if name in OF_SANDBOXES:
            given["in"] = here.sandbox
        if name == "approval_wait":
            given["id"] = here.request
        if name == "playbook_show":
            given["name"] = "there"
        before = here.everything()
        for _ in range(2):
            result = await here.client.call_tool(name, given)
            assert not result.is_error, result.structured_content

    assert here.everything() == before


@pytest.mark.parametrize("name", [n for n in CHANGING if hints(TOOLS[n]).idempotent_hint])
async def test_a_tool_that_says_it_is_idempotent_does_it_once(tmp_path: Path, name: str) -> None:
    async with prepared(tmp_path, name) as here:
        change = here.change(name)
        await here.tool(name, **change)
        effects = await effects_of(here)
        await here.tool(name, **change)
        effects_again = await effects_of(here)

    assert effects_again == effects


async def effects_of(here: Ground) -> object:
    """What is applied, what is asked, what the drafts say, and which ops there are."""
    state: Any = (await call(here.cluster, here.bench.sarah, "status", {})).data
    ops: Any = (await call(here.cluster, here.bench.sarah, "ops", {"limit": 200})).data
    read: Any = await here.tool("config_read", path="supply.gq", within=here.draft)
    return (
        state.state_observations.state_revision,
        dict(state.resource_digests),
        sorted(r.request_id for r in state.waiting),
        [o.id for o in ops.ops],
        read["data"]["text"],
    )


@pytest.mark.parametrize("name", [n for n in CHANGING if not hints(TOOLS[n]).destructive_hint])
async def test_a_tool_that_says_it_destroys_nothing_leaves_what_was_there(
    tmp_path: Path, name: str
) -> None:
    """Objects are only added, and the folder's files stay as they are; what is live stays live.

    Of what is in one's own sandbox nothing is real, and closing it takes all of it away.
    """
    async with prepared(tmp_path, name) as here:
        before = here.everything()
        digests = (await effects_of(here))[1]  # type: ignore[index]  # a tuple
        arguments = here.change(name)
        if name == "import":  # There is a ledger already: that it refuses must cost nothing too.
            await here.client.call_tool(name, arguments)
        else:
            await here.tool(name, **arguments)
        after = here.everything()
        digests_after = (await effects_of(here))[1]  # type: ignore[index]  # a tuple

    assert digests_after == digests
    assert lost(here, before, after) == set()
    kept = [k for k in before if not here.own or here.own not in k]
    changed = {k for k in kept if k in after and before[k] != after[k]}
    assert {k for k in changed if not any(m in k for m in MOVING)} <= set(), changed


async def test_what_a_playbook_was_is_gone_where_a_tool_says_so(tmp_path: Path) -> None:
    """The test above sees it: a tool that took this away and did not say so would fail there."""
    async with prepared(tmp_path, "playbook_delete") as here:
        before = here.everything()
        await here.tool("playbook_delete", **here.change("playbook_delete"))
        after = here.everything()

    assert hints(TOOLS["playbook_delete"]).destructive_hint
    assert {k.partition(":")[0] for k in lost(here, before, after)} >= {HISTORY}


def lost(here: Ground, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    """Returns what was there and is not any more, beside what moves and the caller's sandbox."""
    kept = [k for k in before if not here.own or here.own not in k]
    return {k for k in kept if k not in after and not any(m in k for m in MOVING)}


def test_every_tool_is_of_one_of_the_kinds_that_are_proved() -> None:
    for tool in TOOLS.values():
        told = hints(tool)
        assert None not in told.model_dump(exclude={"title"}).values()
        assert told.open_world_hint is False
        assert not (told.read_only_hint and told.destructive_hint)
