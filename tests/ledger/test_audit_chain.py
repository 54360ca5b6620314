"""The audit chain: nothing is missing, nothing is altered, and something outside says so. Source: control-plane 3.2."""

from pathlib import Path

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.canonical import canonical_bytes
from agentctl.domain.audit.chain import (
    AUDIT_FOLDER,
    LedgerProof,
    decode_export,
    digest_of_record,
    encode_export,
    encode_record,
    verify_chain,
)
from agentctl.domain.audit.record import AuditActor, AuditRecord
from agentctl.domain.ledger.envelope import ChainHead
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.keys import numbered_key
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.auditlog import AuditLog, AuditUnavailableError
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Ledger
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import DownStore, LostResponseStore

ACTOR = AuditActor(nid="z6Mkabc", identity="a", kind="agent", source="agent")


async def append(log: AuditLog, *, action: str = "apply") -> AuditRecord:
    return await log.append(
        actor=ACTOR,
        on_behalf_of="sarah",
        action=action,
        resource="cluster",
        decision="allow",
        policies=("builtin.agents",),
        request_digest="0" * 64,
    )


async def _commit(store: ObjectStore, audit: ChainHead) -> None:
    ledger = Ledger(store, StillWorld())
    await ledger.commit(
        base=await ledger.head(),
        kind="record",
        op=None,
        lease=Lease(resource="cluster", epoch=1, lock_id="L", fence_needed=False),
        cluster_id="c",
        state=State(),
        audit=audit,
        principals=ChainHead(length=0, head=None),
        source=None,
    )


def _chain(count: int) -> list[tuple[int, bytes]]:
    records: list[tuple[int, bytes]] = []
    for n in range(1, count + 1):
        record = AuditRecord(
            version=1,
            n=n,
            previous=digest_of_record(records[-1][1]) if records else None,
            at="2026-11-21T03:30:00.000Z",
            actor=ACTOR,
            action=f"a{n}",
            resource="cluster",
            decision="deny",
            policies=(),
            request_digest="0",
        )
        records.append((n, encode_record(record)))
    return records


def _head(records: list[tuple[int, bytes]]) -> ChainHead:
    return ChainHead(length=len(records), head=digest_of_record(records[-1][1]))


async def test_records_are_numbered_canonical_and_linked() -> None:
    store = MemoryStore()
    log = AuditLog(store, StillWorld())
    first, second = await append(log), await append(log)
    stored = store.objects[numbered_key(AUDIT_FOLDER, 2)]

    assert (first.n, first.previous, second.n) == (1, None, 2)
    assert second.previous == digest_of_record(store.objects[numbered_key(AUDIT_FOLDER, 1)])
    assert stored == canonical_bytes(second)
    assert await AuditLog(store, StillWorld()).head() == ChainHead(
        length=2, head=digest_of_record(stored)
    )
    verified = await log.verify()
    assert (verified.ok, verified.length, verified.proved_by_ledger) == (True, 2, 0)


async def test_concurrent_writers_make_one_chain_in_which_all_have_a_record() -> None:
    store = MemoryStore()

    async def write(name: str) -> None:
        log = AuditLog(store.connect(), StillWorld())
        for n in range(4):
            await append(log, action=f"{name}{n}")

    async with anyio.create_task_group() as tasks:
        for name in "abcde":
            tasks.start_soon(write, name)

    verified = await AuditLog(store, StillWorld()).verify()
    records = await AuditLog(store, StillWorld()).records()
    assert (verified.ok, verified.length) == (True, 20)
    assert len({msgspec.json.decode(data)["action"] for _, data in records}) == 20


async def test_two_writers_of_equal_records_get_one_each() -> None:
    store = MemoryStore()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(append, AuditLog(store.connect(), StillWorld()))

    assert (await AuditLog(store, StillWorld()).head()).length == 3


async def test_a_lost_response_is_one_record() -> None:
    store = LostResponseStore(MemoryStore(), lambda op, _: op == "create")
    log = AuditLog(store, StillWorld())
    await append(log)
    await append(log)

    assert len(store.lost) == 2
    verified = await log.verify()
    assert (verified.ok, verified.length) == (True, 2)


async def test_a_record_that_cannot_be_written_refuses_the_action() -> None:
    down = DownStore(MemoryStore(), lambda op, _: op == "create")
    with pytest.raises(AuditUnavailableError) as refused:
        await append(AuditLog(down, StillWorld()))

    assert refused.value.diagnostic.code == "audit_unavailable"


async def test_the_newest_ledger_object_proves_the_chain_up_to_its_record() -> None:
    store = MemoryStore()
    log = AuditLog(store, StillWorld())
    await append(log)
    await append(log)
    await _commit(store, await log.head())
    await append(log)

    verified = await log.verify()
    assert verified.ok
    assert (verified.length, verified.proved_by_ledger, verified.ledger_seq) == (3, 2, 1)


async def test_a_chain_rewritten_from_the_start_is_found_by_the_ledger() -> None:
    store = MemoryStore()
    log = AuditLog(store, StillWorld())
    await append(log)
    await append(log)
    await _commit(store, await log.head())
    for key in [k for k in store.objects if k.startswith(AUDIT_FOLDER)]:
        del store.objects[key]
    forger = AuditLog(store, StillWorld())
    await append(forger, action="harmless")
    shorter = await forger.verify()
    await append(forger, action="harmless")
    other = await forger.verify()

    for verified in (shorter, other):
        assert not verified.ok
        assert [d.code for d in verified.diagnostics] == ["audit_chain_broken"]
        assert verified.proved_by_ledger == 0


async def test_an_export_is_verified_anywhere_and_by_the_ledger_of_its_time(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    log = AuditLog(store, StillWorld())
    await append(log)
    await _commit(store, await log.head())
    await append(log)
    (tmp_path / "export.jsonl").write_bytes(await log.export())
    await append(log)
    await _commit(store, await log.head())
    elsewhere = AuditLog(MemoryStore(), StillWorld())

    older = await log.verify_export(tmp_path / "export.jsonl")
    folder = await log.verify_export(tmp_path / "root" / AUDIT_FOLDER)
    alone = await elsewhere.verify_export(tmp_path / "export.jsonl")
    assert (older.ok, older.length, older.proved_by_ledger, older.ledger_seq) == (True, 2, 1, 1)
    assert (folder.ok, folder.length, folder.proved_by_ledger, folder.ledger_seq) == (True, 3, 3, 2)
    assert (alone.ok, alone.length, alone.proved_by_ledger) == (True, 2, 0)


def test_an_anchor_proves_up_to_its_record_and_contradicts_a_forgery() -> None:
    records, anchor = _chain(5), _head(_chain(3))
    forged = [(n, data.replace(b'"a2"', b'"x2"')) for n, data in records]

    assert verify_chain(records, anchors=(anchor,)).proved_by_anchor == 3
    assert not verify_chain(records[:2], anchors=(anchor,)).ok
    assert verify_chain(records[:2], anchors=(anchor,), whole=False).ok
    assert not verify_chain(forged, anchors=(anchor,)).ok


@given(st.integers(1, 6), st.data())
def test_any_single_alteration_is_found(count: int, data: st.DataObject) -> None:
    records = _chain(count)
    proof = LedgerProof(seq=1, audit=_head(records))
    where = data.draw(st.integers(0, count - 1))
    number, text = records[where]
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != text[at]))
    altered = list(records)
    altered[where] = (number, text[:at] + bytes([byte]) + text[at + 1 :])
    removed = records[:where] + records[where + 1 :]

    assert verify_chain(records, ledger=[proof]).ok
    assert not verify_chain(altered, ledger=[proof]).ok
    assert not verify_chain(removed, ledger=[proof]).ok


@given(st.integers(0, 5))
def test_an_export_gives_the_records_back(count: int) -> None:
    records = _chain(count)

    assert decode_export(encode_export(records)) == tuple(records)
