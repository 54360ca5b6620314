"""Every command of the guide about plans is run as it is printed."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.faces.cli.commands.plan import command

Run = Callable[..., Result]
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "plan.md"

pytestmark = pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_the_commands_of_the_guide_end_as_it_says(
    run: Run, supply: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    codes = []

    for program, *arguments in commands():
        assert program == "agentctl"
        ended = run("--config", supply, *arguments)
        codes.append((" ".join(arguments), ended.exit_code))

    assert dict(codes) == {
        "plan": 0,
        "plan --refresh --peek": 0,
        "plan --markdown": 0,
        "plan --all --exit-code": 10,
        "plan --out plan.json": 0,
        "apply plan.json -m reviewed": 0,
        "apply --same-effects plan.json -m merged": 0,
    }


def test_the_guide_names_every_option_of_its_own() -> None:
    told = set(re.findall(r"--[a-z-]+", GUIDE.read_text(encoding="utf-8")))
    shared = {"--config", "--as", "--no-cache", "--draft", "--in", "--context", "--token-file"}
    own = {name for option in command.params for name in option.opts if name.startswith("--")}

    assert own - told <= shared
