"""docs/guides/policy.md is followed literally, in a new cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "policy.md"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")


def test_every_command_of_the_guide_works_in_a_new_cluster(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    tested = re.findall(r"<!-- tested: policy -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert tested == re.findall(r"```sh\n(.*?)```", text, re.DOTALL), "a block that nothing runs"
    begin = "set -euo pipefail\nagentctl init supply --no-passphrase\ncd supply\n"
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home" / ".config"),
        "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    run = subprocess.run(
        ["bash", "-c", begin + "".join(tested)],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "policy.supply (yaml) on graph.supply" in run.stdout
    assert "agent:reporter (agent, not enrolled) may not change on graph.supply" in run.stdout
    assert "3 cases: 3 as expected, 0 not." in run.stdout
    assert run.stdout.rstrip().endswith(
        "agent:reporter (agent, not enrolled) may invoke_query on query.supply.impact\n"
        "decided by policy.supply (look:invoke_query)"
    )
