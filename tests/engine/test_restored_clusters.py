"""What a restored cluster keeps of the one it comes from, and what it does not. Source: control-plane 3.2, 3.8."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.probe import PROOF_KEY
from agentctl.adapters.keys.sshsig import verify
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.audit.chain import AuditVerification
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import (
    CONSENT_NAMESPACE,
    FREEZE_KEY,
    FreezeRecord,
    ThawRecord,
    ThawSeen,
    ThawStatement,
    record_key,
    thaw_bytes,
)
from agentctl.domain.policy.principals import Registry, RestoredFrom
from agentctl.domain.policy.vouching import vouching
from agentctl.domain.storage.backup import Manifest
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine import freeze_ops
from agentctl.engine.apply import apply
from agentctl.engine.backup import BackupMade, create_backup, read_manifest
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.freezing import FrozenError
from agentctl.engine.leases import CLUSTER
from agentctl.engine.principals import Principals, PrincipalsBrokenError
from agentctl.engine.refresh import refresh
from agentctl.engine.restoring import Restored, Restoring, living
from agentctl.testing.builders import ROWS, Bench, folder_files, wanting
from agentctl.testing.consent import key_of
from agentctl.testing.servers import BUCKET, ObjectServer
from agentctl.testing.shell import Shell
from agentctl_tools.door import call


class Pair:
    """A cluster, and a bench whose empty root its backup is restored into."""

    def __init__(self, tmp_path: Path) -> None:
        (tmp_path / "old").mkdir()
        (tmp_path / "new").mkdir()
        self.old = Bench(tmp_path / "old")
        self.new = Bench(tmp_path / "new")
        self.new.roots = self.old.roots
        self.place = LocalStore(tmp_path / "place")

    async def begun(self, *graphs: str) -> Cluster:
        """Returns the old cluster, applied."""
        self.new.write(folder_files(*graphs))
        cluster = await self.old.begun(folder_files(*graphs))
        assert (await apply(cluster, self.old.sarah, wanting())).converged
        return cluster

    async def restoring(
        self, *, onto: ObjectStore | None = None, second: ObjectStore | None = None
    ) -> Restoring:
        """Returns a restore of a fresh backup of the old cluster."""
        made = await create_backup(await self.old.open(), self.old.sarah, self.place)
        assert isinstance(made, BackupMade), made
        manifest = await read_manifest(self.place, made.backup_id)
        assert isinstance(manifest, Manifest)
        store = onto or MemoryStore(objects=self.new.objects)
        return Restoring(
            self.place,
            manifest,
            home=store,
            store=store,
            storage=".",
            world=self.new.world,
            verify=verify,
            second=second,
        )

    async def restored(self) -> Cluster:
        """Returns the new cluster."""
        restoring = await self.restoring()
        assert await restoring.refusal() is None
        await restoring.carry(by="sarah", signer=key_of("sarah"))
        cluster = await self.new.open()
        done = await restoring.record(cluster, self.new.sarah, intent="go on elsewhere")
        assert isinstance(done, Restored)
        return await self.new.open()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


async def _frozen(pair: Pair, cluster: Cluster, scope: str) -> Freeze:
    made = await freeze_ops.freeze(cluster, pair.old.agent, scope, "wrong rows")
    assert made.freeze is not None, made.diagnostics
    return made.freeze


async def _loads(pair: Pair, cluster: Cluster) -> None:
    lines = ROWS.splitlines(keepends=True)
    await load(cluster, pair.new.sarah, "supply", lines, mode="append", intent="rows")


async def test_a_frozen_cluster_is_frozen_when_it_is_restored_and_is_thawed_there(
    pair: Pair,
) -> None:
    cluster = await pair.begun("supply", "parts")
    freeze = await _frozen(pair, cluster, "cluster")
    restored = await pair.restored()

    with pytest.raises(FrozenError):
        await refresh(restored, pair.new.sarah, "look")
    with pytest.raises(FrozenError):
        await _loads(pair, await pair.new.open())
    thawed = await freeze_ops.thaw(
        restored, pair.new.sarah, freeze.id, "mended", signer=key_of("sarah")
    )
    assert (thawed.ok, thawed.freezes) == (True, ())
    assert (await refresh(await pair.new.open(), pair.new.sarah, "look")).ok
    await _loads(pair, await pair.new.open())


async def test_a_freeze_that_the_ledger_had_not_recorded_yet_is_restored_too(pair: Pair) -> None:
    cluster = await pair.begun("supply", "parts")
    freeze = Freeze(
        id="01J9ZC4R3QWE5T6Y7U8I9O0P1A",
        scope="graph.supply",
        since="2026-11-21T03:30:00.000Z",
        reason="wrong rows",
        by="sarah",
    )
    await cluster.freezes.write(FreezeRecord(op=None, freeze=freeze))
    restored = await pair.restored()
    head = await restored.ledger.head()

    assert head is not None
    assert head.envelope.freezes == (freeze,)
    assert record_key(freeze.id) in pair.new.objects
    assert FREEZE_KEY in pair.new.objects
    with pytest.raises(FrozenError):
        await _loads(pair, restored)


async def test_what_was_thawed_in_the_old_cluster_is_not_frozen_in_the_new_one(pair: Pair) -> None:
    cluster = await pair.begun("supply")
    freeze = await _frozen(pair, cluster, "cluster")
    # Its ledger had no time to say so: the thaw is judged by the people of the old cluster.
    statement = ThawStatement(
        cluster_id=(await cluster.principals.registry()).cluster_id,
        freeze=freeze.id,
        scope=freeze.scope,
        reason="mended",
        by="sarah",
        at="2026-11-21T03:30:00.000Z",
        seen=ThawSeen(ledger_seq=None, audit_head=None, audit_length=0),
        nonce="0" * 32,
    )
    key, signature = key_of("sarah").sign(thaw_bytes(statement), CONSENT_NAMESPACE)
    await cluster.freezes.end(
        ThawRecord(op=None, statement=statement, key=key, signature=signature)
    )
    restored = await pair.restored()

    assert await freeze_ops.freezes(restored, pair.new.sarah) == ()
    assert (await refresh(restored, pair.new.sarah, "look")).ok


class Overwriting(MemoryStore):
    """A store that takes a create of what is there."""

    async def create(self, key: str, data: bytes) -> bool:
        """Writes over, and says that it created."""
        await self.replace(key, data)
        return True


async def test_a_root_whose_creates_overwrite_gets_no_cluster(pair: Pair) -> None:
    await pair.begun("supply")
    restoring = await pair.restoring(
        onto=Overwriting(objects=pair.new.objects), second=Overwriting(objects=pair.new.objects)
    )

    refused = await restoring.refusal()

    assert isinstance(refused, Diagnostic)
    assert refused.code == "storage_probe_failed"
    assert not any(key.endswith("restoring.json") for key in pair.new.objects)


async def test_a_restored_root_is_proved_once_and_remembered(pair: Pair) -> None:
    await pair.begun("supply")
    restoring = await pair.restoring(second=MemoryStore(objects=pair.new.objects))

    assert await restoring.refusal() is None
    assert PROOF_KEY in pair.new.objects


@pytest.mark.parametrize(
    "left",
    [
        "__cluster/approvals/01J9ZC4R3QWE5T6Y7U8I9O0P1A.json",
        "__cluster/recoveries/01J9ZC4R3QWE5T6Y7U8I9O0P1A.json",
        "__cluster/resources/source/00",
        "__cluster/audit/00000000000000000001.json",
        "graphs/x.omni/_graph/format.json",
    ],
)
async def test_a_root_that_holds_anything_of_another_cluster_is_not_empty(
    pair: Pair, left: str
) -> None:
    await pair.begun("supply")
    restoring = await pair.restoring()
    pair.new.objects[left] = b"{}"

    refused = await restoring.refusal()

    assert refused is not None
    assert refused.code == "restore_root_not_empty"
    assert left in refused.message


async def test_a_command_that_was_tried_before_leaves_nothing_in_the_way(pair: Pair) -> None:
    await pair.begun("supply")
    restoring = await pair.restoring()
    before = await pair.new.open()
    async with before.leases.hold(CLUSTER, principal="sarah", operation="apply"):
        pass

    assert await restoring.refusal() is None


async def test_the_op_of_a_restore_follows_the_last_of_the_old_ledger_and_ends(pair: Pair) -> None:
    cluster = await pair.begun("supply")
    last = await cluster.ledger.head()
    restored = await pair.restored()
    head = await restored.ledger.head()

    assert last is not None
    assert head is not None
    op = await restored.journal.get(head.envelope.op or "")
    assert op is not None
    assert (op.status, op.lineage.parent_op) == ("success", last.envelope.op)
    assert await restored.journal.unfinished() == ()


async def _with_tom(pair: Pair) -> Cluster:
    cluster = await pair.begun("supply")
    await cluster.principals.add(
        principal_id="tom",
        kind="human",
        key=key_of("tom").key,
        groups=("ops",),
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )
    return cluster


async def test_who_was_revoked_after_the_backup_decides_nothing_in_the_restored_cluster(
    pair: Pair,
) -> None:
    cluster = await _with_tom(pair)
    restoring = await pair.restoring()
    await cluster.principals.revoke(
        principal_id="tom", reason="left", by="sarah", signer=key_of("sarah")
    )
    assert await restoring.refusal() is None
    await restoring.carry(by="sarah", signer=key_of("sarah"))
    done = await restoring.record(await pair.new.open(), pair.new.sarah, intent="go on")
    restored = await pair.new.open()
    registry = await restored.principals.registry()
    signed = await restored.principals.revoke(
        principal_id="sarah", reason="revenge", by="tom", signer=key_of("tom")
    )

    assert "tom" in registry.principals
    assert registry.human("tom") is None
    assert registry.human_with_key(key_of("tom").key) is None
    assert isinstance(signed, tuple)
    assert "no human whom the chain knows" in signed[0].message
    assert [(d.code, d.remedy) for d in vouching(registry)] == [
        ("human_unconfirmed", "agentctl identity groups tom ops")
    ]
    assert [(p.id, p.confirmed) for p in done.humans] == [("sarah", True), ("tom", False)]
    assert done.humans[1].changed_at is not None


async def test_whoever_restores_confirms_the_others_and_they_decide_again(pair: Pair) -> None:
    cluster = await _with_tom(pair)
    await cluster.principals.add(
        principal_id="ann",
        kind="human",
        key=key_of("ann").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )
    restored = await pair.restored()

    async def confirm(name: str, by: str) -> Registry:
        done = await restored.principals.regroup(
            principal_id=name, groups=("ops",), by=by, signer=key_of(by)
        )
        assert isinstance(done, Registry), done
        return done

    first = await confirm("tom", "sarah")
    second = await confirm("ann", "sarah")
    third = await confirm("ann", "tom")

    tom = first.human("tom")
    assert tom is not None
    assert (tom.groups, tom.counts_with) == (("ops",), None)
    assert second.principals["ann"].counts_with == "sarah"
    assert (third.person("ann"), third.principals["ann"].groups) == ("ann", ("ops",))


async def test_a_first_record_that_holds_back_who_signs_it_or_a_stranger_begins_no_chain(
    pair: Pair,
) -> None:
    cluster = await _with_tom(pair)
    old = await cluster.principals.registry()
    for held, signer in ((("sarah",), "sarah"), (("eve",), "sarah"), (("tom",), "tom")):
        origin = RestoredFrom(
            cluster_id=old.cluster_id,
            head=old.head.head or "",
            principals=living(old),
            unconfirmed=held,
        )
        principals = Principals(MemoryStore(), pair.new.world, verify)
        with pytest.raises(PrincipalsBrokenError):
            await principals.genesis_restored(origin, by=signer, signer=key_of(signer))


async def test_anchors_of_the_old_cluster_prove_its_chain_in_the_new_one(
    pair: Pair, tmp_path: Path
) -> None:
    cluster = await pair.begun("supply")
    anchors = str(tmp_path / "anchors.jsonl")
    signer = key_of("sarah")
    await call(cluster, pair.old.sarah, "audit_anchor", {"place": anchors}, signer=signer)
    length = (await cluster.audit.head()).length
    restored = await pair.restored()
    # The old cluster goes on: what is anchored later is of a time that the backup does not know.
    later = await pair.old.open()
    for _ in range(2):
        await call(later, pair.old.sarah, "audit_anchor", {"place": anchors}, signer=signer)
    old_id = (await later.principals.registry()).cluster_id

    told = await call(restored, pair.new.sarah, "audit_verify", {"anchors": (anchors,)})

    assert told.ok, told.diagnostics
    assert isinstance(told.data, AuditVerification)
    (proof,) = told.data.origins
    assert (proof.cluster_id, proof.ok, proof.proved_by_anchor) == (old_id, True, length)
    assert old_id[:12] in told.summary
    assert "no anchor" not in told.summary


async def test_an_altered_chain_of_the_old_cluster_is_found_in_the_new_one(pair: Pair) -> None:
    cluster = await pair.begun("supply")
    await call(cluster, pair.old.sarah, "refresh", {"intent": "look"})
    restored = await pair.restored()
    key = next(k for k in sorted(pair.new.objects) if "/origin/" in k and "/audit/" in k)
    pair.new.objects[key] = pair.new.objects[key].replace(b'"allow"', b'"error"')

    told = await call(restored, pair.new.sarah, "audit_verify", {})

    assert not told.ok
    assert [d.path for d in told.diagnostics if d.code == "audit_chain_broken"][:1] == [key]


async def test_an_export_of_the_old_cluster_is_compared_with_the_old_ledger(
    pair: Pair, tmp_path: Path
) -> None:
    cluster = await pair.begun("supply")
    for _ in range(2):
        await call(cluster, pair.old.sarah, "refresh", {"intent": "look"})
    (tmp_path / "old.jsonl").write_bytes(await cluster.audit.export())
    restored = await pair.restored()
    file = {"file": str(tmp_path / "old.jsonl")}

    whole = await call(restored, pair.new.sarah, "audit_verify", file)
    first, second = (tmp_path / "old.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "old.jsonl").write_bytes(first + second.replace(b"cluster_refresh", b"cluster_x"))
    found = await call(restored, pair.new.sarah, "audit_verify", file)

    assert whole.ok, whole.diagnostics
    assert isinstance(whole.data, AuditVerification)
    assert whole.data.proved_by_ledger > 0
    assert not found.ok


@contextmanager
def _agent_with(key: Path, shell: Shell) -> Iterator[None]:
    """A real ssh-agent that holds *key*; the file is put away meanwhile."""
    socket = shell.root.parent / "agent.sock"
    said = subprocess.run(
        ["ssh-agent", "-a", str(socket)], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"SSH_AGENT_PID=(\d+)", said)
    assert found is not None, said
    shell.more_env = {"SSH_AUTH_SOCK": str(socket)}
    try:
        subprocess.run(["ssh-add", str(key)], env=shell.env, check=True, capture_output=True)
        for file in (key, key.with_name(f"{key.name}.pub")):
            file.unlink()
        yield
    finally:
        os.kill(int(found[1]), signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="no ssh-agent")
def test_a_human_whose_key_is_in_an_ssh_agent_anchors_and_restores(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    shell = Shell(tmp_path / "a").begun(folder_files("supply"))
    place, anchors = tmp_path / "place", tmp_path / "anchors.jsonl"
    key = next(p for p in shell.keys.glob("human-*") if p.suffix != ".pub")
    with _agent_with(key, shell):
        assert "signed" in shell.run("audit", "anchor", "--file", anchors).stderr
        assert shell.json("audit", "verify", "--anchors", anchors)["proved_by_anchor"] > 0
        backup_id = shell.json("backup", "create", "--to", place)["backup_id"]
        other = _emptied(shell, tmp_path / "b")
        restored = other.json("backup", "restore", backup_id, "--from", place)

    assert restored["from_cluster_id"] != restored["cluster_id"]


@pytest.mark.slow
def test_a_cluster_goes_to_s3_through_a_place_on_s3_and_comes_back(
    tmp_path: Path, seaweed: ObjectServer
) -> None:
    (tmp_path / "a").mkdir()
    shell = Shell(tmp_path / "a")
    shell.more_env = seaweed.environ
    shell.begun(folder_files("supply"))
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(ROWS)
    shell.done("load", "supply", rows)
    place = f"s3://{BUCKET}/{seaweed.new_root().prefix}place"
    there = _emptied(shell, tmp_path / "b")
    local = (there.folder / "cluster.yaml").read_text()
    root = f"s3://{BUCKET}/{seaweed.new_root().prefix}root"
    there.write({"cluster.yaml": f"{local}storage: {root}\n"})

    _moved(shell, there, place)
    there.done("load", "supply", rows, "--mode", "merge")
    back = _emptied(there, tmp_path / "c")
    back.write({"cluster.yaml": local})
    _moved(there, back, place)

    assert "proved from two connections" in there.run("doctor").stdout
    for user in (there, back):
        found = user.json("query", "query.supply.all_packages")
        assert [row["p.name"] for row in found["rows"]] == ["a", "b"]
    assert [o["ok"] for o in back.json("audit", "verify")["origins"]] == [True, True]


def _moved(old: Shell, new: Shell, place: str) -> None:
    backup_id = old.json("backup", "create", "--to", place)["backup_id"]
    assert new.json("backup", "restore", backup_id, "--from", place)["backup_id"] == backup_id
    assert new.run("plan", "--exit-code").returncode == 0


def _emptied(shell: Shell, where: Path) -> Shell:
    """Another user with the same configuration, whose storage root is empty."""
    other = shell.copied(where)
    other.more_env = shell.more_env
    for gone in ("__cluster", "graphs", "ops", "sandboxes"):
        shutil.rmtree(other.folder / gone, ignore_errors=True)
    return other
