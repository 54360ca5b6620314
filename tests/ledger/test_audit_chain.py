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
from agentctl.domain.audit.anchor import Witness, WitnessKind
from agentctl.domain.audit.chain import (
    AUDIT_FOLDER,
    LedgerProof,
    decode_export,
    decode_record,
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


def _witness(head: ChainHead, *, fault: str | None = None, kind: WitnessKind = "anchor") -> Witness:
    at = "2026-11-21T03:31:00.000Z"
    return Witness(where="anchors.jsonl", kind=kind, audit=head, at=at, fault=fault)


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
    records, anchor = _chain(5), _witness(_head(_chain(3)))
    forged = [(n, data.replace(b'"a2"', b'"x2"')) for n, data in records]

    assert verify_chain(records, witnesses=(anchor,)).proved_by_anchor == 3
    assert not verify_chain(records[:2], witnesses=(anchor,)).ok
    assert verify_chain(records[:2], witnesses=(anchor,), whole=False).ok
    assert not verify_chain(forged, witnesses=(anchor,)).ok


def test_a_witness_with_a_fault_proves_nothing_and_is_told() -> None:
    records = _chain(5)
    faulty = _witness(_head(_chain(3)), fault="it is of another cluster")

    found = verify_chain(records, witnesses=(faulty, _witness(_head(_chain(2)), kind="decision")))

    assert [d.code for d in found.diagnostics] == ["invalid_audit_anchor"]
    assert (found.ok, found.proved_by_anchor, found.proved_by_decision) == (False, 0, 2)


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


async def _deny(log: AuditLog, *, reason: str = "denied", nid: str = "z6Mkabc") -> None:
    await log.append(
        actor=msgspec.structs.replace(ACTOR, nid=nid),
        on_behalf_of=None,
        action="approval_decide",
        resource="cluster",
        decision="deny",
        policies=(),
        request_digest="0" * 64,
        reason=reason,
    )


async def _told(log: AuditLog) -> list[tuple[str, str | None, int]]:
    records = [decode_record(data) for _, data in await log.records()]
    return [(r.decision, r.reason, r.count) for r in records]


async def test_equal_denials_of_a_minute_are_one_record_and_a_count() -> None:
    world = StillWorld()
    log = AuditLog(MemoryStore(), world)
    for _ in range(50):
        await _deny(log)
    await _deny(log, reason="human_only")
    await append(log)
    await append(log)

    allowed = ("allow", None, 1)
    first, other = ("deny", "denied", 1), ("deny", "human_only", 1)
    assert await _told(log) == [first, other, ("deny", "denied", 49), allowed, allowed]
    assert (await log.verify()).ok


async def test_a_denial_of_another_minute_or_principal_has_a_record_of_its_own() -> None:
    world = StillWorld()
    log = AuditLog(MemoryStore(), world)
    await _deny(log)
    await _deny(log)
    await _deny(log, nid="z6Mkother")
    world.advance(61)
    await _deny(log)
    await log.flush()

    first = ("deny", "denied", 1)
    assert await _told(log) == [first, first, first, first]
    counted = decode_record((await log.records())[2][1])
    assert counted.since == counted.at


async def test_counts_that_cannot_be_written_are_kept_for_later() -> None:
    store, down = MemoryStore(), False
    log = AuditLog(
        DownStore(store, lambda operation, _: down and operation == "create"), StillWorld()
    )
    for _ in range(3):
        await _deny(log)
    down = True
    with pytest.raises(AuditUnavailableError):
        await log.flush()
    down = False
    await log.flush()

    assert [count for _, _, count in await _told(log)] == [1, 2]
