"""`validate` on the command line: what the cache spares, and how to do without."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentctl.faces.cli.main import cli
from agentctl.testing.query_folder import put, query
from agentctl.testing.shell import Shell


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "agentctl"


def validate(folder: Path, *flags: str) -> Result:
    return CliRunner().invoke(cli, ["validate", "--config", str(folder), *flags])


def test_verbose_says_what_the_cache_spared(folder: Path, cache: Path) -> None:
    assert not cache.exists()

    first = validate(folder, "--verbose")
    again = validate(folder, "--verbose")
    put(folder, {"queries/beta.gq": query("beta") + "\n"})
    edited = validate(folder, "--verbose")

    assert "Cache: of 6 files 5 were parsed, 4 checked over their schema." in first.stderr
    assert "Cache: all 6 files are as they were; nothing was read anew." in again.stderr
    assert "Cache: of 6 files 1 were parsed, 1 checked over their schema." in edited.stderr
    assert first.stdout == again.stdout == edited.stdout


def test_without_the_flag_nothing_is_said_of_the_cache(folder: Path, cache: Path) -> None:
    assert "Cache" not in validate(folder).output
    assert cache.is_dir()


def test_no_cache_reads_everything_and_keeps_nothing(folder: Path, cache: Path) -> None:
    shown = validate(folder, "--no-cache", "--verbose")

    assert shown.exit_code == 0
    assert not cache.exists()
    assert "Cache: none, because it was not asked for." in shown.stderr


def test_a_cache_that_cannot_be_used_is_told_only_under_verbose(folder: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("in the way")

    quiet = validate(folder)
    told = validate(folder, "--verbose")

    assert quiet.exit_code == told.exit_code == 0
    assert "Cache" not in quiet.output
    assert "Cache: none, because" in told.stderr


def test_mistakes_are_told_again_with_their_excerpts(folder: Path, cache: Path) -> None:
    assert cache.parent.parent.exists()
    put(folder, {"queries/beta.gq": query("beta").replace("$p.name", "$p.nme")})

    first, again = validate(folder), validate(folder)

    assert first.exit_code == again.exit_code == 1
    assert "$p.nme" in again.stderr
    assert first.stderr == again.stderr
    assert validate(folder, "--json").stdout == validate(folder, "--json", "--no-cache").stdout


def test_what_omnigraph_refuses_is_remembered_too(folder: Path, cache: Path) -> None:
    assert cache.parent.parent.exists()
    put(folder, {"queries/beta.gq": query("beta").replace("return", "return distinct")})
    validate(folder)

    plain = validate(folder)
    compared = validate(folder, "--compat", "omnigraph-0.10", "--json")

    assert plain.exit_code == 0
    assert compared.exit_code == 1
    document = json.loads(compared.stdout)
    assert "omnigraph_refuses" in {d["code"] for d in document["diagnostics"]}
    anew = validate(folder, "--compat", "omnigraph-0.10", "--json", "--no-cache")
    assert json.loads(anew.stdout) == document


@pytest.mark.slow
def test_two_processes_at_once_say_the_same(folder: Path, tmp_path: Path) -> None:
    env = Shell(tmp_path / "user").env
    argv = [sys.executable, "-m", "agentctl", "validate", "--config", str(folder), "--json"]
    processes = [
        subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]

    said = [p.communicate(timeout=60)[0] for p in processes]

    assert {p.returncode for p in processes} == {0}
    assert len(set(said)) == 1
    assert json.loads(said[0])["ok"]
