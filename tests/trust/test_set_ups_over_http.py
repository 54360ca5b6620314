"""Split user and split host with `agentctl serve`: agents bring a token, people decide from their own desk.

`docs/guides/setups.md` says how each is made. A second machine is stood for by a second home on this one,
which reaches nothing of the first but its listener; another user is `nobody`, as whom only root can act.
"""

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.shell import TIMEOUT_S, Shell, line_of

pytestmark = pytest.mark.slow

AGENT = "nobody"
INTERPRETERS = (sys.executable, "/usr/bin/python3")
"""The first that other users can run, too, is taken."""


@contextlib.contextmanager
def serving(shell: Shell, *words: str, **process: object) -> Iterator[str]:
    """Runs `agentctl serve` as the keeper; gives its address, and ends it in order."""
    server = subprocess.Popen(  # type: ignore[call-overload]
        [*shell.argv("serve", *words), "--json"],
        env=shell.env,
        cwd=shell.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **process,
    )
    try:
        line = line_of(server)
        assert line, server.stderr.read()
        yield json.loads(line)["listening"]
    finally:
        server.terminate()
        try:
            server.communicate(timeout=TIMEOUT_S)
        finally:
            server.kill()
    assert server.returncode == 0


class Desk(Shell):
    """Somebody who has a context of the cluster, and no file of it."""

    def argv(self, *arguments: str | Path) -> list[str]:
        words = super().argv()
        return [*words[: words.index("--config")], *(str(a) for a in arguments)]


@pytest.fixture
def keeper(tmp_path: Path) -> Shell:
    """A cluster that was applied, whose folder no longer declares `spare`, and the question about it."""
    keeper = Shell(tmp_path / "keeper").begun(folder_files("supply", "spare"))
    keeper.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    keeper.done("approvals", "request", "graph.spare")
    return keeper


def principal(shell: Shell, kind: str) -> str:
    listed = shell.json("identity", "list")["identities"]
    return str(next(one["id"] for one in listed if one["kind"] == kind))


def test_split_host_a_person_decides_from_their_own_desk(keeper: Shell, tmp_path: Path) -> None:
    """The key is on the desk, the cluster is not; each of both sees what it needs."""
    tom = Desk(tmp_path / "desk")
    line = tom.done("identity", "key", "tom", "--no-passphrase").strip()
    key = " ".join(line.split()[:2])
    ended, told = keeper.on_a_terminal(
        "identity", "new", "tom", "--key", key, typed=[("Type tom", "tom")]
    )
    assert ended == 0, told
    mine = tom.root / "tom.token"
    # Tom makes his own: at the keeper's terminal, with his key for a moment in the keeper's folder.
    keys = keeper.keys / "human-tom"
    others = keeper.keys.rename(keeper.keys.with_name("others"))
    keeper.keys.mkdir()
    shutil.copy(tom.keys / "human-tom", keys)
    keeper.done("token", "create", "tom", "--out", mine)
    shutil.rmtree(keeper.keys)
    others.rename(keeper.keys)

    with serving(keeper, "--listen", "127.0.0.1:0") as url:
        cluster_id = keeper.json("identity", "show")["cluster_id"]
        tom.done("context", "add", "prod", url, "--token-file", mine, "--cluster-id", cluster_id)
        tom.done("context", "use", "prod")
        waiting = tom.json("approvals", "list")["requests"]
        alone = tom.run("approve", "graph.spare")
        ended, page = tom.on_a_terminal("approve", "graph.spare", typed=[("Type spare", "spare")])
        applied = tom.done("apply")

    assert [r["statement"]["resource"] for r in waiting] == ["graph.spare"]
    assert alone.returncode != 0, "without a terminal nobody decides"
    assert ended == 0, page
    assert "files ok" in page
    assert "delete graph.spare" in applied
    (decision,) = [
        json.loads(p.read_bytes())
        for p in (keeper.folder / "__cluster" / "approvals").glob("*.json")
        if p.name.count(".") == 1
    ]
    assert (decision["approver"], decision["key"]) == ("tom", key)


def test_split_host_a_stolen_token_does_what_column_a_does_and_ends_when_it_is_revoked(
    keeper: Shell, tmp_path: Path
) -> None:
    """Column D: another machine, with the agent's token and nothing else."""
    thief = Desk(tmp_path / "thief")
    stolen = thief.root / "stolen.token"
    keeper.done("token", "create", principal(keeper, "agent"), "--out", stolen)
    human = principal(keeper, "human")

    with serving(keeper, "--listen", "127.0.0.1:0") as url:
        thief.done("context", "add", "prod", url, "--token-file", stolen)
        thief.done("context", "use", "prod")
        looked = thief.run("status")
        applied = thief.run("apply")
        tried = {
            words: thief.run(*words)
            for words in (
                ("approve", "graph.spare"),
                ("token", "create", human),
                ("token", "create", principal(keeper, "agent")),
                ("token", "list"),
                ("identity", "groups", human, "breakglass"),
                ("graph", "purge", "supply", "--now"),
            )
        }
        (token,) = keeper.json("token", "list")["tokens"]
        keeper.done("token", "revoke", token["id"][:12], "--reason", "stolen")
        after = thief.run("status")

    assert (looked.returncode, applied.returncode) == (0, 0)
    for words, one in tried.items():
        assert one.returncode != 0, words
    assert "token_revoked" in after.stderr
    graphs = {g["id"]: g["presence"] for g in keeper.json("graph", "list")["graphs"]}
    assert graphs == {"supply": "live", "spare": "live"}
    records = keeper.json("audit", "export")["records"]
    denied = {r["action"] for r in records if r["decision"] == "deny"}
    assert {"token_create", "principal_add_human"} <= denied


@pytest.fixture
def machine() -> Iterator[Path]:
    """A folder that every user can enter."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user of the machine")
    path = Path(tempfile.mkdtemp(prefix="agentctl-set-up-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class UsersDesk(Desk):
    """A desk of another user of this machine."""

    def __init__(self, root: Path, user: str) -> None:
        known = pwd.getpwnam(user)
        self.uid, self.gid = known.pw_uid, known.pw_gid
        super().__init__(root)
        self.interpreter = INTERPRETERS[0]
        self.more_env = {
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for path in (root, *root.rglob("*")):
            os.chown(path, self.uid, self.gid)

    def argv(self, *arguments: str | Path) -> list[str]:
        return [self.interpreter, *super().argv(*arguments)[1:]]

    def runs(self) -> bool:
        """Whether there is an interpreter here that this user can run; it is used then."""
        for self.interpreter in INTERPRETERS:
            with contextlib.suppress(OSError):
                if self.run("version").returncode == 0:
                    return True
        return False

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.argv(*arguments),
            env=self.env,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=[],
        )


def test_split_user_agents_of_the_sockets_group_come_in_by_a_token(machine: Path) -> None:
    keeper = Shell(machine / "keeper").begun(folder_files("supply"))
    keeper.folder.chmod(0o700)
    agent = UsersDesk(machine / "agent", AGENT)
    if not agent.runs():
        pytest.skip(f"no interpreter here that {AGENT} can run")
    token = agent.root / "agent.token"
    keeper.done("token", "create", principal(keeper, "agent"), "--scope", "look", "--out", token)
    os.chown(token, agent.uid, agent.gid)
    place = machine / "run"
    place.mkdir(mode=0o755)
    socket = place / "supply.sock"

    with serving(keeper, "--socket", str(socket), group=agent.gid):
        assert (
            agent.run("context", "add", "here", f"unix:{socket}", "--token-file", token).returncode
            == 0
        )
        looked = agent.run("status", "--context", "here")
        applied = agent.run("apply", "--context", "here")
        around = agent.run("status", "--config", keeper.folder)
        stranger = UsersDesk(machine / "stranger", "games")
        assert stranger.runs()
        other = shutil.copy(token, stranger.root / "copied.token")
        os.chown(other, stranger.uid, stranger.gid)
        outside = stranger.run("context", "add", "here", f"unix:{socket}", "--token-file", other)

    assert looked.returncode == 0, looked.stderr
    assert "scope_missing" in applied.stderr
    assert around.returncode != 0, "the folder itself is the keeper's"
    assert "server_unreachable" in outside.stderr, "who is not of the socket's group knocks in vain"
    assert not socket.exists(), "the socket goes with its server"


def test_the_guide_has_what_these_set_ups_do() -> None:
    page = Path(__file__).parents[2] / "docs" / "guides" / "setups.md"
    if not page.exists():
        pytest.skip("runs in a checkout")
    text = page.read_text(encoding="utf-8")

    for words in (
        "agentctl serve --config /srv/supply --socket /run/agentctl/supply.sock",
        "agentctl token create agent:alice --out",
        "agentctl context add supply unix:/run/agentctl/supply.sock --token-file",
        "agentctl context add prod https://",
        "agentctl approve graph.spare --context prod",
        "agentctl token revoke",
        "issuers:",
    ):
        assert words in text
