"""docs/guides/backup.md as a reader would follow it: every command of it, in its order."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from agentctl.testing.builders import folder_files
from agentctl.testing.shell import Shell

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "backup.md"
PLACE = "/mnt/backups/supply"
EXAMPLE_ID = "01J9ZC4R3QWE5T6Y7U8I9O0P1A"

pytestmark = pytest.mark.slow


def _commands() -> list[list[str]]:
    lines = re.findall(r"^\$ agentctl (.+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_every_command_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    _git(shell.folder, "init", "-q")
    _git(shell.folder, "add", "cluster.yaml")
    _git(shell.folder, "commit", "-q", "-m", "begin")
    place = tmp_path / "place"
    clone = shell.copied(tmp_path / "clone")
    for name in ("__cluster", "graphs", "ops", "sandboxes"):
        shutil.rmtree(clone.folder / name, ignore_errors=True)

    for words in _commands():
        found = [b.stem for b in (place / "backups").glob("*.json")] or [EXAMPLE_ID]
        real = [w.replace(PLACE, str(place)).replace(EXAMPLE_ID, found[0]) for w in words]
        user = clone if "restore" in words else shell
        user.done(*real)

    assert (
        clone.json("status")["state_observations"]["state_revision"]
        == (shell.json("status")["state_observations"]["state_revision"])
    )
    assert len(_commands()) == 6
