"""What a pty receives: no byte that a row, an agent, a file or a name brought acts on it."""

import json
import re
from pathlib import Path

import pytest

from agentctl.testing.builders import QUERY, SCHEMA, cluster_yaml, folder_files
from agentctl.testing.shell import Shell

CLIPBOARD = "\x1b]52;c;eA==\x07"
ERASE = "\x1b[2K\x1b[1A\r"
BIDI = "a\u202ebdelgnat\u202c\u2066z\u2069\u200b"
C1 = "\x9b2J\x9d0;title\x9c"
EVIL = f"row{CLIPBOARD}{BIDI}{C1}{ERASE}[red]end"
ACTING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
OURS = re.compile(r"\x1b\[[0-9;]*m")
"""The only sequences that our own renderer may write on a plain command: colours."""


def seen_by_a_terminal(shell: Shell, *arguments: str | Path) -> str:
    """Runs the product on a pty of its own and returns all that the pty received."""
    return shell.on_a_terminal(*arguments)[1]


def assert_clean(received: str, *, shows: str) -> None:
    """Fails unless *received* has nothing that acts; *shows* proves that the text did get there."""
    assert shows in received, received
    text = OURS.sub("", received).replace("\r\n", "\n")
    found = ACTING.search(text)
    assert found is None, (found, received)
    assert "\r" not in text, received


@pytest.fixture
def poisoned(shell: Shell) -> Shell:
    """A cluster in which every text that a stranger can supply is hostile."""
    rows = shell.root / "evil.ndjson"
    row = {"type": "Package", "data": {"name": EVIL, "version": f"v{EVIL}"}}
    rows.write_text(json.dumps(row) + "\n", encoding="utf-8")
    shell.done("load", "supply", rows, "-m", f"rows {EVIL}", "--as", f"who{EVIL}")
    return shell


@pytest.mark.slow
def test_a_row_leaves_the_terminal_clean(poisoned: Shell) -> None:
    received = seen_by_a_terminal(poisoned, "query", "supply.all_packages")

    assert_clean(received, shows="row‹U+001B›]52;c;eA==‹U+0007›a‹U+202E›")


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb", ["query supply.all_packages", "ops list", "status", "audit export"]
)
def test_json_on_a_terminal_is_clean_too(poisoned: Shell, verb: str) -> None:
    received = seen_by_a_terminal(poisoned, *verb.split(), "--json")

    assert_clean(received, shows="{")
    json.loads(received)


@pytest.mark.slow
def test_an_intent_and_a_label_leave_the_terminal_clean(poisoned: Shell) -> None:
    assert_clean(seen_by_a_terminal(poisoned, "ops", "list"), shows="rows row‹U+001B›")
    assert_clean(seen_by_a_terminal(poisoned, "status"), shows="graph.supply")
    assert_clean(seen_by_a_terminal(poisoned, "audit", "verify"), shows="audit record")
    assert_clean(seen_by_a_terminal(poisoned, "status", "--as", EVIL), shows="graph.supply")


@pytest.mark.slow
def test_a_request_leaves_the_terminal_of_the_human_clean(removing: Shell) -> None:
    removing.done("approvals", "request", "graph.spare", "-m", f"cleanup {EVIL}")

    shown = seen_by_a_terminal(removing, "approvals", "show", "graph.spare")
    listed = seen_by_a_terminal(removing, "approvals", "list")
    exported = seen_by_a_terminal(removing, "approvals", "export", "graph.spare")

    assert_clean(shown, shows="row‹U+001B›")
    assert_clean(listed, shows="row‹U+001B›")
    assert_clean(exported, shows="cleanup row")


@pytest.mark.slow
def test_the_page_on_which_a_human_decides_is_clean_up_to_the_question(removing: Shell) -> None:
    """A real decision on a real terminal, with a hostile intent on the page."""
    removing.done("approvals", "request", "graph.spare", "-m", f"cleanup {EVIL}")
    question = "to approve, anything else to leave it: "

    code, received = removing.on_a_terminal(
        "approve", "graph.spare", "--reason", EVIL, typed=[(question, "spare")]
    )

    assert code == 0, received
    assert_clean(received, shows="row‹U+001B›")
    assert "Approved" in received
    assert [n["satisfied"] for n in removing.json("plan")["approvals_required"]] == [True]
    removing.done("apply")
    assert_clean(seen_by_a_terminal(removing, "approvals", "list", "--all"), shows="‹U+001B›")


FILES: dict[str, dict[str, str | None]] = {
    "a description of a query": {
        "supply.gq": QUERY.replace("()", f'() @description("see{BIDI}")', 1)
    },
    "a comment of a query": {"supply.gq": f"// {EVIL}\nquery broken(\n"},
    "a comment of a schema": {"supply.pg": f"// {EVIL}\n{SCHEMA}node {EVIL} {{\n"},
    "a key of cluster.yaml": {"cluster.yaml": f'version: 1\n"x{BIDI}y": 1\n'},
    "raw bytes in cluster.yaml": {"cluster.yaml": f"version: 1\nmetadata:\n  name: {EVIL}\n"},
    "an escaped name in cluster.yaml": {
        "cluster.yaml": cluster_yaml("supply", "spare").replace(
            "name: bench", 'name: "be\\e]52;c;eA==\\ach\\u202E"'
        )
    },
    "an escaped path in cluster.yaml": {
        "cluster.yaml": cluster_yaml("supply").replace("supply.pg", '"su\\e[2Kp\\u202E.pg"')
    },
    "an escaped id in cluster.yaml": {
        "cluster.yaml": 'version: 1\ngraphs:\n  "su\\e[2Kp\\u202E": {schema: supply.pg}\n'
    },
    "a policy": {
        **folder_files("supply", "spare"),
        "cluster.yaml": cluster_yaml(
            "supply",
            "spare",
            policies="policies:\n  p:\n    file: p.yaml\n    applies_to: [supply]",
        ),
        "p.yaml": f'"x{BIDI}": 1\nversion: 1\n',
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FILES)
def test_a_file_leaves_the_terminal_clean_whatever_it_holds(shell: Shell, case: str) -> None:
    shell.write(FILES[case])

    for verb in ("validate", "plan", "status"):
        assert_clean(seen_by_a_terminal(shell, verb), shows="\n")


@pytest.mark.slow
def test_a_draft_leaves_the_terminal_clean(shell: Shell) -> None:
    source = shell.root / "evil.gq"
    source.write_text(f"// {EVIL}\n{QUERY}", encoding="utf-8")
    ended = shell.run("draft", "edit", "supply.gq", "--from", source)
    draft = ended.stdout.split()[0]

    assert_clean(seen_by_a_terminal(shell, "draft", "diff", draft), shows="‹U+001B›")
    assert_clean(seen_by_a_terminal(shell, "draft", "show", draft), shows="supply.gq")
    assert_clean(seen_by_a_terminal(shell, "draft", "edit", f"x{EVIL}", "--remove"), shows="‹U+")


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("query", f"supply.{EVIL}"),
        ("query", "supply.all_packages", "--params", json.dumps({EVIL: 1})),
        ("approvals", "show", EVIL),
        ("ops", "show", EVIL),
        ("graph", "show", EVIL),
        ("explain", EVIL),
        ("apply", EVIL),
        ("load", "supply", EVIL),
        ("force-unlock", EVIL),
        ("draft", "show", EVIL),
        (EVIL,),
    ],
    ids=lambda a: " ".join(a)[:20].partition("row")[0] if isinstance(a, tuple) else "",
)
def test_what_was_typed_or_pasted_comes_back_clean(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    assert_clean(seen_by_a_terminal(shell, *arguments), shows="\n")
