"""docs/guides/ops.md as a reader would follow it, on a cluster that has changed once, and an archive for real."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agentctl.testing.builders import QUERY, WIDER_SCHEMA, cluster_yaml, folder_files
from agentctl.testing.shell import Shell

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "ops.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel"),
    pytest.mark.skipif(shutil.which("agentctl") is None, reason="agentctl is not on the path"),
]


class Knowing(Shell):
    """The same user, who has put the archive's password into the environment."""

    @property
    def env(self) -> dict[str, str]:
        return super().env | {"AGENTCTL_ARCHIVE_PASSWORD": "hush"}


def _blocks() -> list[str]:
    page = GUIDE.read_text(encoding="utf-8")
    return re.findall(r"<!-- tested: ops -->\n```sh\n(.*?)```", page, re.DOTALL)


def test_the_commands_of_the_guide_work_in_their_order(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    shell.write({"supply.gq": QUERY + "// later\n"})
    shell.done("apply", "-m", "later")
    looking, gated = _blocks()

    def ran(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=shell.folder,
            env=shell.env,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    seen = ran(looking)
    shell.write({"supply.pg": WIDER_SCHEMA})
    ran(gated)

    assert "object 2" in seen
    assert "flowchart BT" in seen
    newest = json.loads(shell.done("ops", "list", "--json", "--limit", "1"))["ops"][0]
    assert (newest["status"], newest["intent"]) == ("success", "add a field")
    assert [gate["kind"] for gate in newest["gates"]] == [
        "concurrent_lock",
        "concurrent_lock",
        "health_check",
        "health_check",
        "health_check",
        "backup",
    ]
    assert {action["kind"] for action in newest["constraints"]["on_failure"]} == {
        "restore",
        "health_check",
    }


@pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed")
def test_an_archive_is_asked_for_approved_and_fetched_from(
    tmp_path: Path,
) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    settings = f"ops:\n  archive: {{backend: local, path: {tmp_path}/kept}}\n"
    shell.write({"cluster.yaml": cluster_yaml("supply", more=settings)})
    code, seen = shell.on_a_terminal("approve", "ops", typed=[("Type ", "ops")])
    assert code == 0, seen
    shell.done("apply")
    waiting = shell.json("archive", "status")

    knowing = Knowing(tmp_path)
    knowing.done("archive", "run")
    after = knowing.json("archive", "status")
    snapshot = after["snapshots"][0]["id"]
    knowing.done("archive", "fetch", snapshot, tmp_path / "fetched")

    assert waiting["diagnostics"][0]["code"] == "archive_unavailable"
    assert after["pending"] == []
    assert list((tmp_path / "fetched" / "ops").glob("*/op.json"))
    assert (tmp_path / "kept" / "ops" / "config").is_file()
