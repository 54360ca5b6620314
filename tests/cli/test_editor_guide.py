"""The guide for editors, hooks and CI is followed literally, in a new cluster."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import jsonschema
import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = ROOT / "docs" / "guides" / "editor.md"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_command_of_the_guide_works_in_a_new_cluster(tmp_path: Path) -> None:
    tested = re.findall(
        r"<!-- tested: editor -->\n```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert tested == blocks("sh"), "a block of commands that nothing runs"
    script = "".join(
        ["set -euo pipefail\nagentctl init supply --no-passphrase\ncd supply\n", *tested]
    )
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home" / ".config"),
        "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    run = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    folder = tmp_path / "supply"
    config = folder / "cluster.yaml"
    assert config.read_text().startswith("# yaml-language-server: $schema=.cluster.schema.json\n")
    schema = json.loads((folder / ".cluster.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(config.read_text()))
    assert json.loads((folder / "lint.sarif").read_text())["version"] == "2.1.0"
    assert (folder / "cluster.dot").read_text().startswith("digraph")
    assert "graph.supply" in run.stdout


def test_the_settings_of_the_guide_are_well_formed() -> None:
    (hooks,) = (yaml.safe_load(block) for block in blocks("yaml"))
    (settings,) = (json.loads(block) for block in blocks("json"))

    named = [hook["id"] for repo in hooks["repos"] for hook in repo["hooks"]]
    assert named == ["agentctl-fmt", "agentctl-validate"]
    assert set(settings) == {"yaml.schemas"}
    for repo in hooks["repos"]:
        for hook in repo["hooks"]:
            assert re.compile(hook["files"]).search("queries/impact.gq")
