"""How git is called when it talks to a remote: its environment, its end, and how much it may say."""

import os
import time
from pathlib import Path

import pytest

from agentctl.adapters.forge.running import (
    OUTPUT_BYTES_MAX,
    GitTimeoutError,
    remote_environ,
    run_git,
)
from tests.sandboxes.publishing.publishing_rig import ends

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/home/x",
    "FORGE_TOKEN": "secret",
    "GIT_DIR": "/elsewhere/.git",
    "GIT_CONFIG_COUNT": "1",
    "GIT_ASKPASS": "/bin/ask",
    "SSH_ASKPASS": "/bin/ask",
    "SSH_AUTH_SOCK": "/run/agent",
}


def shell(script: str) -> tuple[str, ...]:
    """The words that make git run a script."""
    return ("-c", f"alias.x=!{script}", "x")


def test_git_sees_no_secret_asks_nobody_and_reaches_a_remote_in_one_way_only() -> None:
    plain = remote_environ(ENVIRON, "ssh", ssh_command="")
    own = remote_environ(ENVIRON, "file", ssh_command="ssh -i /k")
    program = remote_environ({**ENVIRON, "GIT_SSH": "/bin/plink"}, "ssh", ssh_command="")

    assert plain == {
        "PATH": os.environ["PATH"],
        "HOME": "/home/x",
        "SSH_AUTH_SOCK": "/run/agent",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
        "GIT_ALLOW_PROTOCOL": "ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "LC_ALL": "C",
    }
    assert own["GIT_SSH_COMMAND"] == "ssh -i /k -o BatchMode=yes -o ConnectTimeout=15"
    assert own["GIT_ALLOW_PROTOCOL"] == "file"
    assert program["GIT_SSH"] == "/bin/plink"
    assert "GIT_SSH_COMMAND" not in program


def test_both_streams_are_read_whole_up_to_their_bound(tmp_path: Path) -> None:
    said = run_git(
        shell("f() { echo out; echo err >&2; exit 3; }; f"),
        folder=tmp_path,
        environ=os.environ,
        deadline_s=30,
    )
    flood = run_git(
        shell("f() { head -c 3000000 /dev/zero >&2; echo end >&2; }; f"),
        folder=tmp_path,
        environ=os.environ,
        deadline_s=30,
    )

    assert (said.code, said.out, said.err) == (3, "out\n", "err\n")
    assert flood.code == 0
    assert len(flood.err) == OUTPUT_BYTES_MAX
    assert flood.err.endswith("\0end\n")


def test_what_keeps_the_streams_open_is_not_waited_for(tmp_path: Path) -> None:
    script = f"f() {{ setsid tail -f /dev/null & echo $! > {tmp_path}/pid; echo said; }}; f"
    began = time.monotonic()

    ended = run_git(shell(script), folder=tmp_path, environ=os.environ, deadline_s=60)
    took_s = time.monotonic() - began
    os.kill(int((tmp_path / "pid").read_text()), 9)

    assert (ended.code, ended.out) == (0, "said\n")
    assert took_s < 30


def test_one_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    script = f"f() {{ echo $$ > {tmp_path}/pid; tail -f /dev/null; }}; f"

    with pytest.raises(GitTimeoutError, match="within 1 s"):
        run_git(shell(script), folder=tmp_path, environ=os.environ, deadline_s=1)

    assert ends(int((tmp_path / "pid").read_text()))
