"""What a person types about sandboxes, what comes of it, and what is said of each mistake."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl_tools.catalog import OPERATIONS
from tests.sandboxes.cli.conftest import Terminal

ROW = b'{"type": "Package", "data": {"name": "z"}}\n'
WITHOUT_A_VERB = {"config_read", "config_search", "schema", "load_rows"}
"""Operations that are done in a sandbox too, and which the command line does not have."""


def real(at: Terminal) -> Any:
    """What is real: the rows, their commit, and the folder."""
    (graph,) = at.json("graph", "list")["graphs"]
    files = [p for p in at.folder.rglob("*") if p.suffix in {".pg", ".gq", ".yaml", ".cedar"}]
    return graph, {str(p): p.read_bytes() for p in files}


def test_every_verb_whose_work_can_be_done_in_a_sandbox_is_done_in_one(at: Terminal) -> None:
    before = real(at)
    at.done("sandbox", "open", "try")
    rows = at.file("more.ndjson", ROW.decode())
    asked = "query q() { match { $p: Package } return { $p.name } }"

    at.done("validate", "--in", "try")
    at.done("lint", "--in", "try")
    at.done("deps", "--in", "try")
    at.done("plan", "--in", "try")
    at.done("apply", "--in", "try")
    at.done("load", "supply", rows, "--in", "try")
    at.done("mutate", "supply.add", "--params", '{"name": "x"}', "--in", "try")
    at.done("sandbox", "write", "try", "--query", "supply.add", "--params", '{"name": "y"}')
    at.done("sandbox", "write", "try", "supply", "-", "--mode", "merge", piped=ROW)
    assert "\nz\n" in at.done("query", "supply", "--text", asked, "--in", "try")
    at.done("query", "supply.impact", "--params", '{"name": "json"}', "--in", "try")
    assert "supply.add" in at.done("queries", "list", "--in", "try")
    assert "node Package" in at.done("schema", "show", "supply", "--in", "try")
    at.done("graph", "list", "--in", "try")
    assert "main:" in at.done("graph", "show", "supply", "--in", "try")
    at.done("graph", "diff", "supply", "main:1", "--in", "try")
    at.done("graph", "changes", "supply", "--in", "try")
    assert '"z"' in at.done("graph", "export", "supply", "--in", "try")
    at.done("branch", "create", "supply", "b", "--in", "try")
    assert "b " in at.done("branch", "list", "supply", "--in", "try")
    at.done("branch", "merge", "supply", "b", "--in", "try")
    at.done("branch", "delete", "supply", "b", "--in", "try")
    for verb in (("list",), ("log",), ("graph",)):
        assert "load" in at.done("ops", *verb, "--in", "try")
    commands = at.json("sandbox", "commands", "try", "--limit", "200")["commands"]

    assert {c["tool"] for c in commands} >= {
        o.name for o in OPERATIONS.values() if o.inside
    } - WITHOUT_A_VERB
    assert real(at) == before


def test_a_sandbox_is_edited_kept_compared_gone_back_to_and_closed(at: Terminal) -> None:
    before = real(at)
    schema = (at.folder / "supply.pg").read_text()
    wider = at.file("new.pg", schema.replace("@key", "@key\n  seen: Bool?"))

    opened = at.done("sandbox", "open", "try", "--ttl", "2h", "-m", "a property")
    edited = at.run("sandbox", "edit", "try", "supply.pg", "--from", wider)
    planned = at.done("plan", "--in", "try")
    at.done("apply", "--in", "try")
    at.done("sandbox", "snapshot", "try", "wide")
    at.done("sandbox", "write", "try", "supply", "-", piped=ROW)
    differing = at.done("sandbox", "diff", "try", "wide")
    whole = at.done("sandbox", "diff", "try", "--markdown", "--all")
    at.done("sandbox", "restore", "try", "wide")
    again = at.done("sandbox", "diff", "try", "wide")
    shown = at.done("sandbox", "show", "try")
    listed = at.done("sandbox", "list")
    told = at.done("sandbox", "commands", "try")
    at.done("sandbox", "close", "try")

    (sandbox_id,) = re.findall(r"^Opened sandbox:(\w{26}), called try$", opened, re.MULTILINE)
    assert f"Sandbox {sandbox_id}: it validates." in edited.stderr
    assert f"agentctl apply --in {sandbox_id}" in planned
    assert "  supply.Package  1 added\n      + z: name z\n" in differing
    assert "#### Types and properties\n\n- `+` `supply.Package.seen`: `seen: Bool?`" in whole
    assert again.startswith("Nothing differs.\n")
    assert "  for        a property\n" in shown
    assert "  snapshots  wide\n" in shown
    assert re.search(rf"^try +open +\S+ +1  \S+Z  {sandbox_id}$", listed, re.MULTILINE)
    assert re.search(r'^\S+Z  ok  sandbox_restore \{"name":"wide"\}$', told, re.MULTILINE)
    assert "There is no sandbox" in at.done("sandbox", "list")
    assert real(at) == before


def test_a_sandbox_is_named_by_its_id_or_its_name_wherever_one_is_asked_for(at: Terminal) -> None:
    opened = at.json("sandbox", "open", "try")["sandbox"]
    ways = ("try", "sandbox:try", opened, opened.removeprefix("sandbox:"))

    assert {at.json("sandbox", "show", way)["listed"]["sandbox"] for way in ways} == {opened}
    assert all(at.run("plan", "--in", way).exit_code == 0 for way in ways)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("plan", "--in", "tri"), ExitCode.ERRORS, "no open sandbox called tri that you may use"),
        (
            ("plan", "--in", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ExitCode.ERRORS,
            "no open sandbox 01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ),
        (("plan", "--in", ""), ExitCode.USAGE, "named by its id or its name"),
        (("plan", "--in", "try", "--draft", "X"), ExitCode.USAGE, "--draft or --in, not both"),
        (("apply", "--in", "try", "--draft", "X"), ExitCode.USAGE, "--draft or --in, not both"),
        (("validate", "--in", "try", "--draft", "X"), ExitCode.USAGE, "not both"),
        (("validate", "--in", "try", "--watch"), ExitCode.USAGE, "--watch is for the folder"),
        (("lint", "--in", "try", "--draft", "X"), ExitCode.USAGE, "not both"),
        (("deps", "--in", "try", "--draft", "X"), ExitCode.USAGE, "not both"),
        (
            ("graph", "changes", "supply", "--in", "try", "--baseline"),
            ExitCode.USAGE,
            "--baseline or --in, not both",
        ),
        (("freeze", "graph.supply", "--in", "try"), ExitCode.USAGE, "No such option '--in'"),
        (("sandbox", "open", "try"), ExitCode.ERRORS, "there is an open sandbox called try"),
        (("sandbox", "open", "no name"), ExitCode.USAGE, "letters, digits"),
        (("sandbox", "open", "x", "--ttl", "soon"), ExitCode.USAGE, "as 90m or 7d"),
        (("sandbox", "open", "x", "--ttl", "5s"), ExitCode.USAGE, "between 1m and 30d"),
        (("sandbox", "open", "x", "--draft", "X"), ExitCode.ERRORS, "no open draft X"),
        (("sandbox", "edit", "try", "supply.pg"), ExitCode.USAGE, "either --from FILE or --remove"),
        (("sandbox", "edit", "try", "../x", "--remove"), ExitCode.DENIED, "no"),
        (("sandbox", "write", "try"), ExitCode.USAGE, "GRAPH and FILE, or --query"),
        (("sandbox", "write", "try", "supply"), ExitCode.USAGE, "GRAPH and FILE, or --query"),
        (
            ("sandbox", "write", "try", "supply", "-", "--query", "supply.add"),
            ExitCode.USAGE,
            "GRAPH and FILE, or --query",
        ),
        (("sandbox", "write", "try", "supply", "none.nd"), ExitCode.USAGE, "cannot be read"),
        (
            ("sandbox", "write", "try", "--query", "supply.add", "--params", "["),
            ExitCode.USAGE,
            "--params",
        ),
        (("sandbox", "write", "try", "--query", "supply.ad"), ExitCode.ERRORS, "no such query"),
        (("sandbox", "snapshot", "try", "a/../b"), ExitCode.ERRORS, "no snapshot can be called"),
        (("sandbox", "snapshot", "try", "base"), ExitCode.ERRORS, "no snapshot can be called"),
        (("sandbox", "diff", "try", "none"), ExitCode.ERRORS, "no snapshot `none`"),
        (("sandbox", "restore", "try", "none"), ExitCode.ERRORS, "no snapshot `none`"),
        (("sandbox", "close", "tri"), ExitCode.ERRORS, "agentctl sandbox list"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_and_nothing_is_done(
    at: Terminal, words: tuple[str, ...], code: ExitCode, told: str
) -> None:
    at.done("sandbox", "open", "try")
    before = real(at)

    ended = at.run(*words)

    assert ended.exit_code == code, ended.output
    assert told in ended.stderr
    assert "Traceback" not in ended.output
    assert real(at) == before
    assert at.json("sandbox", "show", "try")["rows"] == 2


def test_what_is_no_text_is_not_taken_for_rows(at: Terminal) -> None:
    at.done("sandbox", "open", "try")

    ended = at.run("sandbox", "write", "try", "supply", "-", piped=b"\xff\xfe{}")

    assert ended.exit_code == ExitCode.USAGE
    assert "'-' is not UTF-8" in ended.stderr


def test_markdown_and_json_exclude_each_other(at: Terminal) -> None:
    ended = at.run("sandbox", "diff", "try", "--markdown", "--json")

    assert ended.exit_code == ExitCode.USAGE
    assert json.loads(ended.stdout)["diagnostics"][0]["code"] == "invalid_arguments"


def test_words_of_others_are_shown_so_that_they_do_nothing_to_a_terminal(at: Terminal) -> None:
    at.done("sandbox", "open", "try", "-m", "quiet\x1b[2J\x07 and\nloud")

    shown = at.done("sandbox", "show", "try")

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert len([line for line in shown.splitlines() if "loud" in line]) == 1
    assert "quiet" in next(line for line in shown.splitlines() if "loud" in line)


def test_without_a_name_its_id_names_it(at: Terminal) -> None:
    opened = at.json("sandbox", "open")["sandbox"].removeprefix("sandbox:")

    assert re.search(rf"^- +open .* {opened}$", at.done("sandbox", "list"), re.MULTILINE)
    assert f"{opened} is closed" in at.run("sandbox", "close", opened).stderr


def test_a_draft_becomes_a_sandbox_with_its_edits(at: Terminal) -> None:
    wider = at.file("new.gq", "query all() { match { $p: Package } return { $p.name } limit 9 }\n")
    draft = at.json("draft", "edit", "queries/all.gq", "--from", wider)["draft"]

    opened = at.json("sandbox", "open", "try", "--draft", draft)["sandbox"]

    assert opened == f"sandbox:{draft}"
    assert "query.supply.all" in at.done("plan", "--in", "try")


def test_a_page_of_commands_says_where_the_next_one_is(at: Terminal) -> None:
    at.done("sandbox", "open", "try")
    assert at.done("sandbox", "commands", "try") == "Nothing was done in it.\n"
    for _ in range(3):
        at.done("graph", "list", "--in", "try")

    page = at.done("sandbox", "commands", "try", "--limit", "2")
    rest = at.done("sandbox", "commands", "try", "--offset", "2")

    assert page.endswith("\n3 commands.\n1 more: --offset 2\n")
    assert rest.endswith("\n3 commands.\n")
    assert at.done("sandbox", "commands", "try", "--offset", "9") == "There are no more.\n"


def test_a_sandbox_is_shown_where_its_history_does_not_answer(
    at: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.done("sandbox", "open", "try")
    monkeypatch.setenv("AGENTCTL_HISTORY", f"sqlite:///{at.folder / 'cluster.yaml'}")

    shown = at.run("sandbox", "show", "try")

    assert shown.exit_code == 0
    assert "  commands   not known\n" in shown.stdout
    assert "sandbox_history_unavailable" in shown.stderr


@pytest.mark.parametrize("form", [(), ("--markdown",)])
def test_a_sandbox_is_compared_where_its_history_does_not_answer(
    at: Terminal, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    at.done("sandbox", "open", "try")
    assert "not known" not in at.done("sandbox", "diff", "try", *form)
    monkeypatch.setenv("AGENTCTL_HISTORY", f"sqlite:///{at.folder / 'cluster.yaml'}")
    at.run("sandbox", "write", "try", "supply", "-", piped=ROW)

    shown = at.run("sandbox", "diff", "try", *form)

    assert shown.exit_code == 0
    assert "1 row" in shown.stdout
    assert shown.stdout.endswith("\n\nCommands: not known.\n")
    assert "sandbox_history_unavailable" in shown.stderr


def test_a_history_that_is_only_read_bars_what_changes_a_sandbox(
    at: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.done("sandbox", "open", "try")
    monkeypatch.setenv("AGENTCTL_HISTORY_READ_ONLY", "1")

    refused = at.run("sandbox", "close", "try")

    assert refused.exit_code == ExitCode.DENIED
    assert "sandbox_store_read_only" in refused.stderr
    assert "try" in at.done("sandbox", "list")


def test_gc_takes_away_what_is_over_and_says_why(at: Terminal) -> None:
    opened = at.json("sandbox", "open", "try")["sandbox"]
    at.done("sandbox", "open", "young")
    record = at.folder / "sandboxes" / opened.removeprefix("sandbox:") / "sandbox.json"
    over(record)

    told = at.done("sandbox", "gc")

    assert told == f"{opened.removeprefix('sandbox:')}  its time is over\n\nTook away 1 sandbox.\n"
    assert [one["name"] for one in at.json("sandbox", "list")["sandboxes"]] == ["young"]
    assert at.done("sandbox", "gc") == "Took away 0 sandboxes.\n"


def over(record: Path) -> None:
    """Ends the time of a sandbox, in its record."""
    was = json.loads(record.read_text())
    record.write_text(json.dumps({**was, "expires_at": "2001-01-01T00:00:00.000Z"}))
