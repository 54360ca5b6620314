"""What a model sees of sandboxes of commands: only where the operator wants it, and no secret."""

from typing import Any

from mcp import Client

from agentctl.faces.mcp_server.server import make_server
from agentctl_tools.entrance import Entrance
from tests.sandboxes.commands.command_desk import CommandDesk

SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


async def test_a_model_runs_commands_and_reads_tokens_where_the_toolset_is_on(
    files: CommandDesk,
) -> None:
    agent = files.bench.agent
    server = make_server(Entrance(files.cluster, agent), toolsets=frozenset({"commands"}))
    async with Client(server) as client:

        async def ask(tool: str, arguments: dict[str, Any]) -> Any:
            result = await client.call_tool(tool, arguments)
            assert SECRET not in result.model_dump_json()
            return result.structured_content

        started = await ask("sandbox_start", {"source": "site"})
        sandbox = started["data"]["sandbox"]
        line = {"in": sandbox, "command": ["sh", "-c", "rev key | tee /dev/stderr"]}
        written = {"in": sandbox, "command": ["tee", "key"], "stdin": SECRET[::-1]}
        await ask("sandbox_run", written)
        told = await ask("sandbox_run", line)
        token = told["data"]["stdout"].strip()
        again = await ask("sandbox_run", {"in": sandbox, "command": ["echo", token]})
        closed = await ask("sandbox_close", {"in": sandbox})

    assert token.startswith("[REDACTED_")
    assert told["data"]["stderr"].strip() == token
    assert again["data"]["stdout"].strip() == token
    assert closed["ok"]
    assert await files.held() == {}


async def test_without_the_toolset_there_is_no_such_tool(files: CommandDesk) -> None:
    server = make_server(Entrance(files.cluster, files.bench.agent))
    async with Client(server) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("sandbox_run", {"in": "sandbox:x", "command": ["ls"]})

    assert not names & {"sandbox_start", "sandbox_run", "sandbox_look"}
    told: Any = result.structured_content
    assert not told["ok"]
