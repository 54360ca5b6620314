"""`agentctl mutate` and `query` as processes: what they print, and the codes that they end with."""

import json
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
