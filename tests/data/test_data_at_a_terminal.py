"""`agentctl mutate` and `query` as processes: what they print, and the codes that they end with."""

import json
import shlex
from pathlib import Path

import pytest

from agentctl.testing.builders import QUERY, folder_files
from agentctl.testing.shell import Shell

ADD = "query add($name: String) { insert Package { name: $name } }\n"
TEXT = "query q() { match { $p: Package } return { $p.name } }"


@pytest.mark.slow
def test_a_lost_race_ends_with_four_and_a_plan_is_told_by_lines(tmp_path: Path) -> None:
    files = folder_files("supply") | {"supply.gq": f"{QUERY}\n{ADD}"}
    shell = Shell(tmp_path).begun(files)

    done = shell.json("mutate", "supply.add", "--params", json.dumps({"name": "a"}))
    late = shell.run(
        *("mutate", "supply.add", "--params", json.dumps({"name": "b"}), "--if-commit", "main:1"),
    )
    plan = shell.done("query", "supply.all_packages", "--explain=analyze")
    rows = shell.json("query", "supply", "--text", TEXT, "--at", done["report"]["commit"])

    assert done["report"]["affected_nodes"] == 1
    assert late.returncode == 4
    assert "read_set_conflict" in late.stderr
    assert plan.splitlines()[-1].startswith("1 row in ")
    assert [row["p.name"] for row in rows["rows"]] == ["a"]


@pytest.mark.slow
def test_a_rollback_on_a_branch_says_how_to_ask_for_it_and_the_request_names_the_branch(
    tmp_path: Path,
) -> None:
    files = folder_files("supply") | {"supply.gq": f"{QUERY}\n{ADD}"}
    shell = Shell(tmp_path).begun(files)
    shell.done("branch", "create", "supply", "try")
    added = json.dumps({"name": "a"})
    wrong = shell.json("mutate", "supply.add", "--params", added, "--branch", "try")

    waits = shell.run("rollback", "--op", wrong["op"]["id"], "--require-converged")
    (said,) = [x for x in waits.stdout.splitlines() if "approvals request" in x]
    asked = shell.json(*shlex.split(said)[1:])
    rows = shell.json("query", "supply", "--text", TEXT, "--branch", "try")

    assert waits.returncode == 6
    assert "branch try of graph supply goes back to try:1" in waits.stdout
    assert shlex.split(said)[3] == "graph.supply@try@data"
    assert asked["request_id"], asked
    assert "graph.supply@try@data" in json.dumps(asked)
    assert [row["p.name"] for row in rows["rows"]] == ["a"]
