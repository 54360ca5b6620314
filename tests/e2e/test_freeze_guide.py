"""docs/guides/freeze.md as a reader would follow it: every command of it, in its order."""

import re
import shlex
from pathlib import Path

import pytest

from agentctl.testing.builders import folder_files
from agentctl.testing.shell import Shell

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "freeze.md"

pytestmark = pytest.mark.slow


def _commands() -> list[list[str]]:
    lines = re.findall(r"^\$ agentctl (.+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_every_command_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    if not shell.json("status")["resource_digests"]:
        shell.done("apply")

    for words in _commands():
        if words[0] == "thaw":
            assert shell.run("apply").returncode == 3
            code, seen = shell.on_a_terminal(*words, typed=[("Type cluster", "cluster")])
            assert (code, "Thawed." in seen) == (0, True), seen
        else:
            shell.done(*words)

    assert [f["scope"] for f in shell.json("freeze", "--list")["freezes"]] == ["graph.supply"]
    assert len(_commands()) == 7


def test_who_types_something_else_thaws_nothing(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    shell.done("freeze", "-m", "a look")

    code, seen = shell.on_a_terminal("thaw", typed=[("Type cluster", "no")])

    assert (code, "confirmation_mismatch" in seen) == (1, True), seen
    assert len(shell.json("freeze", "--list")["freezes"]) == 1
