"""The official inspector's command line, as docs/guides/mcp.md says, against a fresh cluster."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "mcp.md"
NODE_BIN = os.environ.get("AGENTCTL_NODE_BIN")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        NODE_BIN is None, reason="AGENTCTL_NODE_BIN names no folder with mcp-inspector; CI does"
    ),
]


def documented() -> list[str]:
    block = re.search(
        r"<!-- tested: inspector -->\n```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert block is not None
    return block[1].strip().splitlines()


def run(command: str, folder: Path, home: Path) -> Any:
    environment = os.environ | {
        "PATH": f"{NODE_BIN}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "MCP_CATALOG_PATH": str(home / "catalog.json"),
    }
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        timeout=120,
    )
    return json.loads(done.stdout) if command.startswith("mcp-inspector") else done.stdout


def test_the_inspector_lists_the_tools_and_calls_plan(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    run("agentctl init supply", tmp_path, home)
    listing, calling = documented()

    tools = run(listing, tmp_path / "supply", home)["tools"]
    planned = run(calling, tmp_path / "supply", home)

    assert {t["name"] for t in tools} >= {"status", "plan", "apply", "approve"}
    assert all(t["description"].split(".")[0] in {"Look", "Try", "Real"} for t in tools)
    assert planned["isError"] is False
    assert len(planned["structuredContent"]["data"]["plan_id"]) == 64
