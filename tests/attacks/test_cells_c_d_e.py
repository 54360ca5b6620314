"""Columns C, D and E of trust.md, cell by cell. A and B: tests/trust/test_column_a.py and _b.py.

C is a shell of another user of this machine, with programs of the system alone; D is a stolen
agent's token on another host; E is root, or whoever owns the bucket. Where the table says no, the
attack works and the line of `doctor --trust` says so.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl.domain.approval.records import DecisionArtifact
from agentctl.engine.trust import TrustFacts, assess
from agentctl.testing.authenticator import Authenticator
from agentctl.testing.builders import QUERY, cluster_yaml, folder_files
from agentctl.testing.consent import caller, consent, key_of
from agentctl.testing.shell import TIMEOUT_S, Shell
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.projections import http_operations

SECRET = "sk-of-the-keeper-0123456789abcdef"
OTHER = "nobody"


def facts(**more: Any) -> TrustFacts:
    known: dict[str, Any] = {
        "user": OTHER, "is_root": False, "storage_local": True, "storage_writable": False,
        "human_keys": (), "humans": 1,
    }  # fmt: skip
    return TrustFacts(**known | more)


@contextlib.contextmanager
def a_place() -> Iterator[Path]:
    """A folder that every user can enter, unlike those that pytest makes."""
    path = Path(tempfile.mkdtemp(prefix="agentctl-attacks-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


# --- C: a shell of another user -----------------------------------------------------------------------


class Neighbour:
    """Another user of the machine, with a shell and a keeper's folder to look at."""

    def __init__(self, keeper: Shell) -> None:
        self.keeper = keeper
        known = pwd.getpwnam(OTHER)
        self._ids: dict[str, Any] = {"user": known.pw_uid, "group": known.pw_gid}

    def can(self, script: str, *words: object) -> bool:
        """Returns whether a script of the shell ends well as that user."""
        ended = subprocess.run(
            ["sh", "-c", script, "sh", *map(str, words)],
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            extra_groups=[],
            **self._ids,
        )
        return ended.returncode == 0

    def line(self) -> str:
        """What `doctor --trust` says to this user, by what they reach."""
        writable = self.can('test -w "$1"', self.keeper.folder)
        return assess(facts(storage_writable=writable)).line


@pytest.fixture(scope="module")
def _kept() -> Iterator[Shell]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user of the machine")
    with a_place() as place:
        keeper = Shell(place / "keeper").begun(folder_files("supply", "spare"))
        keeper.home.chmod(0o700)
        keeper.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
        keeper.done("approvals", "request", "graph.spare")
        (keeper.folder / ".env").write_text(f"API_KEY={SECRET}\n")
        (keeper.folder / ".env").chmod(0o600)
        yield keeper


@pytest.fixture
def neighbour(_kept: Shell) -> Neighbour:
    found = Neighbour(_kept)
    assert found.can("true"), "there is a shell for that user"
    return found


@pytest.mark.slow
def test_cell_c1_nothing_irreversible_where_storage_and_key_are_others(
    neighbour: Neighbour,
) -> None:
    folder, before = neighbour.keeper.folder, neighbour.keeper.digests()

    for script in (
        'rm -rf "$1/graphs/spare.omni" && test ! -e "$1/graphs/spare.omni"',
        'mv "$1/graphs" "$1/gone"',
        'echo x > "$1/cluster.yaml"',
        'echo x > "$1/__cluster/state.json"',
        'echo x > "$1/__cluster/ledger/99999999999999999999.json"',
        'echo x > "$1/__cluster/tokens/x.json"',
        'echo x > "$1/__cluster/freezes/x"',
    ):
        assert not neighbour.can(script, folder), script

    assert neighbour.keeper.digests() == before
    assert neighbour.line().startswith("column C: storage and keys are not nobody's")


@pytest.mark.slow
def test_cell_c2_a_decision_is_of_a_key_that_this_user_cannot_read(neighbour: Neighbour) -> None:
    keys, folder = neighbour.keeper.keys, neighbour.keeper.folder
    (key,) = [f for f in keys.glob("human-*") if f.suffix != ".pub"]

    for script in (
        'cat "$1"',
        'ssh-keygen -Y sign -n agentctl-gate-v1 -f "$1" /etc/hostname',
        'cp "$1" /tmp/',
        'ls "$2"',
        'echo x > "$3/__cluster/approvals/x.json"',
        'echo x > "$3/__cluster/principals/00000000000000000099.json"',
    ):
        assert not neighbour.can(script, key, keys, folder), script

    assert neighbour.keeper.json("approvals", "list")["requests"]
    assert neighbour.line().startswith("column C")


@pytest.mark.slow
def test_cell_c3_history_is_not_this_users_to_write(neighbour: Neighbour) -> None:
    audit = neighbour.keeper.folder / "__cluster" / "audit"
    newest = max(audit.glob("*.json"))

    for script in (
        'echo x >> "$1"',
        'rm -f "$1" && test ! -e "$1"',
        'touch "$2/99999999999999999999.json"',
        'mv "$2" "$2.old"',
    ):
        assert not neighbour.can(script, newest, audit), script

    assert neighbour.keeper.run("audit", "verify").returncode == 0
    assert neighbour.line().startswith("column C")


@pytest.mark.slow
def test_cell_c4_secrets_of_the_keeper_are_not_this_users_to_read(neighbour: Neighbour) -> None:
    keeper = neighbour.keeper
    keeper.more_env = {"API_KEY": SECRET}
    with serving(keeper) as (url, pid):
        for script in (
            'cat "$1/.env"',
            'tr "\\0" "\\n" < /proc/$2/environ | grep API_KEY',
            'cat "$3"/*',
            'grep -r "PRIVATE KEY" "$3"',
        ):
            assert not neighbour.can(script, keeper.folder, pid, keeper.keys), script
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    keeper.more_env = {}

    assert url
    assert SECRET.encode() not in command, "what everybody may see of a process has no secret"
    assert neighbour.line().startswith("column C")


@contextlib.contextmanager
def serving(shell: Shell) -> Iterator[tuple[str, int]]:
    server = subprocess.Popen(
        [*shell.argv("serve", "--listen", "127.0.0.1:0"), "--json"],
        env=shell.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["listening"], server.pid
    finally:
        server.terminate()
        server.communicate(timeout=TIMEOUT_S)


# --- D: a stolen token on another host ----------------------------------------------------------------


async def test_cell_d1_nothing_irreversible_with_a_stolen_token(fort: Any) -> None:
    """Every operation that has a route is tried that could lose something or widen somebody.

    What `graph_erase` leaves is a proposal: it is put to a human like any gate.
    """
    await fort.begin()
    await fort.without_spare()
    tried: tuple[tuple[str, dict[str, Any]], ...] = (
        ("apply", {"intent": "x", "in": "cluster", "without_gated": True}),
        ("apply", {"intent": "x", "in": "cluster", "without_gated": True, "refresh": True}),
        ("graph_purge", {"graph": "spare", "intent": "x"}),
        ("graph_purge", {"graph": "supply", "intent": "x"}),
        ("graph_erase", {"graph": "supply", "intent": "x"}),
        ("load_rows", {"graph": "supply", "rows": "", "mode": "overwrite", "intent": "x",
                       "idempotency_key": "1"}),
        ("rollback", {"intent": "x", "to": 1, "without_gated": True, "with_data": True}),
        ("archive_prune", {"intent": "x"}),
        ("force_unlock", {"intent": "x", "lock_id": "x"}),
        ("state_collect", {}),
        ("token_create", {"principal": "agent:ci"}),
        ("token_revoke", {"id": "x", "reason": "x"}),
        ("identity_add", {"id": "agent:two", "of_kind": "agent", "key": key_of("two").key}),
    )  # fmt: skip

    async with (
        fort.served(),
        fort.holds("token_create", runs=True, moves=("__cluster/disposals/",)),
    ):
        for operation, arguments in tried:
            answer = await fort.post("agent:ci", operation, **arguments)
            assert answer.status_code < 500, (operation, answer.text)

    assert assess(facts(storage_writable=False)).column == "C", "a host that has no file of it"


async def test_cell_d2_a_stolen_token_decides_nothing(fort: Any) -> None:
    await fort.begin()
    request = await fort.without_spare()
    asked = {"request_id": request.request_id, "gate_digest": request.gate_digest}

    async with fort.served(), fort.holds("approval_decide", reason="human_only"):
        for who in ("agent:ci", "sarah"):
            for name in ("decide", "approve", "deny"):
                answer = await fort.post(who, name, verdict="approve", **asked)
                assert answer.status_code == 403

    assert (await fort.cluster.approvals.find(request.request_id)) == request


async def test_cell_d3_what_a_stolen_token_did_is_in_a_history_that_it_cannot_change(
    fort: Any,
) -> None:
    await fort.begin()
    before = [data for _, data in await fort.cluster.audit.records()]

    async with fort.served():
        for operation, arguments in (
            ("audit_anchor", {"place": "x"}),
            ("archive_prune", {"intent": "x"}),
            ("draft_edit", {"path": "__cluster/audit/x.json", "content": "x"}),
            ("decide", {"request_id": "x"}),
        ):
            await fort.post("agent:ci", operation, **arguments)
        records = await fort.records()
        verified = await fort.post("agent:ci", "audit_verify")

    after = [data for _, data in await fort.cluster.audit.records()]
    assert after[: len(before)] == before
    told = {(r.action, r.decision) for r in records[len(before) :]}
    assert {("approval_decide", "deny"), ("op_archive_prune", "deny")} <= told
    assert {r.actor.identity for r in records[len(before) :]} == {"agent:ci"}
    assert verified.json()["ok"]


async def test_cell_d4_secrets_are_in_no_answer_to_a_stolen_token(
    fort: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look that has a route is asked, well and badly; also what the listener itself says."""
    monkeypatch.setenv("API_KEY", SECRET)
    await fort.begin()
    (fort.bench.path / ".env").write_text(f"API_KEY={SECRET}\n")
    looks = [o.name for o in http_operations() if o.operation_class == "read"]
    looks.remove("approval_wait")  # It would wait.
    words = {"graph": "supply", "id": ".env", "what": ".env", "path": ".env", "of": ".env"}
    told: list[str] = []

    async with fort.served(), fort.web("agent:ci") as web:
        for name in looks:
            fields = OPERATIONS[name].arguments.__struct_fields__
            some = {k: v for k, v in words.items() if k in fields}
            for given in ({}, some, {"x": "${API_KEY}"}):
                answer = await web.post(f"/v1/ops/{name}", json=given)
                told.append(answer.text)
        for path in ("/metrics", "/healthz", "/readyz", "/openapi.json", "/graphs", "/.env", "/x"):
            answer = await web.get(path)
            told.append(answer.text + str(answer.headers))

    assert len(looks) > 40
    assert not [text for text in told if SECRET in text or "PRIVATE KEY" in text]
    assert not [text for text in told if any(s in text for s in fort.secrets.values())]


# --- E: root, or the bucket's owner -------------------------------------------------------------------


def line_of_root() -> str:
    return assess(facts(user="root", is_root=True, storage_writable=True)).line


async def test_cell_e1_irreversible_or_widening_no_the_objects_are_the_owners(fort: Any) -> None:
    """The bucket's owner writes itself a token of a human's, which nobody made."""
    await fort.begin()
    mine = await fort.token("tom", label="of nobody's making", by="tom")

    async with fort.served():
        as_tom = await fort.post(mine, "status")

    assert as_tom.json()["data"]["you"]["principal"] == "tom", "the attack works"
    assert line_of_root() == (
        "column E: this runs as root, and nothing on a machine holds against its root"
    )


@pytest.mark.slow
def test_cell_e1_irreversible_no_root_removes_what_nobody_decided_about(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply", "spare"))
    shutil.rmtree(shell.folder / "graphs" / "spare.omni")

    assert "missing" in json.dumps(shell.json("refresh")), "it is gone, and told"
    line = shell.done("doctor", "--trust")
    if os.geteuid() == 0:
        assert line.startswith(line_of_root())
    assert line_of_root().startswith("column E")


async def test_cell_e2_a_touched_key_holds_against_root_without_a_person() -> None:
    """Hardware touch, as for B: root asks the key as often as it likes, and nobody touches it."""
    bench = await consent()
    key = Authenticator(bytes(range(32)))
    added = await bench.principals.add(
        principal_id="tina", kind="human", key=key.key, assurance="touch", by="sarah",
        signer=key_of("sarah"),
    )  # fmt: skip
    assert not isinstance(added, tuple)
    await bench.apply_rules(hardware={"assurance": "touch"})
    request = await bench.ask()
    key.flags = 0

    alone = await bench.approvals.decide(
        caller("tina"), request.request_id, verdict="approve", reason=None, signer=key
    )
    await bench.try_to_decide(request, by="sarah")
    before = (await bench.standing()).state
    key.flags = 1
    touched = await bench.approvals.decide(
        caller("tina"), request.request_id, verdict="approve", reason=None, signer=key
    )

    assert not isinstance(alone, DecisionArtifact)
    assert before != "approved", "nor does a key in a file, which root reads, count here"
    assert isinstance(touched, DecisionArtifact)
    assert (await bench.standing()).state == "approved"


@pytest.mark.slow
def test_cell_e2_a_key_in_a_file_is_roots(tmp_path: Path) -> None:
    """Mode 0600 of another user keeps root out of nothing: it signs with it."""
    if os.geteuid() != 0:
        pytest.skip("shown by root alone")
    shell = Shell(tmp_path).begun(folder_files("supply", "spare"))
    (key,) = [f for f in shell.keys.glob("human-*") if f.suffix != ".pub"]
    os.chown(key, pwd.getpwnam(OTHER).pw_uid, -1)
    (tmp_path / "message").write_text("x")

    signed = subprocess.run(
        ["sh", "-c", 'cp "$1" "$2/k" && chmod 600 "$2/k" && ssh-keygen -Y sign -n x -f "$2/k" "$2/message"',
         "sh", str(key), str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip

    assert signed.returncode == 0, signed.stderr
    assert (tmp_path / "message.sig").read_text().startswith("-----BEGIN SSH SIGNATURE")
    assert shell.done("doctor", "--trust").startswith("column E")


@pytest.mark.slow
def test_cell_e3_a_past_that_the_owner_put_back_is_found_by_an_anchor_kept_elsewhere(
    tmp_path: Path,
) -> None:
    """All objects of yesterday, as a bucket's owner restores them: only the anchor knows better."""
    shell = Shell(tmp_path).begun(folder_files("supply", "spare"))
    anchors, yesterday = tmp_path / "anchors.jsonl", tmp_path / "yesterday"
    shutil.copytree(shell.folder / "__cluster", yesterday)
    shell.write({"supply.gq": f"// another\n{QUERY}"})
    shell.done("apply")
    shell.done("audit", "anchor", "--unsigned", "--file", anchors)
    shutil.rmtree(shell.folder / "__cluster")
    shutil.copytree(yesterday, shell.folder / "__cluster")

    alone = shell.run("audit", "verify")
    told = shell.run("audit", "verify", "--anchors", anchors)

    assert alone.returncode == 0, "by itself the past is whole: up to the newest anchor, no further"
    assert told.returncode == 1, told.stdout + told.stderr
    assert line_of_root().startswith("column E")


@pytest.mark.slow
def test_cell_e4_secrets_out_of_reach_no_root_reads_the_servers_environment(
    tmp_path: Path,
) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    shell.more_env = {"API_KEY": SECRET}
    with serving(shell) as (_, pid):
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    shell.more_env = {}

    assert f"API_KEY={SECRET}".encode() in environ, "the attack works"
    line = shell.done("doctor", "--trust")
    if os.geteuid() == 0:
        assert line.startswith("column E")


@pytest.mark.parametrize("column", ["c", "d", "e"])
@pytest.mark.parametrize("row", ["1", "2", "3", "4"])
def test_every_cell_of_these_columns_has_a_test_by_name(column: str, row: str) -> None:
    text = Path(__file__).read_text(encoding="utf-8")

    assert re.search(rf"def test_cell_{column}{row}_", text)
