"""An op names what version control calls the folder it was made from, and is whole without. Source: ops 1, 5.

Neither jj nor Radicle can be had from the registries: jj is played by a program that answers as it
does, Radicle by the remote that it makes.
"""

import os
import subprocess
from pathlib import Path

import pytest

from agentctl.adapters.sources.change_record import change_record
from agentctl.domain.ops.record import ChangeRecord
from agentctl.engine.apply import apply
from agentctl.testing.builders import Bench, folder_files, wanting

RID = "z3gqcJUoA1n9HaHKufZs5FCSGazv5"
CHANGE = "qpvuntsmwlqtpsluzzsnyyzlmlwvmlnu"


def git(folder: Path, *words: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    ended = subprocess.run(
        ["git", *who, *words], cwd=folder, env=os.environ | own, capture_output=True, check=True
    )
    return ended.stdout.decode().strip()


def committed(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


def jj_that_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> Path:
    """Puts a `jj` on the path that answers so; returns where it writes what it was asked."""
    programs, asked = tmp_path / "programs", tmp_path / "asked"
    programs.mkdir()
    jj = programs / "jj"
    jj.write_text(f"#!/bin/sh\necho \"$@\" >> '{asked}'\nprintf '%s' '{text}'\nexit {code}\n")
    jj.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return asked


async def test_an_op_of_a_folder_in_git_jj_and_radicle_names_all_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    commit = committed(bench.path)
    git(bench.path, "remote", "add", "rad", f"rad://{RID}/z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnn")
    (bench.path / ".jj").mkdir()
    jj_that_says(tmp_path, monkeypatch, CHANGE)
    cluster = await bench.begun(folder_files("supply"))

    done = await apply(cluster, bench.sarah, wanting())

    op = await cluster.journal.get(done.op or "")
    assert op is not None
    assert (op.config_commit, op.jj_change) == (commit, CHANGE)
    assert op.radicle_rid == f"rad:{RID}"


def test_a_folder_below_the_top_of_its_repository_is_in_it(tmp_path: Path) -> None:
    commit = committed(tmp_path)
    below = tmp_path / "clusters" / "one"
    below.mkdir(parents=True)

    assert change_record(below) == ChangeRecord(config_commit=commit)


def test_a_repository_without_a_commit_names_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")

    assert change_record(tmp_path) == ChangeRecord()


def test_jj_is_not_run_where_no_jj_repository_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = jj_that_says(tmp_path, monkeypatch, CHANGE)

    assert change_record(tmp_path) == ChangeRecord()
    assert not asked.exists()


def test_jj_looks_at_no_working_copy_and_starts_no_pager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".jj").mkdir()
    asked = jj_that_says(tmp_path, monkeypatch, CHANGE)

    change_record(tmp_path)

    assert "--ignore-working-copy" in asked.read_text()
    assert "--no-pager" in asked.read_text()


@pytest.mark.parametrize(
    ("text", "code"), [("Error: no repo", 1), (CHANGE, 1), ("", 0), (f"{CHANGE} x", 0), ("ab", 0)]
)
def test_an_answer_of_another_form_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int
) -> None:
    (tmp_path / ".jj").mkdir()
    jj_that_says(tmp_path, monkeypatch, text, code)

    assert change_record(tmp_path) == ChangeRecord()


@pytest.mark.parametrize("url", ["https://example.org/x", "rad://z0OIl", "rad://", f"rad:{RID}"])
def test_a_remote_that_radicle_did_not_make_is_no_radicle_id(tmp_path: Path, url: str) -> None:
    commit = committed(tmp_path)
    git(tmp_path, "remote", "add", "rad", url)

    assert change_record(tmp_path) == ChangeRecord(config_commit=commit)


def test_without_git_and_jj_on_the_path_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(tmp_path)
    (tmp_path / ".jj").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert change_record(tmp_path) == ChangeRecord()


def test_a_repository_runs_none_of_its_own_programs(tmp_path: Path) -> None:
    committed(tmp_path)
    marker = tmp_path / "ran"
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    monitor.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(monitor))
    git(tmp_path, "config", "core.pager", str(monitor))
    git(tmp_path, "config", "alias.rev-parse", f"!{monitor}")

    assert change_record(tmp_path).config_commit is not None
    assert not marker.exists()
