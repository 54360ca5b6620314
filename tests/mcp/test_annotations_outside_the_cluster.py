"""The annotations of tools whose effects lie elsewhere: in repositories, and in sandboxes of this host."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client

from agentctl.engine.cluster import Cluster
from agentctl.faces.mcp_server.projection import TOOLSETS, tool_list, tools
from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import Bench
from agentctl_tools.entrance import Entrance
from tests.sandboxes.commands.command_desk import command_desk
from tests.sandboxes.publish.publish_rig import Publisher, publisher, run_git

ALL = frozenset(TOOLSETS)
COMMANDS = set(tools(frozenset({"commands"}))) - set(tools())
MOVING = ("__cluster/locks/", "__cluster/leases/", "__cluster/audit/", "/.git/", "history.sqlite")
"""What every change moves; of a repository the refs and their commits are looked at instead."""


def hints(name: str) -> types.ToolAnnotations:
    found = {tool.name: tool for tool in tool_list(ALL)}[name].annotations
    assert found is not None
    return found


def connected(bench: Bench, cluster: Cluster) -> AbstractAsyncContextManager[Client]:
    return Client(make_server(Entrance(cluster, bench.agent), toolsets=ALL))


async def ask(client: Client, tool: str, /, **arguments: object) -> Any:
    """Calls a tool; ``in`` is written `within`."""
    named = {("in" if k == "within" else k): v for k, v in arguments.items()}
    envelope = (await client.call_tool(tool, named)).structured_content
    assert envelope is not None
    assert envelope["ok"], envelope
    return envelope["data"]


def files_below(place: Path) -> Mapping[str, bytes]:
    found = {str(path): path for path in place.rglob("*") if path.is_file()}
    return {
        key: path.read_bytes() for key, path in found.items() if not any(m in key for m in MOVING)
    }


def refs(here: Publisher) -> Mapping[str, str]:
    """Returns what every branch is at, in the folder's repository and in the remote."""
    told: dict[str, str] = {}
    for place in (here.bench.path, here.origin):
        lines = run_git(place, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        told |= {f"{place.name}:{ref}": sha for ref, sha in (line.split(" ") for line in lines)}
    return told


async def test_publish_adds_one_commit_however_often_and_takes_nothing_away(tmp_path: Path) -> None:
    assert hints("publish").idempotent_hint
    assert not hints("publish").destructive_hint
    async with publisher(tmp_path) as here:
        box = await here.tried()
        before, refs_before = files_below(here.bench.path), refs(here)
        asked = {"within": box, "to": "origin", "intent": "notes", "idempotency_key": "one"}
        async with connected(here.bench, here.cluster) as client:
            first = await ask(client, "publish", **asked)
            once, made = refs(here), here.made()
            again = await ask(client, "publish", **asked)

        assert first["publication"] == again["publication"]
        assert (refs(here), here.made()) == (once, made)
        assert len(made) == 1
        assert refs_before.items() < once.items()
        after = files_below(here.bench.path)
        assert {k: v for k, v in after.items() if k in before} == before


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_a_tool_of_commands_leaves_the_source_and_the_cluster_as_they_were(
    tmp_path: Path, name: str
) -> None:
    """One that says it only reads leaves no sandbox behind either."""
    async with command_desk(tmp_path) as here:
        box = await here.start()
        asked: dict[str, dict[str, object]] = {
            "sandbox_start": {"source": "site", "name": "other"},
            "sandbox_run": {"within": box, "command": ["sh", "-c", "rm -r ./* && echo new > new"]},
            "sandbox_look": {"source": "site", "line": "cat settings.conf"},
        }
        places = (tmp_path / "site", here.bench.path)
        before, held = [files_below(place) for place in places], await here.held()
        async with connected(here.bench, here.cluster) as client:
            await ask(client, name, **asked[name])
            assert not hints(name).destructive_hint

        assert [files_below(place) for place in places] == before
        assert set(held) <= set(await here.held())
        if hints(name).read_only_hint:
            assert await here.held() == held


def test_each_tool_is_proved_here_or_beside_the_others() -> None:
    assert {"sandbox_start", "sandbox_run", "sandbox_look"} == COMMANDS
    for tool in tool_list(ALL):
        told = hints(tool.name)
        assert None not in told.model_dump(exclude={"title"}).values()
        assert told.open_world_hint is False
        assert not (told.read_only_hint and told.destructive_hint)
