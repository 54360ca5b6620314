"""Propose, gate, approve, apply through the official clients: a human decides at a terminal, always.

The TypeScript client knows no elicitation. The Python client offers it, and would say yes to whatever
it is asked: nothing asks it, because a client's answer is no consent.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.context import ClientRequestContext

from agentctl.faces.mcp_client.client import Era
from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.shell import TIMEOUT_S, Shell, line_of

NODE_BIN = os.environ.get("AGENTCTL_NODE_BIN")
FLOW = Path(__file__).parent / "clients" / "flow.mjs"
QUESTION = "to approve, anything else to leave it: "

pytestmark = pytest.mark.slow
with_node = pytest.mark.skipif(
    NODE_BIN is None, reason="AGENTCTL_NODE_BIN names no folder of programs from npm; CI does"
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path).begun(folder_files("supply", "spare"))


def let_it(shell: Shell, request_id: str) -> None:
    """A human reads the page at a terminal of their own, and types the graph's name."""
    code, page = shell.on_a_terminal("approve", request_id, typed=[(QUESTION, "spare")])
    assert code == 0, page
    assert "DELETE GRAPH" in page


@contextmanager
def typescript(shell: Shell, server: dict[str, object]) -> Iterator["subprocess.Popen[str]"]:
    assert NODE_BIN is not None
    given = {"draft": cluster_yaml("supply"), "graph": "graph.spare", **server}
    process = subprocess.Popen(
        [f"{NODE_BIN}/node", str(FLOW), json.dumps(given)],
        env=shell.env | {"AGENTCTL_NODE_BIN": NODE_BIN},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
        process.wait(TIMEOUT_S)
    finally:
        process.kill()
        process.communicate()


def told(process: "subprocess.Popen[str]") -> Any:
    line = line_of(process)
    assert line, process.stderr.read() if process.stderr is not None else "it ended"
    return json.loads(line)


def go_on(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("resumed\n")
    process.stdin.flush()


def assert_done(shell: Shell, outcome: Any) -> None:
    assert not outcome["held"]
    assert outcome["standing"] == "approved"
    assert outcome["done"]
    assert "detached" in shell.done("graph", "list")
    assert "unbroken" in shell.run("audit", "verify").stderr


@with_node
def test_the_typescript_client_completes_the_flow_over_stdio_without_elicitation(
    shell: Shell,
) -> None:
    command, *arguments = shell.argv("mcp")

    with typescript(shell, {"command": command, "args": arguments, "env": shell.env}) as process:
        asked = told(process)
        let_it(shell, asked["asked"])
        go_on(process)
        outcome = told(process)

    assert asked["line"].startswith(f"agentctl approve {asked['asked']}")
    assert next(c for c in outcome["calls"] if c["tool"] == "approve")["next"] == ["approval_wait"]
    assert_done(shell, outcome)


@contextmanager
def served(shell: Shell) -> Iterator[str]:
    """Runs `agentctl serve` at a free port; yields the address of its MCP server."""
    process = subprocess.Popen(
        shell.argv("serve", "--listen", "127.0.0.1:0", "--json"),
        env=shell.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield f"{told(process)['listening']}/mcp"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()


@with_node
def test_the_typescript_client_completes_the_flow_over_http_with_a_token(shell: Shell) -> None:
    secret = shell.root / "agent.token"
    agent = next(p for p in shell.json("identity", "list")["identities"] if p["kind"] == "agent")
    shell.done("token", "create", agent["id"], "--out", secret)
    token = secret.read_text(encoding="utf-8").strip()

    with (
        served(shell) as url,
        typescript(shell, {"url": url, "token": token}) as process,
    ):
        asked = told(process)
        let_it(shell, asked["asked"])
        go_on(process)
        outcome = told(process)

    assert outcome["protocol"] == "2025-11-25"
    assert_done(shell, outcome)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_python_client_completes_the_flow_and_is_never_elicited(
    shell: Shell, era: Era
) -> None:
    command, *arguments = shell.argv("mcp")
    server = StdioServerParameters(command=command, args=arguments, env=shell.env)
    elicited: list[object] = []

    async def yes(
        context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        elicited.append((context, params))
        return types.ElicitResult(action="accept", content={"approve": True, "name": "spare"})

    async with Client(server, mode=era, elicitation_callback=yes) as client:

        async def call(tool: str, **given: object) -> Any:
            result = await client.call_tool(tool, given)
            assert not result.is_error, result.structured_content
            assert result.structured_content is not None
            return result.structured_content["data"]

        edited = await call("draft_edit", path="cluster.yaml", content=cluster_yaml("supply"))
        kept = {"in": edited["draft"]}
        held = await call(
            "apply", intent="clean up", idempotency_key="1", without_gated=True, **kept
        )
        asked = await call(
            "approve", gate="graph.spare", intent="unused", idempotency_key="2", **kept
        )
        still = await call("approval_wait", id=asked["request_id"], timeout_s=0)
        let_it(shell, asked["request_id"])
        waited = await call("approval_wait", id=asked["request_id"], timeout_s=5)
        done = await call("apply", intent="clean up", idempotency_key="3", **kept)

    assert still["standing"] == "waiting"
    assert elicited == []
    assert_done(
        shell,
        {
            "held": held["converged"],
            "standing": waited["standing"],
            "done": done["converged"],
        },
    )
