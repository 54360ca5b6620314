"""Anchors prove the audit chain up to their record, wherever they are kept. Source: trust.md."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.audit.anchor import Anchor, decode_anchors, encode_anchor
from agentctl.domain.audit.chain import AuditVerification
from agentctl.engine.cluster import Cluster
from agentctl.engine.principals import Signer
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import key_of
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    ended = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return ended.stdout


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("modules"))
    for _ in range(3):
        await call(cluster, bench.sarah, "refresh", {"intent": "look"})
    return bench


@pytest.fixture
def repository(bench: Bench) -> Path:
    _git(bench.path, "init", "-q")
    _git(bench.path, "add", "cluster.yaml")
    _git(bench.path, "commit", "-q", "-m", "begin")
    return bench.path


async def _anchor(bench: Bench, place: str, signer: Signer | None = None) -> Envelope:
    return await call(
        await bench.open(), bench.sarah, "audit_anchor", {"place": place}, signer=signer
    )


async def _verify(cluster: Cluster, bench: Bench, *places: str) -> Envelope:
    return await call(cluster, bench.sarah, "audit_verify", {"anchors": places})


def _of(envelope: Envelope) -> AuditVerification:
    assert isinstance(envelope.data, AuditVerification), envelope
    return envelope.data


async def test_a_signed_tag_is_one_that_git_verifies_and_proves_the_chain(
    bench: Bench, repository: Path, tmp_path: Path
) -> None:
    made = await _anchor(bench, "git-tag", key_of("sarah"))
    assert made.ok, made

    (tag,) = _git(repository, "tag", "--list").split()
    allowed = tmp_path / "allowed"
    allowed.write_text(f"sarah {key_of('sarah').key}\n")
    _git(repository, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-tag", tag)
    verified = _of(await _verify(await bench.open(), bench, "git"))
    assert (verified.ok, verified.proved_by_anchor) == (True, verified.length)
    assert [w.signed_by for w in verified.witnesses] == ["sarah"]
    assert _git(repository, "status", "--porcelain", "--untracked-files=no") == ""


@pytest.mark.usefixtures("repository")
async def test_a_note_is_appended_and_each_of_its_anchors_counts(bench: Bench) -> None:
    assert (await _anchor(bench, "git-note")).ok
    assert (await _anchor(bench, "git-note", key_of("sarah"))).ok

    verified = _of(await _verify(await bench.open(), bench, "git"))
    assert [w.signed_by for w in verified.witnesses] == [None, "sarah"]
    assert verified.proved_by_anchor == verified.length


async def test_a_file_takes_a_line_for_each_anchor_and_tells_of_a_cut_chain(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "anchors.jsonl"
    assert (await _anchor(bench, str(file), key_of("sarah"))).ok
    assert (await _anchor(bench, str(file))).ok
    assert len(file.read_bytes().splitlines()) == 2
    newest = max(k for k in bench.objects if k.startswith("__cluster/audit/"))
    del bench.objects[newest]

    cut = await _verify(await bench.open(), bench, str(file))
    assert not cut.ok
    assert [d.code for d in cut.diagnostics] == ["audit_chain_broken"]


async def test_a_record_taken_away_and_written_again_is_told_by_an_older_ledger_object(
    bench: Bench,
) -> None:
    """The newest object knows the record that stands there now; the one before knows the other."""
    head = await (await bench.open()).ledger.head()
    assert head is not None
    known = head.envelope.audit.length
    for key in sorted(bench.objects):
        if key.startswith("__cluster/audit/") and int(key[-25:-5]) >= known:
            del bench.objects[key]
    assert (await call(await bench.open(), bench.sarah, "refresh", {"intent": "again"})).ok

    told = await _verify(await bench.open(), bench)

    assert [d.code for d in told.diagnostics] == ["audit_chain_broken"]
    assert f"ledger object {head.seq}" in told.diagnostics[0].message


async def test_a_url_is_posted_to_and_read_back(bench: Bench) -> None:
    with _witness_server() as url:
        made = await _anchor(bench, f"{url}/?token=hunter2", key_of("sarah"))
        verified = _of(await _verify(await bench.open(), bench, url))
    assert made.ok
    assert "hunter2" not in repr(made)
    assert verified.proved_by_anchor == verified.length


async def test_an_anchor_of_another_cluster_or_an_altered_one_proves_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    good = tmp_path / "good.jsonl"
    await _anchor(bench, str(good), key_of("sarah"))
    (anchor,), others = decode_anchors(good.read_bytes())
    assert others == 0
    forged = {
        "other cluster": _changed(anchor, cluster_id="0" * 64),
        "later": _changed(anchor, at="2027-01-01T00:00:00.000Z"),
        "stranger": await _signed_by_stranger(bench, tmp_path),
        "no signature": msgspec.structs.replace(anchor, signature=None),
        "another key": msgspec.structs.replace(anchor, key=key_of("tom").key),
    }
    for name, forgery in forged.items():
        file = tmp_path / "forged.jsonl"
        file.write_bytes(encode_anchor(forgery) + b"\n")
        told = await _verify(await bench.open(), bench, str(file))
        assert [d.code for d in told.diagnostics] == ["invalid_audit_anchor"], name
        assert _of(told).proved_by_anchor == 0, name


async def test_places_that_hold_no_anchor_are_told_and_nothing_is_claimed(
    bench: Bench, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"some words\n")
    for place in (str(tmp_path / "nothing"), str(empty), "git", "http://127.0.0.1:9/x"):
        told = await _verify(await bench.open(), bench, place)
        assert [d.code for d in told.diagnostics] == ["audit_anchor_unreadable"], place
        assert told.data is None
    for place in (str(tmp_path), "git-tag", "http://example.invalid/plain"):
        told = await _anchor(bench, place)
        assert [d.code for d in told.diagnostics] == ["audit_anchor_not_written"], place


def _changed(anchor: Anchor, **fields: str) -> Anchor:
    return msgspec.structs.replace(anchor, anchor=msgspec.structs.replace(anchor.anchor, **fields))


async def _signed_by_stranger(bench: Bench, tmp_path: Path) -> Anchor:
    file = tmp_path / "stranger.jsonl"
    await _anchor(bench, str(file), key_of("stranger"))
    return decode_anchors(file.read_bytes())[0][0]


@contextmanager
def _witness_server() -> Iterator[str]:
    kept: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class's name
            kept.append(self.rfile.read(int(self.headers["content-length"])))
            self._answer(b"")

        def do_GET(self) -> None:  # the base class's name
            self._answer(b"".join(kept))

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
