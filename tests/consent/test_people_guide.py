"""The guide about people is followed: its commands exist, its YAML is read, and what needs no answer runs."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentctl.adapters.notify.profile import read_targets
from agentctl.adapters.sources.directory import Folder
from agentctl.faces.cli.main import cli
from agentctl.testing.shell import Shell

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "people.md"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ agentctl ")) for line in lines]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_guide_has_its_verb_and_its_options(words: list[str]) -> None:
    named = [w for w in words[:2] if not w.startswith("-") and "." not in w]
    told = CliRunner().invoke(cli, [*named, "--help"], prog_name="agentctl")

    assert told.exit_code == 0, told.output
    for option in (w for w in words if w.startswith("--")):
        assert option in told.output


async def test_the_rule_of_the_guide_is_one(tmp_path: Path) -> None:
    rule, _ = blocks("yaml")
    (tmp_path / "cluster.yaml").write_text(f"version: 1\n{rule}")

    loaded = await Folder(tmp_path).load(confined=True)

    assert loaded.diagnostics == ()
    assert loaded.desired is not None
    assert [o.address for o in loaded.desired.others] == ["approval.deletions"]


def test_the_profile_of_the_guide_is_one(tmp_path: Path) -> None:
    _, profile = blocks("yaml")
    (tmp_path / "profile.yaml").write_text(profile)

    found = read_targets(tmp_path / "profile.yaml")

    assert found.diagnostics == ()
    assert len(found.targets) == 3


@pytest.mark.slow
def test_a_colleague_is_enrolled_as_the_guide_says(tmp_path: Path) -> None:
    sarah = Shell(tmp_path / "sarah").begun({"cluster.yaml": "version: 1\n"})
    tom = Shell(tmp_path / "tom")
    make, enrol, _ = commands()[:3]
    public = tom.done(*make)
    (sarah.root / "tom.pub").write_text(public)

    code, told = sarah.on_a_terminal(*enrol, typed=[("Type tom", "tom")])

    assert code == 0, told
    assert "tom  human, enrolled" in sarah.done("identity", "list")
