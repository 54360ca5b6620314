"""examples/s3/README.md run literally: a server, a cluster in a bucket, a kill, a rollback."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.testing.servers import GRPC_OFFSET, free_port
from agentctl.testing.shell import Shell

EXAMPLE = Path(__file__).parents[2] / "examples" / "s3"
WITHIN_S = 180

pytestmark = pytest.mark.slow


def test_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shutil.copytree(EXAMPLE, shell.folder, ignore=shutil.ignore_patterns(".home", ".weed"))
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ports = {
        f"{name}_PORT": str(free_port(GRPC_OFFSET)) for name in ("S3", "MASTER", "VOLUME", "FILER")
    }
    env = shell.env | ports
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    last = "\nagentctl status --json > status.json\n"
    script = "set -eu\n" + "".join(blocks[:-1]) + last + blocks[-1]

    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=shell.folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=WITHIN_S)
    finally:
        with contextlib.suppress(ProcessLookupError):  # the server too, where a step failed
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    assert process.returncode == 0, said
    assert "it was killed" in said
    assert '"web"' in said or "web" in said
    assert "taken back" in said
    assert "s3:if-none-match" in said
    status = json.loads((shell.folder / "status.json").read_text())
    found = {address: seen["status"] for address, seen in status["resource_statuses"].items()}
    assert found["graph.supply"] == "applied"
    assert sorted(p.name for p in (shell.folder / "__cluster").iterdir()) == ["binding.json"]
    assert not (shell.folder / "graphs").exists()
