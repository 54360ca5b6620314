"""`agentctl demo`, as a person meets it: by itself, decided by keys, refused, left, and what it says to try."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = pytest.mark.slow

LIMIT_S = 60


class Person(Protocol):
    environment: dict[str, str]

    def sits_down(self, folder: Path) -> None: ...
    def types(self, text: str) -> None: ...
    def presses(self, *keys: str) -> None: ...
    def runs(self, command: str) -> None: ...
    def screen(self) -> str: ...
    def sees(self, *texts: str, gone: str | None = None) -> str: ...


def environment(home: Path) -> dict[str, str]:
    here = {k: v for k, v in os.environ.items() if not k.startswith("AGENTCTL")}
    return here | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        shlex.split(command),
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        timeout=LIMIT_S * 2,
    )


def test_by_itself_it_ends_under_a_minute_and_everything_that_it_says_to_try_works(
    tmp_path: Path,
) -> None:
    began = time.monotonic()
    done = run("agentctl demo --auto", tmp_path)
    took = time.monotonic() - began

    assert done.returncode == 0, done.stdout + done.stderr
    assert took < LIMIT_S
    told = done.stdout
    assert "no person looked" in told
    assert "| agent:" in told
    assert re.search(r"^   \* \S+  success$", told, re.MULTILINE)
    assert re.search(r"\d+ audit records, one unbroken chain", told)
    assert re.search(r"^   trust: column [A-E]:", told, re.MULTILINE)
    _, _, after = told.partition("Three commands to try next:\n")
    commands = after.strip().splitlines()
    assert len(commands) == 3
    for command in commands:
        tried = run(command, tmp_path)
        assert tried.returncode == 0, (command, tried.stdout + tried.stderr)
        assert tried.stdout + tried.stderr
    folder = next(tmp_path.glob("supply-chain-*"))
    listed = run(f"agentctl --config {folder.name} graph list", tmp_path)
    assert "modules" in listed.stdout
    assert "detached" not in listed.stdout


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("x", encoding="utf-8")

    done = run("agentctl demo --auto --config taken", tmp_path)

    assert done.returncode == 2
    assert [p.name for p in taken.iterdir()] == ["mine"]


def test_without_a_terminal_there_is_nobody_to_decide(tmp_path: Path) -> None:
    done = run("agentctl demo", tmp_path)

    assert done.returncode == 2
    assert "--auto" in done.stderr
    assert not list(tmp_path.glob("supply-chain-*"))


@pytest.fixture
def at_the_page(person: Person, tmp_path: Path) -> Person:
    """The demo has come so far that its decision page stands open, by itself."""
    person.sits_down(tmp_path)
    person.runs('clear; agentctl demo --config d; echo "ended:$?"')
    person.sees("DELETE GRAPH modules", "compare:")
    return person


def test_a_person_approves_by_keys_and_the_agent_goes_on(
    at_the_page: Person, tmp_path: Path
) -> None:
    at_the_page.types("a")
    at_the_page.sees("Armed.")
    at_the_page.types("modules")
    at_the_page.presses("Enter")
    at_the_page.sees("Three commands to try next:", "ended:0")

    listed = run("agentctl --config d graph list", tmp_path)
    assert "detached" in listed.stdout


@pytest.mark.parametrize(
    ("keys", "told"),
    [(("d", "1"), "You denied it"), (("Escape",), "You left the request undecided")],
)
def test_a_person_who_does_not_approve_is_told_what_that_means(
    at_the_page: Person, tmp_path: Path, keys: tuple[str, ...], told: str
) -> None:
    for key in keys:
        at_the_page.presses(key)
        if key == "d":
            at_the_page.sees("Deny, because")
    screen = at_the_page.sees("The demo stopped:", told, "ended:1")

    assert "Traceback" not in screen
    listed = run("agentctl --config d graph list", tmp_path)
    assert "modules" in listed.stdout
    assert "detached" not in listed.stdout
