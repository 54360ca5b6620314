"""`init` and `import` over a folder leave out of git what agentctl keeps there; others' lines stay."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.engine.ignoring import kept_in

Run = Callable[..., Result]

ALL = ["__cluster/", "graphs/", "ops/", "sandboxes/", ".env*"]
FILES = {"cluster.yaml": "version: 1\ngraphs:\n  g:\n    schema: g.pg\n"}
SCHEMA = "node A { k: String @key }\n"


@pytest.fixture(autouse=True)
def plain_git(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def folder_in(place: Path, storage: str | None = None) -> Path:
    folder = place / "plain"
    folder.mkdir(parents=True)
    more = f"storage: {storage}\n" if storage else ""
    (folder / "cluster.yaml").write_text(FILES["cluster.yaml"] + more)
    (folder / "g.pg").write_text(SCHEMA)
    return folder


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def ignored(folder: Path) -> list[str]:
    return (folder / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("verb", ["import", "init"])
def test_a_folder_without_the_file_gets_it(run: Run, tmp_path: Path, verb: str) -> None:
    folder = folder_in(tmp_path)

    if verb == "import":
        made = run("import", "--config", folder)
    else:
        made = run("init", folder, "--no-passphrase")

    assert made.exit_code == 0, made.output
    assert ignored(folder) == ALL
    git(folder, "init", "-q")
    untracked = git(folder, "status", "--porcelain", "-uall").splitlines()
    assert untracked == ["?? .gitignore", "?? cluster.yaml", "?? g.pg"]


def test_import_says_what_it_added(run: Run, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    (folder / ".gitignore").write_text("/graphs\n.env*\n")

    made = run("import", "--config", folder)

    assert "gitignore_written" in made.output
    assert ".gitignore leaves out __cluster/, ops/, sandboxes/ now" in made.output


def test_lines_of_others_stay_and_only_what_is_missing_is_added(run: Run, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    before = "# mine\n*.log\n!graphs/\n/ops\n__cluster/*\n.env"
    (folder / ".gitignore").write_text(before)

    made = run("init", folder, "--no-passphrase", "--json")
    again = run("init", folder, "--no-passphrase", "--json")

    assert json.loads(made.stdout)["written"] == [".gitignore"]
    assert (folder / ".gitignore").read_text() == before + "\nsandboxes/\n.env*\n"
    assert json.loads(again.stdout)["written"] == []


def test_what_a_file_above_the_folder_names_is_not_said_again(run: Run, tmp_path: Path) -> None:
    top = tmp_path / "top"
    folder = folder_in(top)
    git(top, "init", "-q")
    (top / ".gitignore").write_text("__cluster/\nplain/graphs/\nops/\nsandboxes/\n.env*\n")

    run("import", "--config", folder)

    assert not (folder / ".gitignore").exists()


def test_what_only_this_machine_leaves_out_is_said_for_the_others(run: Run, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    git(folder, "init", "-q")
    (folder / ".git" / "info" / "exclude").write_text("graphs/\n")

    run("import", "--config", folder)

    assert ignored(folder) == ALL


def test_a_storage_root_below_the_folder_is_left_out_by_its_name(run: Run, tmp_path: Path) -> None:
    folder = folder_in(tmp_path, storage="kept/here")

    run("import", "--config", folder)

    assert ignored(folder) == ["__cluster/", "/kept/here/", ".env*"]


def test_a_file_that_cannot_be_written_stops_nothing(run: Run, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    (folder / ".gitignore").symlink_to(tmp_path / "elsewhere")

    made = run("import", "--config", folder)

    assert made.exit_code == 0, made.output
    assert "gitignore_not_written" in made.output
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("storage", "uri", "lines"),
    [
        ("s3://b/p", "s3://b/p", ["__cluster/", ".env*"]),
        ("/other", "file:///other", ["__cluster/", ".env*"]),
        ("./", "file:///cluster", ALL),
        ("./a [b]", "file:///cluster/a%20%5Bb%5D", ["__cluster/", "/a\\ \\[b\\]/", ".env*"]),
    ],
)
def test_only_what_is_kept_in_the_folder_has_a_line(
    storage: str, uri: str, lines: list[str]
) -> None:
    assert list(kept_in(Path("/cluster"), storage, uri)) == lines
