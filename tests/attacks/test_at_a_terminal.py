"""Attacks on the command line and the decision page, with real processes and a human's key at hand.

The human's key has no passphrase here, so that whatever the product let through would really sign.
What a shell of the same user can do without the product is column B: tests/trust/test_column_b.py.
"""

import contextlib
import json
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.consent import key_of
from agentctl.testing.shell import TIMEOUT_S, Shell

pytestmark = pytest.mark.slow

DEADLINE_S = 20.0
KEY = key_of("mallory").key


@pytest.fixture(scope="module")
def _founded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("attacked")).begun(folder_files("supply", "spare"))
    shell.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    shell.done("approvals", "request", "graph.spare")
    agent = principal(shell, "agent")
    shell.done("token", "create", agent, "--out", shell.root / "agent.token")
    human = principal(shell, "human")
    shell.done("token", "create", human, "--out", shell.root / "human.token")
    return shell


@pytest.fixture
def shell(_founded: Shell, tmp_path: Path) -> Shell:
    """A cluster that waits for a decision about `spare`, and tokens of its agent and its human."""
    return _founded.copied(tmp_path / "user")


def principal(shell: Shell, kind: str) -> str:
    listed = shell.json("identity", "list")["identities"]
    return str(next(one["id"] for one in listed if one["kind"] == kind))


def records(shell: Shell) -> list[dict[str, Any]]:
    found = shell.json("audit", "export")["records"]
    assert isinstance(found, list)
    return found


def kept(shell: Shell) -> dict[str, str]:
    """Everything but the audit chain: the ledger, the approvals, the people, the folder."""
    return shell.digests(without=("__cluster/audit/", "__cluster/cache/"))


def denied(shell: Shell, count: int) -> set[str]:
    return {r["action"] for r in records(shell)[count:] if r["decision"] == "deny"}


def secret_of(shell: Shell, whose: str) -> str:
    return (shell.root / f"{whose}.token").read_text().strip()


@pytest.mark.parametrize("whose", ["agent", "human"])
@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_command_line_with_a_token_approves_nothing_on_a_terminal_with_the_key_at_hand(
    shell: Shell, whose: str, how: str
) -> None:
    before, count = kept(shell), len(records(shell))
    more = []
    if how == "variable":
        shell.more_env = {"AGENTCTL_TOKEN": secret_of(shell, whose)}
    else:
        more = ["--token-file", str(shell.root / f"{whose}.token")]

    ended, told = shell.on_a_terminal(
        "approve", "graph.spare", *more, typed=[("Type spare", "spare")]
    )
    shell.more_env = {}

    assert ended != 0, told
    assert secret_of(shell, whose) not in told
    assert kept(shell) == before
    assert denied(shell, count) == {"approval_decide"}


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (("deny", "graph.spare"), "approval_decide"),
        (("identity", "new", "mallory", "--key", KEY), "principal_add_human"),
        (("identity", "groups", "HUMAN", "breakglass"), "principal_add_human"),
        (("identity", "revoke", "HUMAN", "--reason", "x"), "principal_revoke"),
        (("token", "create", "HUMAN"), "token_create"),
        (("token", "create", "AGENT"), "token_create"),
    ],
)
def test_the_command_line_with_an_agents_token_makes_no_authority(
    shell: Shell, words: tuple[str, ...], action: str
) -> None:
    named = {"HUMAN": principal(shell, "human"), "AGENT": principal(shell, "agent")}
    before, count = kept(shell), len(records(shell))
    shell.more_env = {"AGENTCTL_TOKEN": secret_of(shell, "agent")}

    typed = [("Type mallory", "mallory")] if "mallory" in words else []
    ended, told = shell.on_a_terminal(*(named.get(w, w) for w in words), typed=typed)
    shell.more_env = {}

    assert ended != 0, told
    assert kept(shell) == before
    assert action in denied(shell, count)


@pytest.mark.parametrize("said", ["spare\n", "y\n"])
def test_an_approval_is_not_taken_from_a_pipe(shell: Shell, said: str) -> None:
    before = kept(shell)

    ended = subprocess.run(
        shell.argv("approve", "graph.spare"),
        env=shell.env,
        input=said,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
        start_new_session=True,
    )

    assert ended.returncode != 0
    assert kept(shell) == before


@pytest.mark.parametrize(
    "words", [("--yes",), ("--confirmation", "spare"), ("--force",), ("--passphrase", "x"), ("-y",)]
)
def test_an_approval_is_not_taken_from_a_flag(shell: Shell, words: tuple[str, ...]) -> None:
    """No record: the command line knows no such flag, so that nothing is asked of the door."""
    before = kept(shell)

    ended = shell.run("approve", "graph.spare", *words)

    assert ended.returncode != 0
    assert kept(shell) == before


def test_a_label_makes_nobody_of_somebody(shell: Shell) -> None:
    """`--as` is shown to people; kind, key and what may be done stay the token's."""
    before, count = kept(shell), len(records(shell))
    shell.more_env = {"AGENTCTL_TOKEN": secret_of(shell, "agent")}

    ended, told = shell.on_a_terminal(
        "approve", "graph.spare", "--as", "root", typed=[("Type spare", "spare")]
    )
    shell.more_env = {}

    assert ended != 0, told
    assert kept(shell) == before
    tried = [r for r in records(shell)[count:] if r["decision"] == "deny"]
    assert all(r["actor"]["kind"] == "agent" for r in tried)


# --- keys into the decision page ----------------------------------------------------------------------


class Keys:
    """An agent that has the person's tmux: it sends keys, and sees the screen."""

    def __init__(self, shell: Shell) -> None:
        self._socket = f"agentctl-attack-{uuid.uuid4().hex}"
        self._env = shell.env | {"TEXTUAL_ANIMATIONS": "none", "LC_ALL": "C.UTF-8"}
        line = shlex.join(shell.argv("tui"))
        self.tmux("new-session", "-d", "-x", "100", "-y", "40", f"{line}; sleep 60")

    def tmux(self, *words: str, given: str | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, "-f", "/dev/null", *words],
            env=self._env,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def send(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def sees(self, text: str) -> str:
        end = time.monotonic() + DEADLINE_S
        while text not in (screen := self.tmux("capture-pane", "-p")):
            assert time.monotonic() < end, f"{text!r} is not on the screen:\n{screen}"
            time.sleep(0.05)
        return screen

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], check=False)


@pytest.fixture
def keys(shell: Shell) -> Iterator[Keys]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed; CI has it")
    opened = Keys(shell)
    yield opened
    opened.close()


def decisions(shell: Shell) -> list[str]:
    found = (shell.folder / "__cluster" / "approvals").glob("*.json")
    return [f.name for f in found if f.name.count(".") == 1]


def test_keys_typed_ahead_of_the_decision_page_sign_nothing(shell: Shell, keys: Keys) -> None:
    """All of it in one burst, before anybody could have read the page.

    No record: nothing was asked of the door; keys that are dropped are no attempt that it sees.
    """
    keys.sees("1 waits for a decision")
    keys.send("Enter", "a", "s", "p", "a", "r", "e", "Enter")
    keys.sees("compare:")
    keys.send("s", "p", "a", "r", "e", "Enter")
    keys.send("a", "s", "p", "a", "r", "e", "Enter", "s", "p", "a", "r", "e", "Enter")
    keys.sees("Armed.")

    assert decisions(shell) == []
    keys.send("Enter")
    keys.sees("not its name")
    assert decisions(shell) == []


def test_keys_that_come_as_a_paste_sign_nothing(shell: Shell, keys: Keys) -> None:
    keys.sees("1 waits for a decision")
    keys.send("Enter")
    keys.sees("compare:")
    keys.send("a")
    keys.sees("Armed.")
    keys.tmux("load-buffer", "-", given="spare")
    keys.tmux("paste-buffer", "-p")
    keys.send("Enter")
    keys.sees("not its name")

    assert decisions(shell) == []


def test_keys_that_come_one_by_one_behind_the_arming_do_sign(shell: Shell, keys: Keys) -> None:
    """So that the two above say something. Whoever has the person's terminal is column B."""
    keys.sees("1 waits for a decision")
    keys.send("Enter")
    keys.sees("compare:")
    keys.send("a")
    keys.sees("Armed.")
    keys.send("s", "p", "a", "r", "e")
    keys.send("Enter")
    keys.sees("Approved: graph.spare")

    assert len(decisions(shell)) == 1


# --- a context that points elsewhere ------------------------------------------------------------------


@contextlib.contextmanager
def serving(shell: Shell, listen: str) -> Iterator[str]:
    server = subprocess.Popen(
        [*shell.argv("serve", "--listen", listen), "--json"],
        env=shell.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["listening"]
    finally:
        server.terminate()
        server.communicate(timeout=TIMEOUT_S)


def at_a_desk(shell: Shell, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs a command of the same user by a context, in no folder of a cluster."""
    return subprocess.run(
        [sys.executable, "-m", "agentctl", *map(str, words)],
        env=shell.env,
        cwd=shell.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize("words", [("apply",), ("approve", "graph.spare"), ("status",)])
def test_a_context_behind_which_another_cluster_stands_sends_it_nothing(
    shell: Shell, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Somebody took the port: same graphs, same question, another cluster."""
    other = Shell(tmp_path / "other").begun(folder_files("supply", "spare"))
    other.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    other.done("approvals", "request", "graph.spare")
    with serving(shell, "127.0.0.1:0") as url:
        token = shell.root / "human.token"
        added = at_a_desk(shell, "context", "add", "prod", url, "--token-file", token)
        assert added.returncode == 0, added.stderr
        well = at_a_desk(shell, "status", "--context", "prod")
    before, mine, count = kept(other), kept(shell), len(records(other))
    with serving(other, url.removeprefix("http://")):
        ended = at_a_desk(shell, *words, "--context", "prod")

    assert well.returncode == 0, well.stderr
    assert ended.returncode != 0
    assert kept(other) == before
    assert kept(shell) == mine
    assert denied(other, count) == {"authenticate"}, "the knock is in the stranger's own chain"
    assert secret_of(shell, "human") not in ended.stderr + ended.stdout


def test_a_context_whose_pinned_id_was_changed_sends_no_command(shell: Shell) -> None:
    """The honest server is another cluster than the context says."""
    token = shell.root / "human.token"
    with serving(shell, "127.0.0.1:0") as url:
        pinned = ("--cluster-id", "0" * 64)
        at_a_desk(shell, "context", "add", "prod", url, "--token-file", token, *pinned)
        before = kept(shell)
        ended = at_a_desk(shell, "apply", "--context", "prod")

    assert ended.returncode == 3
    assert "server_mismatch" in ended.stderr
    assert kept(shell) == before, "no record: only who it is was asked, which everybody may"
