"""Sandboxes as an MCP client finds them: resources, completions, and tools that a read-only server leaves out."""

import json
from pathlib import Path
from typing import Any

import mcp_types as types
import msgspec
from mcp import Client

from agentctl.faces.mcp_server.server import make_server
from agentctl_tools.entrance import Entrance
from tests.sandboxes.tools.sandbox_desk import desk


async def test_an_agents_sandboxes_are_listed_completed_and_read(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        agent = msgspec.structs.replace(here.agent, via="mcp")
        opened = (await here.must("sandbox_open", name="try")).sandbox

        async with Client(make_server(Entrance(here.cluster, agent))) as client:
            ref = types.ResourceTemplateReference(
                type="ref/resource", uri="agentctl://sandbox/{id}"
            )
            done = await client.complete(ref, {"name": "id", "value": "sandbox:"})
            listed: Any = (await client.read_resource("agentctl://sandboxes")).contents[0]
            shown: Any = (await client.read_resource(f"agentctl://sandbox/{opened}")).contents[0]

    assert done.completion.values == [opened]
    assert [one["sandbox"] for one in json.loads(listed.text)["sandboxes"]] == [opened]
    assert json.loads(shown.text)["listed"]["name"] == "try"


async def test_a_server_whose_history_is_only_read_lists_no_tool_that_changes_a_sandbox(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, read_only=True) as here:
        agent = msgspec.structs.replace(here.agent, via="mcp")
        async with Client(make_server(Entrance(here.cluster, agent))) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}

    assert {n for n in names if n.startswith("sandbox_")} == {"sandbox_diff"}
    assert "publish" not in names
    assert {"plan", "apply", "draft_edit"} <= names
