"""A person decides: the facts, the typed name, the passphrase, all on a terminal of their own."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from click.testing import Result

Run = Callable[..., Result]
PASSPHRASE = "correct horse"
WITHOUT_GRAPH = """\
version: 1
metadata:
  name: supply
policies:
  starter:
    file: policies/starter.cedar
    applies_to: [cluster]
"""

pytestmark = [
    pytest.mark.slow,
    # The child runs another program at once; lance warns of what a forked copy would do.
    pytest.mark.filterwarnings("ignore:lance is not fork-safe"),
]


def spawn(*arguments: str | Path) -> "pexpect.spawn[str]":
    """Starts agentctl on a terminal of its own; stdin, stdout and stderr are that terminal."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "agentctl", *map(str, arguments)],
        env=dict(os.environ),
        encoding="utf-8",
        timeout=30,
        dimensions=(50, 120),
    )


def end(child: "pexpect.spawn[str]") -> tuple[int, str]:
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus or 0), str(child.before)


@pytest.fixture
def waiting(run: Run, tmp_path: Path) -> tuple[Path, str]:
    """A cluster whose human has a passphrase, and a request to delete its graph."""
    folder = tmp_path / "supply"
    child = spawn("init", folder)
    child.expect("New passphrase")
    child.sendline(PASSPHRASE)
    child.expect("The same again")
    child.sendline(PASSPHRASE)
    code, _ = end(child)
    assert code == 0
    run("apply", "--config", folder)
    (folder / "cluster.yaml").write_text(WITHOUT_GRAPH)
    asked = run("approvals", "request", "graph.supply", "--config", folder, "--json")
    return folder, str(json.loads(asked.stdout)["request_id"])


def test_an_approval_is_a_typed_name_and_a_passphrase_and_the_next_apply_detaches(
    run: Run, waiting: tuple[Path, str]
) -> None:
    folder, request_id = waiting

    child = spawn("approve", request_id, "--config", folder)
    child.expect("DELETE GRAPH supply")
    child.expect("Type supply to approve")
    child.sendline("supply")
    child.expect("Passphrase for")
    child.sendline(PASSPHRASE)
    code, told = end(child)
    applied = run("apply", "--config", folder, "--require-converged")
    graphs = json.loads(run("graph", "list", "--config", folder, "--json").stdout)["graphs"]

    assert code == 0, told
    assert "Approved: graph.supply" in told
    assert PASSPHRASE not in told
    assert applied.exit_code == 0, applied.output
    assert [(g["id"], g["presence"]) for g in graphs] == [("supply", "detached")]


def test_another_name_or_another_passphrase_signs_nothing(
    run: Run, waiting: tuple[Path, str]
) -> None:
    folder, request_id = waiting

    child = spawn("approve", request_id, "--config", folder)
    child.expect("Type supply")
    child.sendline("yes")
    name_code, name_told = end(child)
    child = spawn("approve", request_id, "--config", folder)
    child.expect("Type supply")
    child.sendline("supply")
    child.expect("Passphrase for")
    child.sendline("wrong")
    key_code, key_told = end(child)
    listed = json.loads(run("approvals", "list", "--config", folder, "--json").stdout)

    assert (name_code, key_code) == (1, 1)
    assert "confirmation_mismatch" in name_told
    assert "human_key_unusable" in key_told
    assert [r["request_id"] for r in listed["requests"]] == [request_id]


def test_a_deny_closes_the_request_with_its_reason(run: Run, waiting: tuple[Path, str]) -> None:
    folder, request_id = waiting

    child = spawn("deny", "graph.supply", "--reason", "wrong graph", "--config", folder)
    child.expect("Passphrase for")
    child.sendline(PASSPHRASE)
    code, told = end(child)
    listed = json.loads(run("approvals", "list", "--config", folder, "--json").stdout)
    again = run("approvals", "request", "graph.supply", "--config", folder)

    assert code == 0, told
    assert "Denied: graph.supply" in told
    assert listed["requests"] == []
    assert "approval_denied_recently" in again.stderr
    assert request_id


def test_a_request_is_decided_from_a_file_and_handed_in(
    run: Run, waiting: tuple[Path, str], tmp_path: Path
) -> None:
    folder, request_id = waiting
    file = tmp_path / "request.json"
    file.write_text(run("approvals", "export", request_id, "--config", folder, "--json").stdout)

    child = spawn("approve", file)
    child.expect("DELETE GRAPH supply")
    child.expect("Type supply")
    child.sendline("supply")
    child.expect("Passphrase for")
    child.sendline(PASSPHRASE)
    code, told = end(child)
    signed = tmp_path / "request.decision.json"
    submitted = run("approvals", "submit", signed, "--config", folder)
    applied = run("apply", "--config", folder, "--require-converged")

    assert code == 0, told
    assert submitted.exit_code == 0, submitted.output
    assert applied.exit_code == 0, applied.output


def test_a_file_whose_statement_was_changed_is_not_signed(
    run: Run, waiting: tuple[Path, str], tmp_path: Path
) -> None:
    """A server that shows one thing and asks a signature for another is found."""
    folder, request_id = waiting
    file = tmp_path / "request.json"
    exported = run("approvals", "export", request_id, "--config", folder, "--json").stdout
    file.write_text(exported.replace('"graph.supply"', '"graph.scratch"'))

    child = spawn("approve", file)
    code, told = end(child)

    assert code == 1
    assert "invalid_approval_artifact" in told
    assert not (tmp_path / "request.decision.json").exists()


def test_foreign_words_reach_the_terminal_harmless(run: Run, tmp_path: Path) -> None:
    """OSC 52 writes the clipboard, a bidi override turns words around. Source: terminal 3."""
    folder = tmp_path / "supply"
    run("init", folder, "--no-passphrase")
    run("apply", "--config", folder)
    (folder / "cluster.yaml").write_text(WITHOUT_GRAPH)
    evil = "please \x1b]52;c;ZXZpbA==\x07 \u202eapprove\u202c"
    run("approvals", "request", "graph.supply", "-m", evil, "--config", folder)

    for arguments in (("approvals", "list"), ("approvals", "show", "graph.supply"), ("ops", "log")):
        child = spawn(*arguments, "--config", folder)
        _, told = end(child)
        assert "\x1b]" not in told
        assert "\u202e" not in told
