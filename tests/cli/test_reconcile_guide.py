"""The guides about reconciling and recovering, as a reader follows them; and a run that is told to stop."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.domain.reconcile.events import REASONS
from agentctl.faces.cli.commands.reconcile import command

Run = Callable[..., Result]
GUIDES = Path(__file__).parents[2] / "docs" / "guides"

pytestmark = pytest.mark.skipif(
    not GUIDES.exists(), reason="runs in a checkout, not beside a wheel"
)


def commands(guide: str) -> list[list[str]]:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


def test_the_commands_about_reconciling_do_what_the_guide_says(run: Run, supply: Path) -> None:
    outputs = []
    for arguments in commands("reconcile.md"):
        ended = run(*arguments, "--config", supply)
        assert ended.exit_code == 0, ended.output
        outputs.append(ended.stdout)
    lines = [json.loads(line) for line in outputs[2].splitlines()]

    assert "would_change" in outputs[0]
    assert "applying" in outputs[1]
    assert outputs[1].splitlines()[-1].split()[1:3] == ["ended", "converged:"]
    assert [(line["phase"], line["why"]) for line in lines] == [
        ("planning", None),
        ("ended", "converged"),
    ]


def test_the_guide_names_every_reason_and_option() -> None:
    text = (GUIDES / "reconcile.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    told = set(re.findall(r"--[a-z-]+", text))
    own = {name for option in command.params for name in option.opts if name.startswith("--")}

    assert rows == dict(REASONS)
    assert own - told <= {"--config", "--as", "--intent", "--context", "--token-file"}


def test_the_commands_about_recovering_do_what_the_guide_says(run: Run, supply: Path) -> None:
    assert run("apply", "--config", supply).exit_code == 0
    *looking, rebuilding = commands("recover.md")
    for arguments in looking:
        ended = run(*arguments, "--config", supply)
        assert ended.exit_code == 0, ended.output
    shutil.rmtree(supply / "__cluster" / "ledger")
    (supply / "__cluster" / "state.json").unlink()

    rebuilt = run(*rebuilding, "--config", supply)
    applied = run("apply", "--config", supply, "--require-converged")

    assert rebuilt.exit_code == 0, rebuilt.output
    assert "ledger_rebuilt" in rebuilt.output
    assert applied.exit_code == 0, applied.output


@pytest.mark.slow
def test_a_reconciler_that_is_told_to_stop_ends_in_order(run: Run, supply: Path) -> None:
    assert run("apply", "--config", supply).exit_code == 0
    words = ["-m", "agentctl", "reconcile", "--json", "--config", str(supply)]
    story = []
    with subprocess.Popen(
        [sys.executable, *words], env=dict(os.environ), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            story.append(told["why"] or told["phase"])
            if told["phase"] == "waiting":
                process.send_signal(signal.SIGTERM)

    assert process.returncode == 0
    assert story == ["planning", "converged", "stopped"]
