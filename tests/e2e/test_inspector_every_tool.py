"""The official inspector's command line lists the tools with `--strict` and calls each of them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.sampling import sampled
from agentctl.testing.shell import Shell

NODE_BIN = os.environ.get("AGENTCTL_NODE_BIN")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        NODE_BIN is None, reason="AGENTCTL_NODE_BIN names no folder of programs from npm; CI does"
    ),
]

REAL: Final = {"intent": "look at it", "idempotency_key": "key-one"}
ARGUMENTS: Final[dict[str, dict[str, str]]] = {
    "approve": {**REAL, "gate": "graph.supply"},
    "approval_wait": {"id": "none", "timeout_s": "0"},
    "apply": {**REAL, "in": "cluster"},
    "config_read": {"path": "cluster.yaml"},
    "draft_edit": {"path": "cluster.yaml", "content": cluster_yaml("supply")},
    "explain": {"what": "gate"},
    "lint": {},
    "rollback": {**REAL, "op": "none"},
    "run_query": {"query": "supply.all_packages", "params": "{}"},
    "schema": {"graph": "supply"},
    "validate": {},
}
"""What a tool is called with; one that is not named here is called with a word for all it requires."""
CALLED: Final = 8
"""Of the tools that are called, unless the run is long: each call is a start of Node and of a server."""
REFUSED: Final = {"approve", "approval_wait", "rollback"}
"""What has nothing to do in a converged cluster, and says so in an envelope."""


def inspect(shell: Shell, *arguments: str) -> "subprocess.CompletedProcess[str]":
    assert NODE_BIN is not None
    command, *args = shell.argv("mcp", "--toolsets", "operator")
    server = {"command": command, "args": args, "env": shell.env}
    snippet = shell.root / "client.json"
    snippet.write_text(json.dumps({"mcpServers": {"agentctl": server}}), encoding="utf-8")
    chosen = ["--config", str(snippet), "--server", "agentctl"]
    return subprocess.run(
        [f"{NODE_BIN}/mcp-inspector", "--cli", *chosen, *arguments],
        cwd=shell.folder,
        env=shell.env | {"PATH": f"{NODE_BIN}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )


def arguments_of(tool: dict[str, Any]) -> list[str]:
    given = ARGUMENTS.get(tool["name"])
    if given is None:
        given = dict.fromkeys(tool["inputSchema"].get("required", ()), "word") | {
            name: value for name, value in REAL.items() if name in tool["inputSchema"]["properties"]
        }
    return [f"{name}={value}" for name, value in given.items()]


def test_the_inspector_finds_every_schema_portable_and_every_tool_answers(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))

    listing = inspect(shell, "--method", "tools/list", "--strict")
    assert listing.returncode == 0, listing.stderr
    tools = json.loads(listing.stdout)["tools"]
    answers: dict[str, Any] = {}
    for tool in sampled(tools, CALLED, of="tools"):
        pairs = arguments_of(tool)
        given = ["--tool-arg", *pairs] if pairs else []
        called = inspect(shell, "--method", "tools/call", "--tool-name", tool["name"], *given)
        assert called.stdout, (tool["name"], called.stderr)
        answers[tool["name"]] = json.loads(called.stdout)

    assert "0 errors" in listing.stderr, listing.stderr
    assert set(ARGUMENTS) <= {tool["name"] for tool in tools}
    envelopes = {name: answer["structuredContent"] for name, answer in answers.items()}
    assert {name: e["ok"] for name, e in envelopes.items()} == {
        name: not answer.get("isError", False) for name, answer in answers.items()
    }
    told = {n: e["diagnostics"] for n, e in envelopes.items() if n in ARGUMENTS and not e["ok"]}
    assert set(told) == REFUSED & set(answers), {n: told[n] for n in set(told) - REFUSED}
    assert all(e["diagnostics"] for n, e in envelopes.items() if n in REFUSED)
