"""What a person at a terminal sees of the verbs about graphs: pages and tables, never bare JSON."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
Here = Callable[..., str]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@pytest.fixture
def here(run: Run, supply: Path) -> Here:
    """Runs a verb in an applied cluster whose graph has two packages; gives what it says."""

    def say(*words: str, exits: int = 0) -> str:
        ended = run(*words, "--config", supply)
        assert ended.exit_code == exits, ended.output
        return _TIME.sub("TIME", ended.output)

    say("apply")
    (supply / "rows.ndjson").write_text(
        '{"type":"Package","data":{"name":"json","license":"MIT"}}\n'
        '{"type":"Package","data":{"name":"http"}}\n'
        '{"edge":"DependsOn","from":"http","to":"json","data":{}}\n',
        encoding="utf-8",
    )
    say("load", "supply", str(supply / "rows.ndjson"))
    return say


def test_a_graph_and_its_empty_history_are_pages_and_tables(here: Here, supply: Path) -> None:
    schema = (supply / "supply.pg").read_text(encoding="utf-8")

    assert here("graph", "list").splitlines() == [
        "GRAPH   IS    NEWEST  ROWS",
        "supply  live  main:2     3",
    ]
    page = here("graph", "show", "supply")
    assert page.startswith("Graph supply: live, at main:2\n  rows     3\n")
    assert "(agentctl schema show supply)" in page
    assert "\nTYPE       ROWS\nPackage       2\nDependsOn     1\n" in page
    assert page.endswith(
        "\nmain:2  write   TIME  root  load supply\nmain:1  create  TIME  root  apply the folder\n"
    )
    assert here("schema", "show", "supply") == schema
    listed = here("branch", "list", "supply")
    assert "`agentctl branch create supply NAME` cuts one." in listed
    assert "There are no tags; `agentctl graph tag supply NAME`" in here("graph", "tag", "supply")
    assert here("graph", "diff", "supply", "main:2") == "main:2 -> main:2: nothing differs.\n"
    none = here("graph", "changes", "supply", "--since", "now")
    assert none == "No changes since then.\n\ngo on with --since main:2\n"
    baseline = here("graph", "changes", "supply", "--baseline")
    assert "  agentctl graph export supply --at main:2 --out FILE\n" in baseline
    assert "  agentctl graph changes supply --since main:2\n" in baseline
    assert json.loads(here("graph", "show", "supply", "--json"))["summary"]["rows"] == 3


def test_branches_and_care_say_what_they_did(here: Here, supply: Path) -> None:
    more = supply / "more.ndjson"
    more.write_text(
        '{"type":"Package","data":{"name":"json","license":"BSD"}}\n'
        '{"type":"Package","data":{"name":"yaml"}}\n',
        encoding="utf-8",
    )
    here("branch", "create", "supply", "try")
    here("load", "supply", str(more), "--mode", "merge", "--branch", "try")

    assert here("graph", "diff", "supply", "main", "try", "--sample", "1").splitlines() == [
        "main:2 -> try:2:",
        "  Package: 1 inserted, 1 updated, 0 deleted",
        "    ~ json (license)",
        "    and 1 more; --sample shows more of each type",
    ]
    refused = here("branch", "delete", "supply", "try", exits=1)
    assert "error[branch_unmerged]" in refused
    assert "--unmerged" in refused
    merged = here("branch", "merge", "supply", "try")
    assert merged == "fast_forward: main stood still, and is as try now, by commit main:3.\n"
    again = here("branch", "merge", "supply", "try")
    assert again == "already_up_to_date: main has all of try already, at main:3.\n"
    assert here("branch", "delete", "supply", "try") == "Branch try of graph supply is gone.\n"
    assert here("graph", "changes", "supply", "--since", "main:2").splitlines() == [
        "main:3",
        "  ~ Package json (license)",
        "  + Package yaml",
        "",
        "go on with --since main:3",
    ]
    tidied = here("graph", "optimize", "supply")
    assert re.match(r"Tidied up by commit main:4:\n  \w+  \w", tidied), tidied
    assert here("graph", "optimize", "supply") == "Everything was in order: no commit was made.\n"
    waste = here("graph", "cleanup", "supply", "--dry-run", "--older-than", "0s")
    assert re.match(r"A cleanup would let go of the data of \d commits\. Nothing was done\.", waste)
    assert "BRANCH  WOULD GO  STAY\n" in waste
    floor = here("graph", "cleanup", "supply", "--dry-run")
    assert "`ops.retention.detached`" in floor
    assert "No commit was old enough to let go of" in here("graph", "cleanup", "supply")
    below = here("graph", "cleanup", "supply", "--older-than", "1h", exits=1)
    assert "error[retention_floor]" in below
    assert "`ops.retention.detached`" in below


def test_a_schema_is_shown_as_of_a_branch_and_a_point(here: Here) -> None:
    here("branch", "create", "supply", "try")
    here("graph", "tag", "supply", "v1")

    shown = json.loads(here("schema", "show", "supply", "--at", "v1", "--json"))
    on_branch = json.loads(here("schema", "show", "supply", "--branch", "try", "--json"))

    assert (shown["commit"], on_branch["digest"]) == ("main:2", shown["digest"])
    assert "node Package" in shown["source"]
    for words in (("--branch", "nope"), ("--at", "main:99")):
        refused = here("schema", "show", "supply", *words, exits=1)
        assert re.search(r"error\[graph_(branch|point)_missing\]", refused)
        assert "agentctl" in refused
    assert "graph_not_found" in here("schema", "show", "suply", exits=1)
