"""Every schema that the server shows is one, and what comes back fits it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client

from agentctl.faces.mcp_server.projection import TOOLSETS, tool_list
from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

TOOLS = {tool.name: tool for tool in tool_list(frozenset(TOOLSETS))}
REAL = {"intent": "why", "idempotency_key": "one"}
CALLS: Mapping[str, dict[str, object]] = {
    "status": {},
    "config_read": {"path": "cluster.yaml"},
    "config_search": {"text": "package"},
    "validate": {},
    "lint": {},
    "plan": {},
    "schema": {"graph": "supply"},
    "queries": {},
    "run_query": {"query": "supply.all_packages"},
    "ops": {},
    "explain": {"what": "plan"},
    "draft_edit": {"path": "cluster.yaml", "content": "version: 1\n"},
    "apply": {"in": "cluster", **REAL},
    "refresh": {"intent": "why"},
    "locks": {},
    "reconcile": {"intent": "why"},
}


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_what_a_tool_takes_and_gives_is_said_in_valid_schemas(name: str) -> None:
    tool = TOOLS[name]

    Draft202012Validator.check_schema(tool.input_schema)
    assert tool.output_schema is not None
    Draft202012Validator.check_schema(tool.output_schema)
    assert tool.input_schema["type"] == tool.output_schema["type"] == "object"


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_the_data_of_a_result_fit_the_schema_that_explain_gives(
    tmp_path: Path, name: str
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    await call(cluster, bench.sarah, "apply", {"intent": "begin"})

    server = make_server(Entrance(cluster, bench.agent), toolsets=frozenset(TOOLSETS))
    async with Client(server) as client:
        uri = f"agentctl://explain/{name}"
        said = (await client.read_resource(uri)).contents
        result = await client.call_tool(name, CALLS[name])

    envelope: Any = result.structured_content
    assert envelope["ok"], envelope
    Draft202012Validator(TOOLS[name].output_schema or {}).validate(envelope)
    assert name in said[0].text  # type: ignore[union-attr]  # a text
    told = (await call(cluster, bench.agent, "explain", {"what": name})).data
    shape: Any = getattr(told, "output", None)
    if shape is not None and getattr(told, "kind", "") == "operation":
        Draft202012Validator(shape).validate(envelope["data"])
