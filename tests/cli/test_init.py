"""`init`: a cluster that validates, the first keys, the ledger's first object; twice changes nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def tree(*roots: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for root in roots
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_an_empty_folder_becomes_a_cluster_that_validates(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "supply"

    made = run("init", folder, "--no-passphrase", "--json")
    valid = run("validate", "--config", folder)

    founded = json.loads(made.stdout)
    assert made.exit_code == valid.exit_code == 0
    assert founded["revision"] == 1
    assert founded["first"] is True
    assert set(founded["written"]) == {
        ".gitignore",
        "cluster.yaml",
        "supply.pg",
        "queries/impact.gq",
        "policies/starter.cedar",
    }
    ignored = (folder / ".gitignore").read_text().split()
    assert ignored == ["__cluster/", "graphs/", "ops/", "sandboxes/", ".env*"]
    assert "name: supply" in (folder / "cluster.yaml").read_text()


def test_it_makes_the_first_human_an_agent_and_a_recovery_code(run: Run, tmp_path: Path) -> None:
    made = run("init", tmp_path / "supply", "--no-passphrase")
    listed = json.loads(run("identity", "list", "--config", tmp_path / "supply", "--json").stdout)

    kinds = {i["kind"]: i for i in listed["identities"]}
    assert set(kinds) == {"human", "agent"}
    assert kinds["agent"]["id"] == f"agent:{kinds['human']['id']}"
    assert kinds["human"]["assurance"] == "file"
    assert kinds["human"]["nid"].startswith("z6Mk")
    assert "Recovery code" in made.stdout


def test_doctor_complains_of_a_key_without_a_passphrase(run: Run, supply: Path) -> None:
    shown = run("doctor", "--trust", "--config", supply)

    assert shown.exit_code == 0
    assert "human_key_unprotected" in shown.stderr


def test_twice_changes_nothing_and_tells_no_code_again(run: Run, supply: Path, home: Path) -> None:
    before = tree(supply, home)

    again = run("init", supply, "--no-passphrase")

    assert again.exit_code == 0, again.output
    assert tree(supply, home) == before
    assert "Recovery code" not in again.stdout


def test_in_an_existing_folder_files_are_left_alone(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "cluster.yaml").write_text("version: 1\n")

    made = run("init", folder, "--no-passphrase", "--json")

    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["written"] == [".gitignore"]
    assert (folder / "cluster.yaml").read_text() == "version: 1\n"
    ignored = (folder / ".gitignore").read_text().split()
    assert ignored == ["__cluster/", "graphs/", "ops/", "sandboxes/", ".env*"]


def test_a_folder_with_other_things_in_it_is_refused(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "diary.txt").write_text("dear diary")

    made = run("init", folder, "--no-passphrase")

    assert made.exit_code == 1
    assert "init_folder_not_empty" in made.stderr
    assert [p.name for p in folder.iterdir()] == ["diary.txt"]


def test_a_folder_whose_configuration_is_wrong_gets_no_keys(
    run: Run, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "cluster.yaml").write_text("version: 1\ngraphz: {}\n")

    made = run("init", folder, "--no-passphrase")

    assert made.exit_code == 1
    assert "graphz" in made.stderr
    assert tree(home) == {}


def test_without_a_controlling_terminal_no_human_key_is_made_and_it_says_so(
    home: Path, tmp_path: Path
) -> None:
    """In a session of its own, because the person who runs the tests may have a terminal."""
    assert home.is_dir()

    def agentctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agentctl", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )

    made = agentctl("init", "supply")
    shown = agentctl("identity", "show", "--config", "supply", "--json")
    decided = agentctl("approve", "graph.supply", "--config", "supply")

    assert made.returncode == 0, made.stderr
    assert "human_key_missing" in made.stderr
    assert "agentctl init" in made.stderr
    identity = json.loads(shown.stdout)["identity"]
    assert identity["id"].startswith("local:")
    assert identity["enrolled"] is False
    assert decided.returncode != 0


@pytest.mark.parametrize("verb", ["validate", "plan", "status", "apply"])
def test_before_init_every_verb_names_it(run: Run, tmp_path: Path, verb: str) -> None:
    shown = run(verb, "--config", tmp_path / "nowhere")

    assert shown.exit_code == 1
    assert "agentctl init" in shown.stderr


def test_a_human_is_made_later_where_there_was_no_terminal_at_first(
    run: Run, home: Path, tmp_path: Path
) -> None:
    assert home.is_dir()
    subprocess.run(
        [sys.executable, "-m", "agentctl", "init", "supply"],
        cwd=tmp_path,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )
    folder = tmp_path / "supply"

    later = run("init", folder, "--no-passphrase")
    shown = json.loads(run("identity", "show", "--config", folder, "--json").stdout)

    assert later.exit_code == 0, later.output
    assert "Recovery code" in later.stdout
    assert shown["identity"]["kind"] == "human"
    assert shown["identity"]["enrolled"] is True


def test_an_imported_folder_works_and_a_decision_there_says_to_run_init(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "cluster.yaml").write_text("version: 1\ngraphs:\n  g:\n    schema: g.pg\n")
    (folder / "g.pg").write_text("node A { k: String @key }\n")

    imported = run("import", "--config", folder)
    applied = run("apply", "--config", folder)
    (folder / "cluster.yaml").write_text("version: 1\n")
    decided = run("approve", "graph.g", "--config", folder)
    records = json.loads(run("audit", "export", "--config", folder, "--json").stdout)["records"]

    assert imported.exit_code == applied.exit_code == 0, applied.output
    assert decided.exit_code == 3, decided.output
    assert "agentctl init" in decided.stderr
    assert [(r["action"], r["decision"]) for r in records][-1] == ("approval_decide", "deny")


def test_the_starter_policy_changes_nothing_for_anybody(run: Run, supply: Path) -> None:
    planned = json.loads(run("plan", "--config", supply, "--json").stdout)
    applied = run("apply", "--config", supply)
    listed = run("policy", "validate", "--applied", "--config", supply)

    impact = planned["policy_impact"]
    assert impact["asked"] > 0
    assert (impact["gains"], impact["losses"], impact["widening"]) == ([], [], [])
    assert applied.exit_code == 0, applied.output
    assert listed.stdout.startswith("policy.starter (cedar) on cluster: ")
