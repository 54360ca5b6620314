"""`agentctl mcp` as a process, through the client that evals and the demo use, in both eras."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentctl.faces.mcp_client.client import Era, ToolConnection
from agentctl.faces.mcp_client.client import connect as connected

WITHIN_S = 120

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    return os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


@asynccontextmanager
async def connect(
    args: tuple[str, ...], env: dict[str, str], era: Era = "auto"
) -> AsyncIterator[ToolConnection]:
    with anyio.fail_after(WITHIN_S):
        async with connected(sys.executable, args, env=env, era=era) as client:
            yield client


def agentctl(environment: dict[str, str], *arguments: str | Path) -> None:
    command = [sys.executable, "-m", "agentctl", *map(str, arguments)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=WITHIN_S)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_an_agent_works_over_stdio(
    tmp_path: Path, environment: dict[str, str], era: Era
) -> None:
    folder = tmp_path / "supply"
    agentctl(environment, "init", folder, "--no-passphrase")
    args = ("-m", "agentctl", "mcp", "--config", str(folder))

    async with connect(args, environment, era) as client:
        names = [t["name"] for t in await client.tools()]
        _, status = await client.call("status", {})
        refused, consent = await client.call("decide", {"request_id": "x"})
        _, applied = await client.call(
            "apply", {"intent": "begin", "idempotency_key": "1", "in": "cluster"}
        )
        _, rows = await client.call(
            "run_query", {"query": "supply.impact", "params": {"name": "json"}}
        )

    you: Any = status["data"]["you"]  # type: ignore[index]  # an envelope
    assert len(names) == 25
    assert you["kind"] == "agent"
    assert you["principal"].startswith("agent:")
    assert you["on_behalf_of"] == you["principal"].removeprefix("agent:")
    assert refused
    assert consent["diagnostics"][0]["code"] == "human_only"  # type: ignore[index]  # an envelope
    assert applied["data"]["converged"] is True  # type: ignore[index]  # an envelope
    assert rows["data"]["rows"] == []  # type: ignore[index]  # an envelope


async def test_a_folder_without_chain_is_served_to_an_implicit_agent(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "cluster.yaml").write_text("version: 1\n")
    args = ("-m", "agentctl", "mcp", "--config", str(folder))

    async with connect(args, environment) as client:
        _, status = await client.call("status", {})

    you: Any = status["data"]["you"]  # type: ignore[index]  # an envelope
    assert you["principal"].startswith("agent:local:")
    assert you["enrolled"] is False


def test_a_cluster_that_cannot_be_opened_ends_the_server_with_a_diagnostic(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "agentctl", "mcp", "--config", str(tmp_path / "nowhere")]

    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN_S
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert "config_dir_not_found" in done.stderr
