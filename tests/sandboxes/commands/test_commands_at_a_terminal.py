"""What a person types about sandboxes of commands; each command is a process of its own."""

import pytest

from tests.sandboxes.cli.conftest import Terminal


def test_a_sandbox_is_started_used_kept_compared_gone_back_to_and_closed(at: Terminal) -> None:
    assert "RUNNING" in at.done("sandbox", "start", "shell", "--source", "site", "--ttl", "2h")
    ran = at.run("sandbox", "run", "shell", "sh", "-c", "cat colour; echo no >&2; exit 4")
    assert (ran.exit_code, ran.stdout, "no\n" in ran.stderr) == (1, "green\n", True)
    at.done("sandbox", "run", "--stdin", "shell", "tee", "colour", piped=b"red\n")
    assert at.done("sandbox", "run", "--env", "A=b", "shell", "printenv", "A") == "b\n"
    at.done("sandbox", "snapshot", "shell", "red")
    assert "colour" in at.done("sandbox", "diff", "shell", "base", "red")
    assert "colour" in at.done("sandbox", "diff", "shell")
    at.done("sandbox", "restore", "shell", "base")
    assert at.done("sandbox", "run", "shell", "cat", "colour") == "green\n"
    assert "shell" in at.done("sandbox", "list")
    assert "snapshots" in at.done("sandbox", "show", "shell")
    assert "printenv A" in at.done("sandbox", "commands", "shell")
    assert "STOPPED" in at.done("sandbox", "stop", "shell")
    assert at.run("sandbox", "run", "shell", "true").exit_code == 1
    assert "RUNNING" in at.done("sandbox", "start", "--again", "shell")
    at.done("sandbox", "close", "shell")
    assert "shell" not in at.done("sandbox", "list")
    assert (at.root / "site" / "colour").read_text() == "green\n"


def test_a_source_is_looked_at_from_a_terminal(at: Terminal) -> None:
    assert at.done("sandbox", "look", "cat colour | wc -l", "--source", "site").strip() == "1"
    refused = at.run("sandbox", "look", "rm colour", "--source", "site")
    assert refused.exit_code == 1
    assert "readonly_command_refused" in refused.stderr
    assert "cluster.yaml" in at.done("sandbox", "look", "ls")


def test_what_a_program_prints_does_nothing_to_the_terminal(at: Terminal) -> None:
    at.done("sandbox", "start", "shell")

    shown = at.done("sandbox", "run", "shell", "printf", r"\033[2J\007done\n")

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "done" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--timeout", "soon", "shell", "true"),
        ("run", "--env", "novalue", "shell", "true"),
        ("run", "shell"),
        ("start", "shell", "--ttl", "1s"),
        ("start", "shell", "--provider", "cloud"),
    ],
)
def test_a_line_that_cannot_be_meant_is_told_as_such(at: Terminal, words: tuple[str, ...]) -> None:
    assert at.run("sandbox", *words).exit_code == 2


def test_a_host_without_machines_says_so(at: Terminal) -> None:
    for words in (("start", "m", "--provider", "vm", "--source", "x"), ("prepare", "x")):
        refused = at.run("sandbox", *words)

        assert refused.exit_code == 1
        assert "sandbox_provider_absent" in refused.stderr
