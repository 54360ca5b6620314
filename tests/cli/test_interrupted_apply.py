"""Ctrl-C in an apply: once ends it in order, twice leaves it at once; and the guide's commands."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from click.testing import Result

from agentctl.faces.cli.interrupting import LeftAtOnceError, interruptible

Run = Callable[..., Result]
CHILD = Path(__file__).with_name("interrupted_apply.py")
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "apply.md"


def interrupted(folder: Path, signals: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(signals), "apply", "--config", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_records_it_and_exits_130(run: Run, supply: Path) -> None:
    ended = interrupted(supply, 1)
    listed = run("ops", "log", "--config", supply)
    again = run("apply", "--config", supply, "--require-converged")

    assert ended.returncode == 130, ended.stderr
    assert "Interrupted: finishing the step" in ended.stderr
    assert "interrupted" in ended.stderr
    assert re.search(r"done +create graph\.", ended.stdout)
    assert "the apply was interrupted before" in ended.stdout
    assert listed.exit_code == 0
    assert again.exit_code == 0, again.output


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once_and_the_next_apply_settles_it(
    run: Run, supply: Path
) -> None:
    ended = interrupted(supply, 2)
    again = run("apply", "--config", supply, "--require-converged", "--wait", "30")

    assert ended.returncode == 130, ended.stderr
    assert again.exit_code == 0, again.output


async def test_one_signal_is_heard_and_a_second_ends_the_body() -> None:
    heard: list[bool] = []
    with anyio.fail_after(5):
        async with interruptible() as is_interrupted:
            heard.append(is_interrupted())
            os.kill(os.getpid(), signal.SIGINT)
            while not is_interrupted():
                await anyio.lowlevel.checkpoint()
            heard.append(is_interrupted())

        with pytest.raises(LeftAtOnceError):
            await told_twice()

    assert heard == [False, True]


async def told_twice() -> None:
    async with interruptible() as is_interrupted:
        os.kill(os.getpid(), signal.SIGTERM)
        while not is_interrupted():
            await anyio.lowlevel.checkpoint()
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep_forever()


async def test_what_the_body_raises_comes_out_as_it_was() -> None:
    async def broken() -> None:
        async with interruptible():
            msg = "ours"
            raise ValueError(msg)

    with pytest.raises(ValueError, match="ours"):
        await broken()


@pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")
def test_the_commands_of_the_guide_do_what_it_says(run: Run, supply: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    outputs = []
    for line in block.splitlines():
        ended = run(*shlex.split(line)[1:], "--config", supply)
        assert ended.exit_code == 0, ended.output
        outputs.append(ended.stdout)

    assert "cluster.yaml" in outputs[1]
    assert "0 objects" in outputs[2]
