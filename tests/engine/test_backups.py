"""A backup is one consistent point, and a restored cluster goes on from it. Source: control-plane 3.8."""

import json
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.keys.sshsig import verify
from agentctl.domain.policy.principals import Registry
from agentctl.domain.storage.backup import (
    Manifest,
    is_backed_up,
    is_written_once,
    restored_key,
)
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.apply import apply
from agentctl.engine.backup import (
    BackupMade,
    BackupVerified,
    create_backup,
    list_backups,
    read_manifest,
    verify_backup,
)
from agentctl.engine.restoring import Restoring
from agentctl.testing.builders import ROWS, Bench, folder_files, wanting
from agentctl.testing.consent import key_of
from agentctl.testing.crash import Crash, CrashingStore
from agentctl.testing.shell import Shell
from agentctl_tools.door import call


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("modules"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return bench


async def _backup(bench: Bench, place: LocalStore) -> BackupMade:
    made = await create_backup(await bench.open(), bench.sarah, place)
    assert isinstance(made, BackupMade), made
    return made


async def _verified(bench: Bench, place: LocalStore, made: BackupMade) -> BackupVerified:
    manifest = await read_manifest(place, made.backup_id)
    cluster = await bench.open()
    assert isinstance(manifest, Manifest), manifest
    return await verify_backup(place, manifest, world=cluster.world, verify=cluster.verify)


async def test_a_second_backup_copies_only_what_is_new(bench: Bench, tmp_path: Path) -> None:
    place = LocalStore(tmp_path / "place")
    first, second = await _backup(bench, place), await _backup(bench, place)

    assert first.copied_count is not None
    assert second.copied_count is not None
    assert first.copied_count > 10
    assert second.copied_count <= 2
    listed = await list_backups(place)
    assert [b.backup_id for b in listed.backups] == [second.backup_id, first.backup_id]
    assert (await _verified(bench, place, first)).ok
    assert (await _verified(bench, place, second)).ok


async def test_a_damaged_backup_names_what_is_missing_or_altered(
    bench: Bench, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "place")
    made = await _backup(bench, place)
    objects = sorted(p for p in (tmp_path / "place" / "objects").rglob("*") if p.is_file())
    objects[0].unlink()
    objects[1].chmod(0o600)
    objects[1].write_bytes(b"other bytes")

    found = await _verified(bench, place, made)

    assert not found.ok
    assert {d.code for d in found.diagnostics} == {"backup_damaged"}
    assert len(found.diagnostics) >= 2


async def test_a_backup_inside_its_own_root_and_one_without_a_ledger_are_refused(
    bench: Bench, tmp_path: Path
) -> None:
    cluster = await bench.open()
    inside = await create_backup(cluster, bench.sarah, cluster.store)
    (tmp_path / "new").mkdir()
    empty = Bench(tmp_path / "new")
    empty.write(folder_files("modules"))
    nothing = await create_backup(await empty.open(), empty.sarah, LocalStore(tmp_path / "place"))

    assert getattr(inside, "code", None) == "backup_place_unfit"
    assert getattr(nothing, "code", None) == "state_missing"
    assert not (tmp_path / "place").exists()


async def test_the_door_tells_of_backups_that_are_not_there_and_lets_no_agent_name_a_place(
    bench: Bench, tmp_path: Path
) -> None:
    place = str(tmp_path / "nowhere")
    cluster = await bench.open()

    none = await call(cluster, bench.sarah, "backup_verify", {"place": place})
    other = {"place": place, "backup_id": "01J9ZC4R3QWE5T6Y7U8I9O0P1A"}
    unknown = await call(cluster, bench.sarah, "backup_verify", other)
    listed = await call(cluster, bench.sarah, "backup_list", {"place": place})
    of_agent = await call(cluster, bench.agent, "backup_list", {"place": place})

    assert [d.code for d in (*none.diagnostics, *unknown.diagnostics)] == ["backup_not_found"] * 2
    assert listed.ok
    assert [d.code for d in of_agent.diagnostics] == ["path_outside_folder"]


async def test_a_restore_that_broke_off_goes_on_and_another_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    place = LocalStore(tmp_path / "place")
    first, second = await _backup(bench, place), await _backup(bench, place)
    target, home = MemoryStore(), MemoryStore()

    async def restoring(made: BackupMade, store: ObjectStore) -> Restoring:
        manifest = await read_manifest(place, made.backup_id)
        assert isinstance(manifest, Manifest)
        return Restoring(
            place, manifest, home=home, store=store, storage="s", world=bench.world, verify=verify
        )

    for write in (1, 5, 20):
        dying = await restoring(first, CrashingStore(target, write))
        with pytest.raises((Crash, BaseExceptionGroup)):
            await _restored(dying)
        refused = await (await restoring(second, target)).refusal()
        if write > 1:
            assert refused is not None
            assert refused.code == "restore_root_not_empty"
            assert "another restore" in refused.message
        else:
            target.objects.clear()
    registry = await _restored(await restoring(first, target))

    assert registry.human("sarah") is not None
    assert not any(key.startswith("__cluster/ledger/") for key in target.objects)


async def _restored(restoring: Restoring) -> Registry:
    assert await restoring.refusal() is None
    return await restoring.carry(by="sarah", signer=key_of("sarah"))


def test_what_is_of_the_moment_is_left_out_and_chains_are_kept_beside() -> None:
    seq = "00000000000000000001"
    assert not is_backed_up("cluster.yaml")
    assert not is_backed_up(f"__cluster/leases/cluster/{seq}.json")
    assert not is_backed_up("__cluster/tokens/x.json")
    assert is_backed_up(f"__cluster/approvals/{seq}.json")
    assert is_written_once(f"graphs/a.omni/_graph/commits/main/{seq}.json")
    assert not is_written_once("ops/x:y/op.json")
    assert not is_written_once("graphs/a.omni/data/I/T.lance/_refs/tags/main.1.json")
    assert restored_key(f"__cluster/audit/{seq}.json", "c") == (
        f"__cluster/origin/c/audit/{seq}.json"
    )
    assert restored_key("__cluster/state.json", "c") is None
    assert restored_key("ops/x:y/op.json", "c") == "ops/x:y/op.json"


@pytest.mark.slow
def test_a_restored_cluster_has_its_data_its_people_and_a_new_id(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply"))
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(ROWS)
    shell.done("load", "supply", rows)
    place = str(tmp_path / "place")
    backup_id = shell.json("backup", "create", "--to", place)["backup_id"]
    old_id = shell.json("identity", "list")["cluster_id"]
    shell.done("load", "supply", rows, "--mode", "merge")
    other = shell.copied(tmp_path / "other")
    for gone in ("__cluster", "graphs", "ops", "sandboxes"):
        path = other.folder / gone
        if path.exists():
            _remove(path)

    refused = shell.run("backup", "restore", backup_id, "--from", place)
    assert refused.returncode == 1
    assert "restore_root_not_empty" in refused.stderr
    restored = other.json("backup", "restore", backup_id, "--from", place)

    assert restored["cluster_id"] != old_id == restored["from_cluster_id"]
    assert other.run("plan", "--exit-code").returncode == 0
    found = other.json("query", "supply.all_packages")
    assert [row["p.name"] for row in found["rows"]] == ["a", "b"]
    assert other.json("audit", "verify")["ok"]
    other.done("load", "supply", rows, "--mode", "merge")
    origin = other.folder / "__cluster" / "origin" / old_id / "audit"
    assert json.loads((origin / "00000000000000000001.json").read_text())["n"] == 1


def _remove(path: Path) -> None:
    for child in sorted(path.rglob("*"), reverse=True):
        child.rmdir() if child.is_dir() else child.unlink()
    path.rmdir()
