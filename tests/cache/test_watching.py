"""`validate --watch` answers each edit once it is over; tests drive the turns, and no clock."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentctl.engine.folder_check import FolderCheck
from agentctl.faces.cli.folder_checks import Wishes
from agentctl.faces.cli.options import Settings
from agentctl.faces.cli.watching import watch
from agentctl.testing.query_folder import CLUSTER, SCHEMA, put, query
from agentctl.testing.shell import Shell
from agentctl_tools.folder_watch import FolderWatch

Look = Callable[..., FolderCheck]
WAIT_S = 30


@pytest.fixture
def watched(folder: Path, look: Look) -> FolderWatch:
    """A watch that has told the first answer."""
    watching = FolderWatch(folder, look)
    first = watching.turn()
    assert first is not None
    assert first.edited == ()
    assert watching.turn() is None  # the files that cluster.yaml names are looked at from here on
    return watching


def codes(found: FolderCheck) -> set[str]:
    return {d.code for d in found.result.diagnostics if d.severity == "error"}


def test_while_nothing_is_edited_nothing_is_told(watched: FolderWatch) -> None:
    assert [watched.turn() for _ in range(5)] == [None] * 5


def test_an_edit_is_told_once_it_stood_still_for_a_turn(watched: FolderWatch, folder: Path) -> None:
    put(folder, {"queries/beta.gq": "query beta( {\n"})

    told = [watched.turn() for _ in range(4)]

    assert [seen is not None for seen in told] == [False, True, False, False]
    assert told[1] is not None
    assert told[1].edited == ("queries/beta.gq",)
    assert codes(told[1].found) == {"query_parse_error"}


def test_a_file_that_is_still_written_is_not_read(watched: FolderWatch, folder: Path) -> None:
    for length in (5, 10, 15):
        put(folder, {"queries/beta.gq": query("beta")[:length]})
        assert watched.turn() is None
    put(folder, {"queries/beta.gq": query("beta")})
    assert watched.turn() is None

    seen = watched.turn()

    assert seen is not None
    assert seen.found.result.ok


@pytest.mark.parametrize(
    ("files", "edited"),
    [
        ({"queries/new.gq": query("new")}, "queries/new.gq"),
        ({"queries/beta.gq": None}, "queries/beta.gq"),
        ({"supply.pg": SCHEMA + "\n"}, "supply.pg"),
        ({"cluster.yaml": CLUSTER + "metadata:\n  name: x\n"}, "cluster.yaml"),
        ({"cluster.prod.yaml": "version: 1\n"}, "cluster.prod.yaml"),
        ({"cluster.yaml": None}, "cluster.yaml"),
    ],
)
def test_whatever_decides_the_answer_is_watched(
    watched: FolderWatch, folder: Path, files: dict[str, str | None], edited: str
) -> None:
    put(folder, files)
    told = [seen for _ in range(4) if (seen := watched.turn()) is not None]

    assert edited in told[0].edited


def test_what_lies_beside_the_configuration_is_not_watched(
    watched: FolderWatch, folder: Path
) -> None:
    put(folder, {"graphs/supply.omni/data": "x", "notes.md": "x", "queries/.draft.gq": "x"})

    assert [watched.turn() for _ in range(4)] == [None] * 4


def test_files_that_an_edit_brings_in_are_watched_too(watched: FolderWatch, folder: Path) -> None:
    put(folder, {"other.pg": SCHEMA, "cluster.yaml": CLUSTER.replace("supply.pg", "other.pg")})
    told = [seen for _ in range(4) if (seen := watched.turn()) is not None]
    assert len(told) == 1

    put(folder, {"other.pg": SCHEMA + "node {\n"})
    told = [seen for _ in range(3) if (seen := watched.turn()) is not None]

    assert [seen.edited for seen in told] == [("other.pg",)]
    assert not told[0].found.result.ok


def test_a_folder_that_is_not_there_yet_is_waited_for(folder: Path, look: Look) -> None:
    put(folder, {"cluster.yaml": None})
    watching = FolderWatch(folder, look)
    first = watching.turn()
    assert first is not None
    assert codes(first.found) == {"cluster_config_read_error"}

    put(folder, {"cluster.yaml": CLUSTER})
    told = [seen for _ in range(5) if (seen := watching.turn()) is not None]

    assert told[0].found.result.ok


def test_each_answer_is_one_document_on_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def turns() -> Iterator[None]:
        yield from [None] * 2
        put(folder, {"queries/beta.gq": "query beta( {\n"})
        yield from [None] * 3
        put(folder, {"queries/beta.gq": query("beta")})
        yield from [None] * 3

    watch(Settings(config=folder, as_json=True, label=None), Wishes(cached=False), turns())

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["ok"] for line in lines] == [True, False, True]


def test_a_person_is_told_what_was_edited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def turns() -> Iterator[None]:
        yield from [None] * 2
        put(folder, {f"queries/{name}.gq": query(name) + "\n" for name in ("alpha", "beta")})
        put(folder, {"queries/new.gq": query("new"), "supply.pg": SCHEMA + "\n"})
        yield from [None] * 3

    watch(Settings(config=folder, as_json=False, label=None), Wishes(cached=False), turns())

    told = capsys.readouterr()
    assert "Edited: queries/alpha.gq, queries/beta.gq, queries/new.gq and 1 more." in told.err
    assert told.out.count("Valid:") == 2


@pytest.mark.slow
def test_control_c_ends_a_real_watch(folder: Path, tmp_path: Path) -> None:
    heeded = ["env", "--default-signal=INT"]  # whoever started the tests may be deaf to it
    argv = [*heeded, sys.executable, "-m", "agentctl", "validate", "--config", str(folder)]
    process = subprocess.Popen(
        [*argv, "--watch", "--json"],
        env=Shell(tmp_path / "user").env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        first = line_of(process.stdout.fileno())
        put(folder, {"queries/beta.gq": "query beta( {\n"})
        second = line_of(process.stdout.fileno())
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.wait()

    assert json.loads(first)["ok"]
    assert not json.loads(second)["ok"]
    assert process.returncode == 130
    assert b"Traceback" not in talk


def line_of(handle: int) -> bytes:
    """Returns the next line, or fails where none comes."""
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([handle], [], [], WAIT_S)[0], line
        line += os.read(handle, 65_536)
    return line
