"""The diagnostics of control-plane 1.8, rows "ledger" and "lock": each raised by a command, by its name."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentctl.domain.ledger.codec import STATE_KEY, ledger_key
from agentctl.domain.storage.lease import LEASES_FOLDER, lease_folder, lease_key
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.testing.builders import QUERY, Bench, cluster_yaml, folder_files
from tests.engine.telling import Told, answering, silent, told

INTENT = {"intent": "a test wants it"}
ULID = "01J90000000000000000000000"
COMMITS = ("apply", "refresh")


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    """A cluster with one graph, applied."""
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    applied = await told(bench, "apply", INTENT)
    assert applied.ok, applied
    return bench


async def edited_ledger(bench: Bench, edit: Callable[[dict[str, Any]], object]) -> str:
    """Changes the newest object of the ledger by hand, and returns its key."""
    head = await (await bench.open()).ledger.head()
    assert head is not None
    key = ledger_key(head.seq)
    plain = json.loads(bench.objects[key])
    edit(plain)
    bench.objects[key] = json.dumps(plain).encode()
    return key


async def is_refused(bench: Bench, operation: str, code: str, path: str) -> Told:
    """Runs a command that must end with that error and change nothing."""
    arguments: dict[str, Any] = {} if operation in {"status", "plan"} else dict(INTENT)
    ended = await told(bench, operation, arguments)
    assert ended.tells(code, "E", path)
    assert not ended.ok
    assert ended.changed == (), ended.changed
    return ended


@pytest.mark.parametrize("operation", ["apply", "refresh", "request_approval"])
async def test_state_missing(tmp_path: Path, operation: str) -> None:
    bench = Bench(tmp_path)
    bench.write(folder_files("supply"))
    await bench.open()
    asked = INTENT | ({"gate": "graph.supply"} if operation == "request_approval" else {})

    ended = await told(bench, operation, asked)
    looked = await told(bench, "status")

    assert ended.tells("state_missing", "E", "cluster")
    assert ended.one("state_missing").remedy == "agentctl import"
    assert (ended.exit_code, ended.changed) == (ExitCode.ERRORS, ())
    assert looked.tells("state_missing", "W", "cluster")
    assert (looked.ok, looked.exit_code) == (True, ExitCode.DONE)


async def test_state_already_exists(bench: Bench) -> None:
    ended = await is_refused(bench, "import", "state_already_exists", "cluster")

    assert ended.exit_code is ExitCode.ERRORS


@pytest.mark.parametrize("operation", ["apply", "refresh", "status", "plan"])
async def test_invalid_state_json(bench: Bench, operation: str) -> None:
    head = await (await bench.open()).ledger.head()
    assert head is not None
    key = ledger_key(head.seq)
    bench.objects[key] = bench.objects[key][:100]

    ended = await is_refused(bench, operation, "invalid_state_json", key)

    assert ended.exit_code is ExitCode.ERRORS


@pytest.mark.parametrize("operation", ["apply", "refresh", "status", "plan"])
async def test_unsupported_state_version(bench: Bench, operation: str) -> None:
    key = await edited_ledger(bench, lambda plain: plain.update(version=9, min_reader=9))

    ended = await is_refused(bench, operation, "unsupported_state_version", key)

    assert "9" in ended.one("unsupported_state_version").message
    assert ended.one("unsupported_state_version").remedy is not None


async def test_conflicting_graph_manifest_observation(bench: Bench) -> None:
    """Of the copy in the seed's shape, where another program may have left both names."""
    plain = json.loads(bench.objects[STATE_KEY])
    plain["observations"]["graph.supply"]["manifest_version"] = 99
    bench.objects[STATE_KEY] = json.dumps(plain).encode()

    looked = await told(bench, "status")
    mended = await told(bench, "apply", INTENT)
    after = await told(bench, "status")

    assert looked.tells("conflicting_graph_manifest_observation", "W", STATE_KEY)
    assert "graph.supply" in looked.one("conflicting_graph_manifest_observation").message
    assert (looked.ok, looked.changed) == (True, ())
    assert mended.changed == (STATE_KEY,), "it is a copy, and the ledger decides"
    assert after.codes == []


async def test_state_cas_mismatch(bench: Bench) -> None:
    right = bench.objects[STATE_KEY]
    bench.objects[STATE_KEY] = right.replace(b"applied", b"drifted")

    looked = await told(bench, "status")
    mended = await told(bench, "apply", INTENT)

    assert looked.tells("state_cas_mismatch", "W", STATE_KEY)
    assert (looked.exit_code, looked.changed) == (ExitCode.DONE, ())
    assert mended.tells("state_cas_mismatch", "N", STATE_KEY)
    assert mended.changed == (STATE_KEY,)
    assert bench.objects[STATE_KEY] == right


@pytest.mark.parametrize("operation", ["validate", "plan", "apply", "status"])
async def test_state_lock_disabled(bench: Bench, operation: str) -> None:
    bench.write({"cluster.yaml": cluster_yaml("supply", more="state:\n  lock: false")})

    ended = await told(bench, operation, INTENT if operation == "apply" else {})

    assert ended.one("state_lock_disabled").severity == "warning"
    assert ended.one("state_lock_disabled").where is not None
    assert (ended.ok, ended.exit_code) == (True, ExitCode.DONE)


@asynccontextmanager
async def held(bench: Bench, *, lives: bool = True) -> AsyncIterator[Lease]:
    """Another process holds the cluster's lease; it is gone where it does not live."""
    other = await bench.open()
    async with other.leases.hold(CLUSTER, principal="tom", operation="refresh") as lease:
        if lives:
            await bench.open()
            bench.world.living.add(other.world.pid)
        yield lease
        answering(bench)


@pytest.mark.parametrize("operation", COMMITS)
async def test_state_lock_held(bench: Bench, operation: str) -> None:
    bench.write({"supply.gq": QUERY.replace("all_packages", "others")})
    async with held(bench) as lease:
        ended = await is_refused(bench, operation, "state_lock_held", CLUSTER)
        looked = await told(bench, "locks")

    assert ended.exit_code is ExitCode.RACE
    assert "tom" in ended.one("state_lock_held").message
    assert ended.one("state_lock_held").remedy == "agentctl locks"
    assert lease.lock_id in str(looked.data)


async def test_state_lock_error(bench: Bench) -> None:
    async with held(bench, lives=False) as lease:
        silent(bench, "create", ".forced")
        ended = await told(bench, "force_unlock", INTENT, lock_id=lease.lock_id)
        answering(bench)
        mended = await told(bench, "force_unlock", INTENT, lock_id=lease.lock_id)

    assert ended.tells("state_lock_error", "E", CLUSTER)
    assert (ended.ok, ended.changed) == (False, ())
    assert mended.ok, mended


async def test_state_lock_missing(bench: Bench) -> None:
    ended = await told(bench, "force_unlock", INTENT, lock_id=ULID)

    assert ended.tells("state_lock_missing", "E", LEASES_FOLDER)
    assert (ended.exit_code, ended.changed) == (ExitCode.ERRORS, ())


async def test_state_lock_read_error(bench: Bench) -> None:
    async with held(bench, lives=False) as lease:
        silent(bench, "read", f"{LEASES_FOLDER}/")
        ended = await told(bench, "force_unlock", INTENT, lock_id=lease.lock_id)
        looked = await told(bench, "status")

    assert ended.tells("state_lock_read_error", "E", LEASES_FOLDER)
    assert (ended.ok, ended.changed) == (False, ())
    assert looked.tells("state_lock_read_error", "W", LEASES_FOLDER)
    assert (looked.ok, looked.exit_code) == (True, ExitCode.DONE)


async def test_state_lock_id_mismatch(bench: Bench) -> None:
    async with held(bench) as lease:
        ended = await told(bench, "force_unlock", INTENT, lock_id=ULID)
        still = await (await bench.open()).leases.holder()

    assert ended.tells("state_lock_id_mismatch", "E", CLUSTER)
    assert lease.lock_id in ended.one("state_lock_id_mismatch").message
    assert (ended.exit_code, ended.changed) == (ExitCode.ERRORS, ())
    assert still is not None
    assert still.lock_id == lease.lock_id


def left_by_another(bench: Bench, record: bytes) -> str:
    """Puts a lock that this release cannot read as the newest of the cluster; returns its key."""
    folder = lease_folder(CLUSTER)
    taken = [
        int(k.removeprefix(f"{folder}/").partition(".")[0]) for k in bench.objects if folder in k
    ]
    key = lease_key(CLUSTER, max(taken) + 1)
    bench.objects[key] = record
    return key


async def is_an_unreadable_lock(bench: Bench, code: str, record: bytes) -> None:
    """Status warns of it, nobody removes it, and writers wait until its time is over."""
    key = left_by_another(bench, record)
    bench.write({"supply.gq": QUERY.replace("all_packages", "others")})

    looked = await told(bench, "status")
    ended = await told(bench, "force_unlock", INTENT, lock_id=ULID)
    barred = await is_refused(bench, "apply", "state_lock_held", CLUSTER)
    kept = bench.objects[key]

    assert looked.tells(code, "W", key)
    assert (looked.ok, looked.exit_code) == (True, ExitCode.DONE)
    assert ended.tells(code, "E", key)
    assert (ended.exit_code, ended.changed) == (ExitCode.ERRORS, ())
    assert barred.exit_code is ExitCode.RACE
    assert kept == record


async def test_invalid_state_lock(bench: Bench) -> None:
    await is_an_unreadable_lock(bench, "invalid_state_lock", b"{")


async def test_unsupported_state_lock_version(bench: Bench) -> None:
    record = b'{"version": 2, "holder": "of another release"}'
    await is_an_unreadable_lock(bench, "unsupported_state_lock_version", record)
