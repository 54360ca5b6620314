"""What is damaged, of the future, of another cluster, or withheld by the world: told at the command line.

Each test breaks one thing, sees that a person is told what, where and what to do, that nothing is
lost, and that the next command works once the cause is gone. S3 is answered by moto in this process.
"""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from moto.s3.models import s3_backends

from agentctl.adapters.backends import s3
from agentctl.adapters.backends.disk import RealDisk
from agentctl.domain.audit.chain import AUDIT_FOLDER
from agentctl.domain.ledger.codec import STATE_KEY
from agentctl.domain.storage.lease import lease_folder, lease_key
from agentctl.engine.leases import CLUSTER
from agentctl.engine.sidecars import PREFIX
from agentctl.engine.world import SystemWorld
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.main import cli
from agentctl.testing.moto_in_process import ACCOUNT, answered, refusing_with

ULID = "01M7Y2EPRTEWD0F5S2VCD3P6X8"
BUCKET = "bad-input"
MORE = "\nquery names() {\n  match { $p: Package }\n  return { $p.name }\n}\n"
LEDGER = "__cluster/ledger"


class Ended:
    """How one command ended, for machines and for people."""

    def __init__(self, exit_code: int, document: dict[str, Any], text: str) -> None:
        self.exit_code = exit_code
        self.document = document
        self.text = text
        self.diagnostics: list[dict[str, Any]] = document.get("diagnostics", [])

    def one(self, code: str) -> dict[str, Any]:
        found = [d for d in self.diagnostics if d["code"] == code]
        assert found, (code, self.document, self.text)
        return found[0]

    def tells(self, code: str, severity: str, path: str) -> bool:
        """Whether it says what, where, and either what to do or what follows; to a person too."""
        found = self.one(code)
        assert found["message"], found
        assert found.get("remedy") or found.get("detail"), found
        assert code in self.text, self.text
        assert "Traceback" not in self.text
        return (found["severity"], found["path"]) == (severity, path)


class Person:
    """Somebody at the command line, in this process, with a cluster's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str | Path) -> Ended:
        words = ["--config", str(self.folder), *(str(a) for a in arguments), "--json"]
        ended = CliRunner().invoke(cli, words, prog_name="agentctl")
        document = json.loads(ended.stdout) if ended.stdout else {}
        return Ended(ended.exit_code, document.get("report", document), ended.output)

    def done(self, *arguments: str | Path) -> dict[str, Any]:
        ended = self.run(*arguments)
        assert ended.exit_code == ExitCode.DONE, (arguments, ended.document, ended.text)
        return ended.document

    def converges(self) -> None:
        """The next command works, and the one after it finds nothing left."""
        assert self.done("apply")["converged"]
        assert self.run("plan", "--exit-code").exit_code == ExitCode.DONE
        self.done("audit", "verify")

    def edits(self) -> None:
        """Adds a query, so that there is something to apply."""
        with (self.folder / "queries" / "names.gq").open("a") as file:
            file.write(MORE)

    def path(self, key: str) -> Path:
        return self.folder / key

    def recorded(self) -> dict[str, bytes]:
        """What the ledger and the graphs hold."""
        return {
            str(path): path.read_bytes()
            for root in (LEDGER, "graphs", "__cluster/approvals", "__cluster/principals")
            for path in sorted(self.path(root).rglob("*"))
            if path.is_file() and "leases" not in path.parts
        }


@pytest.fixture
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    # Each command is a process, which has ended when the next one looks.
    monkeypatch.setattr(SystemWorld, "process_lives", lambda *_: False)


@pytest.fixture
def person(tmp_path: Path, _home: None) -> Person:
    """A person with a new cluster on a disk, applied."""
    person = Person(tmp_path / "supply")
    person.done("init", person.folder, "--no-passphrase")
    person.done("apply")
    return person


@pytest.mark.parametrize("damage", ["truncated", "edited", "empty", "garbage"])
def test_a_corrupt_state_json(person: Person, damage: str) -> None:
    file = person.path(STATE_KEY)
    right = file.read_bytes()
    wrong = {
        "truncated": right[:200],
        "edited": right.replace(b"applied", b"drifted"),
        "empty": b"",
        "garbage": b"\x00\xff{",
    }
    file.write_bytes(wrong[damage])
    before = person.recorded()

    looked = person.run("status")
    planned = person.run("plan", "--exit-code")
    untouched = file.read_bytes()
    mended = person.run("apply")

    assert looked.tells("state_cas_mismatch", "warning", STATE_KEY)
    assert looked.exit_code == planned.exit_code == mended.exit_code == ExitCode.DONE
    assert untouched == wrong[damage], "who only looks repairs nothing"
    assert file.read_bytes() == right
    assert person.recorded() == before
    person.edits()
    person.converges()


@pytest.mark.parametrize("damage", ["cut short", "its end is gone", "one in the middle is gone"])
def test_a_truncated_audit_chain(person: Person, damage: str) -> None:
    numbers = sorted(person.path(AUDIT_FOLDER).glob("*.json"))
    file = {"cut short": numbers[-2], "its end is gone": numbers[-1]}.get(damage, numbers[1])
    gone = numbers[-2:] if damage == "its end is gone" else [file]
    kept = {path: path.read_bytes() for path in gone}
    for path in gone:
        if damage == "cut short":
            path.write_bytes(kept[path][:40])
        else:
            path.unlink()
    before = person.recorded()

    found = person.run("audit", "verify")
    looked = person.run("status")

    told = found.one("audit_chain_broken")
    assert found.exit_code == ExitCode.ERRORS
    assert told["path"].startswith(AUDIT_FOLDER)
    assert told["message"]
    assert told.get("remedy"), told
    assert "audit_chain_broken" in found.text
    assert looked.exit_code == ExitCode.DONE, "what only looks goes on"
    if damage == "its end is gone":
        known = gone[-1].relative_to(person.folder).as_posix()
        assert looked.tells("audit_chain_broken", "warning", known)
    assert person.recorded() == before
    for path, data in kept.items():
        path.write_bytes(data)
    person.edits()
    person.converges()


def test_who_writes_above_a_truncated_audit_chain_is_told(person: Person) -> None:
    numbers = sorted(person.path(AUDIT_FOLDER).glob("*.json"))
    for path in numbers[-2:]:
        path.unlink()
    person.edits()

    applied = person.run("apply")

    assert applied.exit_code == ExitCode.DONE, applied.document
    assert applied.one("audit_chain_broken")["severity"] == "warning"
    assert numbers[-1].name in applied.one("audit_chain_broken")["path"]
    assert person.run("audit", "verify").exit_code == ExitCode.ERRORS, "no commit hides it"


def test_a_lock_of_another_version(person: Person) -> None:
    folder = person.path(lease_folder(CLUSTER))
    newest = max(int(path.name.partition(".")[0]) for path in folder.iterdir())
    key = lease_key(CLUSTER, newest + 1)
    record = b'{"version": 2, "holder": "a later release"}'
    person.path(key).write_bytes(record)
    person.edits()
    before = person.recorded()

    looked = person.run("status")
    listed = CliRunner().invoke(cli, ["--config", str(person.folder), "locks"])
    barred = person.run("apply")
    forced = person.run("force-unlock", ULID)

    assert "the lease's record has version 2" in listed.stdout
    assert "process" not in listed.stdout, "nothing is known of its holder"
    assert looked.tells("unsupported_state_lock_version", "warning", key)
    assert looked.exit_code == ExitCode.DONE
    assert barred.tells("state_lock_held", "error", CLUSTER)
    assert barred.exit_code == ExitCode.RACE
    assert forced.tells("unsupported_state_lock_version", "error", key)
    assert forced.exit_code == ExitCode.ERRORS
    assert person.path(key).read_bytes() == record
    assert person.recorded() == before
    person.path(key).unlink()
    person.converges()


def test_a_sidecar_of_the_future(person: Person) -> None:
    key = f"{PREFIX}{ULID}.json"
    record = b'{"schema_version": 3, "graph_id": "supply", "kind": "graph_split"}'
    person.path(PREFIX).mkdir(exist_ok=True)
    person.path(key).write_bytes(record)
    person.edits()

    looked = person.run("status")
    barred = person.run("apply")

    assert looked.tells("unsupported_recovery_sidecar_version", "warning", key)
    assert barred.tells("unsupported_recovery_sidecar_version", "warning", key)
    assert looked.exit_code == barred.exit_code == ExitCode.DONE
    assert not barred.document["converged"], "nothing is done to the graph that it names"
    assert person.path(key).read_bytes() == record
    person.path(key).unlink()
    person.converges()


def test_a_sealed_plan_from_another_cluster(person: Person, tmp_path: Path) -> None:
    other = Person(tmp_path / "other")
    other.done("init", other.folder, "--no-passphrase")
    theirs, own = tmp_path / "theirs.json", tmp_path / "own.json"
    other.done("plan", "--out", theirs)
    person.edits()
    person.done("plan", "--out", own)
    before = person.recorded()

    for flags in ((theirs,), ("--same-effects", theirs)):
        refused = person.run("apply", *flags)

        assert refused.exit_code == ExitCode.ERRORS
        assert refused.one("invalid_plan_file")["message"].startswith("this is a plan of another")
        assert refused.one("invalid_plan_file").get("remedy")
        assert "invalid_plan_file" in refused.text
        assert person.recorded() == before
    assert person.done("apply", own)["converged"]
    person.converges()


@pytest.mark.parametrize("room", [0, 2, 5, 9, 12])
def test_a_full_disk(person: Person, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for so many more objects, then for none."""
    person.edits()
    before = person.recorded()
    written = 0
    write_new = RealDisk.write_new

    def write(disk: RealDisk, path: Path, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_new(disk, path, data)

    with monkeypatch.context() as patched:
        patched.setattr(RealDisk, "write_new", write)
        full = person.run("apply")
    kept = person.recorded()

    codes = {d["code"] for d in full.diagnostics if d["severity"] == "error"}
    assert full.exit_code in {ExitCode.UNAVAILABLE, ExitCode.ERRORS}, full.document
    assert codes <= {"storage_full", "audit_unavailable", "resource_payload_write_error"}, codes
    assert codes
    assert "no room" in full.text or "No space" in full.text
    assert {path: kept.get(path) for path in before} == before, "what was there is there"
    assert person.run("status").exit_code == ExitCode.DONE
    person.converges()


S3_FOLDER = """\
version: 1
metadata:
  name: bucket
storage: s3://bad-input/root
providers:
  embedding:
    one: {kind: mock, model: small}
"""


class Network:
    """Between the product's client and moto: what is done to requests on their way."""

    def __init__(self) -> None:
        self.puts = 0
        self.expires_at: int | None = None
        """From that PUT on every request is refused."""
        self.deaf = False
        """Whether conditions are lost on the way."""

    async def send(self, session: object, request: Any) -> object:  # of botocore
        if request.method == "PUT":
            self.puts += 1
        if self.expires_at is not None and self.puts >= self.expires_at:
            return refusing_with(400, "ExpiredToken")
        if self.deaf:
            request.headers.pop("If-None-Match", None)
        return await answered(session, request)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """A bucket without a network."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    network = Network()

    async def send(session: object, request: object) -> object:
        return await network.send(session, request)

    monkeypatch.setattr(s3._PlainSession, "send", send)
    backend = s3_backends[ACCOUNT]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    yield network
    backend.reset()


@pytest.fixture
def on_s3(tmp_path: Path, _home: None, network: Network) -> Person:
    """A person with a folder whose storage root is a bucket; nothing is begun."""
    assert network.puts == 0
    person = Person(tmp_path / "bucket")
    person.folder.mkdir()
    (person.folder / "cluster.yaml").write_text(S3_FOLDER)
    return person


def stored() -> set[str]:
    """The keys of the bucket."""
    return set(s3_backends[ACCOUNT]["aws"].buckets[BUCKET].keys)


def test_a_store_that_lies_about_conditions(on_s3: Person, network: Network) -> None:
    network.deaf = True

    refused = on_s3.run("init", on_s3.folder, "--no-passphrase")
    left = {key for key in stored() if "__cluster/probe/" not in key}
    network.deaf = False

    assert refused.exit_code == ExitCode.UNAVAILABLE
    assert refused.one("storage_probe_failed")["path"] == f"s3://{BUCKET}/root"
    assert refused.one("storage_probe_failed").get("remedy")
    assert "storage_probe_failed" in refused.text
    assert left == set(), "nothing is begun on it"
    on_s3.done("init", on_s3.folder, "--no-passphrase")
    on_s3.converges()


@pytest.mark.slow
@pytest.mark.parametrize("expires_at", [1, 3, 6, 9])
def test_credentials_that_expire_half_way(on_s3: Person, network: Network, expires_at: int) -> None:
    on_s3.done("init", on_s3.folder, "--no-passphrase")
    before = {key for key in stored() if LEDGER in key}
    network.puts, network.expires_at = 0, expires_at

    ended = on_s3.run("apply")
    network.expires_at = None

    codes = {d["code"] for d in ended.diagnostics if d["severity"] == "error"}
    assert ended.exit_code in {ExitCode.UNAVAILABLE, ExitCode.ERRORS}, ended.document
    assert "ExpiredToken" in ended.text
    assert "sso login" in ended.text, "what to do"
    assert codes, ended.document
    assert before <= stored()
    on_s3.converges()
