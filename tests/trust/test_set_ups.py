"""The set-ups of trust.md, each as far as one machine can show it: what holds there, and what does not.

`docs/guides/setups.md` says how each is made and promises no more. Another user of this machine is
`nobody`; to become one, the tests run as root and are left out where they do not.
"""

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl.faces.mcp_client.client import ToolConnection, connect
from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.servers import BUCKET, ObjectServer
from agentctl.testing.shell import TIMEOUT_S, Shell
from agentctl.views.bucket_policy import bucket_policy

pytestmark = pytest.mark.slow

KEEPER, AGENT = "daemon", "nobody"
INTERPRETERS = (sys.executable, "/usr/bin/python3")
"""The first that other users can run, too, is taken."""


class UsersShell(Shell):
    """A shell of another user of this machine."""

    def __init__(self, root: Path, user: str, *, folder: Path | None = None) -> None:
        known = pwd.getpwnam(user)
        self.uid, self.gid = known.pw_uid, known.pw_gid
        root.mkdir(exist_ok=True)
        super().__init__(root)
        self.folder = folder or self.folder
        self.more_env = {
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for path in (self.root, self.home):
            os.chown(path, self.uid, self.gid)
        self.home.chmod(0o700)

    def argv(self, *arguments: str | Path) -> list[str]:
        return [interpreter(), *super().argv(*arguments)[1:]]

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return self.becomes(self.argv(*arguments))

    def becomes(self, words: list[str]) -> "subprocess.CompletedProcess[str]":
        """Runs any program as this user."""
        return subprocess.run(
            words,
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

    def python(self, program: str, *arguments: object) -> int:
        """Runs a program of Python as this user; returns how it ended."""
        return self.becomes([interpreter(), "-c", program, *map(str, arguments)]).returncode


def interpreter() -> str:
    known = pwd.getpwnam(AGENT)
    for found in INTERPRETERS:
        with_path = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        try:
            tried = subprocess.run(
                [found, "-c", "import agentctl.faces.cli.main"],
                env=with_path,
                cwd="/",
                capture_output=True,
                check=False,
                user=known.pw_uid,
                group=known.pw_gid,
                extra_groups=[],
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return found
    pytest.skip(f"no interpreter here that {AGENT} can run")


@contextlib.contextmanager
def a_machine() -> Iterator[Path]:
    """A folder that every user can enter, unlike those that pytest makes."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user of the machine")
    interpreter()
    path = Path(tempfile.mkdtemp(prefix="agentctl-set-up-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture
def machine() -> Iterator[Path]:
    """A machine of one test."""
    with a_machine() as path:
        yield path


@pytest.fixture(scope="module")
def kept() -> Iterator[UsersShell]:
    """The keeper of a cluster that nobody else may write; no test changes it."""
    with a_machine() as path:
        keeper = UsersShell(path / "keeper", KEEPER)
        begun(keeper)
        yield keeper


def begun(keeper: UsersShell) -> None:
    """A cluster whose folder no longer declares `spare`, and the question about it."""
    keeper.folder.mkdir()
    os.chown(keeper.folder, keeper.uid, keeper.gid)
    keeper.write(folder_files("supply", "spare"))
    for path in keeper.folder.iterdir():
        os.chown(path, keeper.uid, keeper.gid)
    keeper.done("init", keeper.folder, "--no-passphrase")
    keeper.done("apply")
    keeper.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    keeper.done("approvals", "request", "graph.spare")


def test_one_laptop_is_column_b_and_says_so_aloud(machine: Path) -> None:
    you = UsersShell(machine / "you", AGENT)
    begun(you)

    told = you.done("doctor", "--trust")
    status = you.run("status")

    assert told.startswith("column B: an agent with a shell as nobody reaches files and key")
    assert "column B" in status.stdout + status.stderr
    assert you.python("import sys; open(sys.argv[1]).read()", next(you.keys.glob("human-*"))) == 0


def asked_for(shell: Shell) -> list[dict[str, object]]:
    """The statements of the requests that wait for a human."""
    return [r["statement"] for r in shell.json("approvals", "list")["requests"]]


ATTACKS = {
    "takes a graph away": "shutil.rmtree(root / 'graphs')",
    "takes the newest ledger object away": "max((c / 'ledger').glob('*.json')).unlink()",
    "adds a ledger object": "(c / 'ledger' / ('9' * 20 + '.json')).write_text('{}')",
    "rewrites the copy of the state": "(c / 'state.json').write_text('{}')",
    "rewrites an audit record": "min((c / 'audit').glob('*.json')).write_text('{}')",
    "hands in a decision by hand": "(c / 'approvals' / 'x.json').write_text('{}')",
    "adds a principal": "(c / 'principals' / ('0' * 19 + '9.json')).write_text('{}')",
    "lifts a freeze": "(c / 'freeze.json').write_text('{}')",
    "takes the lease": "(c / 'leases' / 'x.json').write_text('{}')",
    "edits the configuration": "(root / 'cluster.yaml').write_text('version: 1')",
    "reads the human's key": "print([p.read_bytes() for p in keys.iterdir()])",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_split_user_holds_against_a_shell_as_another_user_which(
    attack: str, kept: UsersShell
) -> None:
    keeper = kept
    agent = UsersShell(kept.root.parent / "agent", AGENT, folder=keeper.folder)
    copy = kept.root.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-a", keeper.root, copy], check=True)
    program = (
        "import shutil, sys; from pathlib import Path; root, keys = map(Path, sys.argv[1:]);"
        f"c = root / '__cluster'; {ATTACKS[attack]}"
    )
    before = keeper.digests()

    assert agent.python(program, keeper.folder, keeper.keys) == 1
    assert keeper.digests() == before
    own = copy / "cluster", copy / "home" / ".config" / "agentctl" / "keys"
    assert keeper.python(program, *own) == 0, "the keeper itself could"


def test_split_user_no_command_of_another_user_writes_and_doctor_says_column_c(
    machine: Path,
) -> None:
    keeper = UsersShell(machine / "keeper", KEEPER)
    begun(keeper)
    agent = UsersShell(machine / "agent", AGENT, folder=keeper.folder)
    rows = agent.root / "rows.ndjson"
    rows.write_text('{"type": "Package", "data": {"name": "x"}}\n')
    before = keeper.digests()

    ended = {
        words: agent.run(*words).returncode
        for words in (
            ("apply",),
            ("refresh",),
            ("load", "supply", str(rows)),
            ("freeze", "-m", "x"),
            ("approvals", "request", "graph.spare"),
            ("graph", "purge", "spare"),
        )
    }
    line = agent.done("doctor", "--trust")

    assert 0 not in ended.values(), ended
    assert keeper.digests() == before
    assert line.startswith("column C: storage and keys are not nobody's")


def test_split_user_a_folder_that_others_may_write_is_column_b_again(machine: Path) -> None:
    keeper = UsersShell(machine / "keeper", KEEPER)
    begun(keeper)
    agent = UsersShell(machine / "agent", AGENT, folder=keeper.folder)
    keeper.folder.chmod(0o777)

    assert agent.done("doctor", "--trust").startswith("column B")


async def answer(tools: ToolConnection, tool: str, **arguments: object) -> Any:
    """Returns the envelope of an answer."""
    _, envelope = await tools.call(tool, arguments)
    return envelope


async def test_split_user_agents_come_in_by_mcp_as_the_keeper_and_decide_nothing(
    machine: Path,
) -> None:
    """`setpriv` stands for the line of sudoers that lets an agent's user start exactly this."""
    keeper = UsersShell(machine / "keeper", KEEPER)
    begun(keeper)
    become = ["--reuid", str(keeper.uid), "--regid", str(keeper.gid), "--clear-groups"]
    async with connect("setpriv", [*become, *keeper.argv("mcp")], env=keeper.env) as tools:
        planned = await answer(tools, "plan")
        given = {"plan_id": planned["data"]["plan_id"], "intent": "x", "idempotency_key": "1"}
        applied = await answer(tools, "apply", **given, without_gated=True)
        asked = await answer(tools, "approve", gate="graph.spare", intent="x", idempotency_key="2")

    graphs = {g["id"]: g["presence"] for g in keeper.json("graph", "list")["graphs"]}
    assert graphs["spare"] == "live"
    assert applied["ok"]
    assert asked["ok"]
    assert [r["resource"] for r in asked_for(keeper)] == ["graph.spare"]


def test_split_host_whoever_has_no_file_of_the_host_has_its_tools_only() -> None:
    """Another machine cannot be had here; what reaches it is a command that is fixed there.

    The line of `authorized_keys` in the guide gives `mcp` and nothing else, and column A holds
    against those who have only that: `test_column_a.py`.
    """
    page = Path(__file__).parents[2] / "docs" / "guides" / "setups.md"
    if not page.exists():
        pytest.skip("runs in a checkout")
    text = page.read_text(encoding="utf-8")

    assert 'restrict,command="agentctl --config /srv/supply mcp" ssh-ed25519' in text
    assert "not tested here" in text


def test_s3_only_the_keepers_role_may_write(seaweed: ObjectServer, tmp_path: Path) -> None:
    """The agent's role reads the bucket: what it starts is refused, and changes nothing there."""
    keeper = Shell(tmp_path / "keeper")
    keeper.more_env = seaweed.environ
    root = f"s3://{BUCKET}/{uuid.uuid4().hex}"
    keeper.begun(on_s3(root, "supply", "spare"))
    agent = keeper.copied(tmp_path / "agent")
    agent.more_env = seaweed.environ | seaweed.reader
    shutil.rmtree(agent.keys)
    agent.write({"spare.pg": None, "spare.gq": None} | on_s3(root, "supply"))
    before = objects(seaweed, root)

    ended = {
        words: agent.run(*words) for words in (("apply",), ("approvals", "request", "graph.spare"))
    }

    assert objects(seaweed, root) == before
    for words, one in ended.items():
        assert one.returncode != 0, words
        assert "audit_unavailable" in one.stderr, "not even the attempt can be recorded"
        assert "AccessDenied" in one.stderr
    assert "graph.spare" in agent.done("status"), "it may look"
    assert agent.run("doctor", "--trust").stdout.startswith(("column B", "column E")), (
        "what a role may is the bucket's to say, so no more is promised"
    )


def test_s3_the_bucket_itself_keeps_proofs_and_writes_them_once() -> None:
    policy = json.loads(bucket_policy("b", "p/"))
    denied = {s["Sid"]: s for s in policy["Statement"] if s["Effect"] == "Deny"}

    for name in ("audit", "approvals", "principals"):
        key = f"arn:aws:s3:::b/p/__cluster/{name}/*"
        assert key in denied["AgentctlCreatesOnce"]["Resource"]
        assert key in denied["AgentctlKeepsProofs"]["Resource"]
    assert all(statement["Principal"] == "*" for statement in denied.values())
    (objects_,) = [s for s in policy["Statement"] if s["Sid"] == "AgentctlObjects"]
    assert objects_["Principal"] == {"AWS": "arn:aws:iam::ACCOUNT:role/ROLE"}, "one role"


def on_s3(root: str, *graphs: str) -> dict[str, str | None]:
    """Files of a folder whose storage is that root."""
    return folder_files(*graphs) | {"cluster.yaml": cluster_yaml(*graphs, more=f"storage: {root}")}


def objects(server: ObjectServer, root: str) -> dict[str, str]:
    """What lies under a root, with what the server says of its content."""
    prefix = root.removeprefix(f"s3://{BUCKET}/")
    with contextlib.closing(server.client()) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {o["Key"]: o["ETag"] for page in pages for o in page.get("Contents", ())}
