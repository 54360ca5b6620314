"""What a newcomer's shell does to the command line: full disks, plain encodings, wrong folders."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def agentctl(
    *words: str | Path, folder: Path, stdout: int = subprocess.PIPE, **env: str
) -> "subprocess.CompletedProcess[bytes]":
    started = [sys.executable, "-c", "from agentctl.faces.cli.main import main; main()"]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    given = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **env}
    return subprocess.run(
        [*started, *map(str, words)],
        cwd=folder,
        env=given,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )


@pytest.fixture
def supply(tmp_path: Path) -> Path:
    assert agentctl("init", "supply", folder=tmp_path).returncode == 0
    return tmp_path / "supply"


def test_output_in_a_plain_encoding_is_escaped_and_json_stays_json(supply: Path) -> None:
    applied = agentctl("apply", "-m", "café → ops", folder=supply)
    assert applied.returncode == 0, applied.stderr

    text = agentctl("ops", "log", folder=supply, PYTHONIOENCODING="ascii")
    document = agentctl("ops", "list", "--json", folder=supply, PYTHONIOENCODING="ascii")

    assert text.returncode == 0
    assert rb"caf\xe9" in text.stdout
    assert b"Traceback" not in text.stderr
    assert any("café → ops" in op["intent"] for op in json.loads(document.stdout)["ops"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["--help"]])
def test_output_that_cannot_be_written_is_one_line_and_no_traceback(
    supply: Path, words: list[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = agentctl(*words, folder=supply, stdout=full.fileno())

    assert ended.returncode == 5
    assert b"the output could not be written" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr


def test_a_folder_inside_a_cluster_names_the_cluster_and_not_init(supply: Path) -> None:
    inside = agentctl("status", "--config", "queries", folder=supply)

    assert inside.returncode == 1
    assert f"--config {supply}".encode() in inside.stderr
    assert b"agentctl init" not in inside.stderr


def test_the_cluster_file_in_place_of_its_folder_names_the_folder(supply: Path) -> None:
    named = agentctl("status", "--config", supply / "cluster.yaml", folder=supply)

    assert named.returncode == 1
    assert f"--config {supply}".encode() in named.stderr
    assert b"agentctl init" not in named.stderr
