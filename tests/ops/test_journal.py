"""The journal: intent before the effect, outcome after it, one terminal status. Source: ops.md."""

import anyio
import msgspec
import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.ledger.envelope import ChainHead
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.machine import op_key, post_key, pre_key, status_key
from agentctl.domain.ops.record import (
    Constraint,
    Constraints,
    Lineage,
    NewOp,
    Op,
    OpActor,
    OpStatus,
    Snapshot,
)
from agentctl.domain.storage.protocol import CorruptError, ObjectStore
from agentctl.engine.journal import Journal, OpRejectedError
from agentctl.engine.keys_once import Claimed, Conflicting, KeysOnce, Repeated
from agentctl.engine.leases import Lease
from agentctl.engine.ledger import Ledger
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import Crash, CrashingStore, LostResponseStore

SNAPSHOT = Snapshot(seq=1, state_cas="sha256:x", resource_digests={}, graphs={"g": "main:1"})
ROOT = Lineage()


def _new(**fields: object) -> NewOp:
    new = NewOp(
        actor=OpActor(nid="z6MkhaXgBZDvotDkL5257", identity="sarah", source="agent"),
        intent="add a query",
        workspace="supply-chain",
        operation="update",
        action="apply",
        targets=("graph.g",),
        on_behalf_of="sarah",
        lineage=ROOT,
    )
    return msgspec.structs.replace(new, **fields)


def _journal(store: ObjectStore, *, seed: int | str = 0) -> Journal:
    return Journal(store, StillWorld(seed=seed, tick_s=0.001))


async def _run(journal: Journal, op: Op, *statuses: OpStatus) -> Op:
    for status in statuses:
        post = SNAPSHOT if status == "success" else None
        op = await journal.move(op.id, status, epoch=1, post=post)
    return op


async def test_an_op_goes_from_pending_over_running_to_success() -> None:
    store = MemoryStore()
    journal = _journal(store)
    begun = await journal.begin(_new(), pre=SNAPSHOT)
    done = await _run(journal, begun, "running", "success")

    assert begun.id.startswith("haXgBZDv:")
    assert (begun.status, begun.ended_at) == ("pending", None)
    assert (done.status, done.snapshots.post) == ("success", post_key(begun.id))
    assert done.ended_at is not None
    assert await journal.get(begun.id) == done
    assert await journal.pre(begun.id) == await journal.post(begun.id) == SNAPSHOT
    assert sorted(store.objects) == [
        op_key(begun.id),
        post_key(begun.id),
        pre_key(begun.id),
        status_key(begun.id, 1),
        status_key(begun.id, 2),
    ]
    assert msgspec.json.decode(store.objects[op_key(begun.id)], type=Op) == done
    assert store.objects[op_key(begun.id)].startswith(b'{\n  "id": "haXgBZDv:')


async def test_an_illegal_move_is_refused_and_changes_nothing() -> None:
    store = MemoryStore()
    journal = _journal(store)
    op = await _run(journal, await journal.begin(_new(), pre=SNAPSHOT), "running", "success")
    before = dict(store.objects)

    for wanted in ("running", "failed", "success", "cancelled"):
        with pytest.raises(OpRejectedError) as refused:
            await journal.move(op.id, wanted, epoch=9)
        assert refused.value.illegal is not None
        assert (refused.value.illegal.at, refused.value.illegal.wanted) == ("success", wanted)
    assert store.objects == before


async def test_of_two_ends_one_stands() -> None:
    store = MemoryStore()
    op = await _run(_journal(store), await _journal(store).begin(_new(), pre=SNAPSHOT), "running")
    ends: list[str] = []

    async def end(status: OpStatus) -> None:
        try:
            ends.append((await _run(_journal(store.connect(), seed=status), op, status)).status)
        except OpRejectedError:
            ends.append("refused")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end, "success")
        tasks.start_soon(end, "failed")
        tasks.start_soon(end, "cancelled")

    final = await _journal(store).get(op.id)
    assert final is not None
    assert sorted(ends) == sorted([final.status, "refused", "refused"])


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 8))
async def test_a_crash_at_any_write_leaves_an_op_that_can_be_settled(at: int, how: str) -> None:
    store = MemoryStore()
    dying = CrashingStore(store, at=at, how=how)  # type: ignore[arg-type]  # parametrized
    journal = _journal(dying)
    identifier = journal.mint_id("local:sarah")
    with pytest.raises(Crash):
        await _run(
            journal, await journal.begin(_new(id=identifier), pre=SNAPSHOT), "running", "success"
        )
    survivor = _journal(store, seed=1)
    found = await survivor.get(identifier)
    unfinished = await survivor.unfinished()
    if found is None:
        found = await survivor.begin(_new(id=identifier), pre=SNAPSHOT)
    rest: dict[str, tuple[OpStatus, ...]] = {
        "pending": ("running", "success"),
        "running": ("success",),
        "success": (),
    }
    settled = await _run(survivor, found, *rest[found.status])

    assert settled.status == "success"
    assert [op.id for op in unfinished] == ([identifier] if unfinished else [])
    assert await survivor.unfinished() == ()
    assert [key for key in store.objects if "status" in key] == [
        status_key(identifier, 1),
        status_key(identifier, 2),
    ]


async def test_an_op_whose_post_was_durable_before_a_crash_succeeds_without_giving_it_again() -> (
    None
):
    """Acceptance case 10 of ops 6."""
    store = MemoryStore()
    op = await _run(_journal(store), await _journal(store).begin(_new(), pre=SNAPSHOT), "running")
    with pytest.raises(Crash):
        await _run(_journal(CrashingStore(store, at=1, how="after")), op, "success")

    done = await _journal(store).move(op.id, "success", epoch=2)
    assert (done.status, done.snapshots.post) == ("success", post_key(op.id))


async def test_a_lost_response_is_one_move() -> None:
    store = LostResponseStore(MemoryStore(), lambda op, _: op == "create")
    journal = _journal(store)
    done = await _run(journal, await journal.begin(_new(), pre=SNAPSHOT), "running", "success")

    assert done.status == "success"
    assert sum("status" in key for key in store.lost) == 2


async def test_a_dry_run_ends_as_it_began() -> None:
    journal = _journal(MemoryStore())
    op = await journal.begin(_new(operation="dry_run"), pre=SNAPSHOT)
    await _run(journal, op, "running")
    moved = msgspec.structs.replace(SNAPSHOT, seq=2)

    with pytest.raises(AssertionError):
        await journal.move(op.id, "success", epoch=1, post=moved)


async def test_a_blank_intent_and_an_unknown_parent_are_refused() -> None:
    store = MemoryStore()
    journal = _journal(store)
    unknown = journal.mint_id("local:x")

    for new, code in (
        (_new(intent=" \n"), "intent_required"),
        (_new(lineage=Lineage(parent_op=unknown)), "op_not_found"),
        (_new(lineage=Lineage(rollback_of=unknown)), "op_not_found"),
    ):
        with pytest.raises(OpRejectedError) as refused:
            await journal.begin(new, pre=SNAPSHOT)
        assert refused.value.diagnostic.code == code
    assert store.objects == {}


async def test_the_parent_of_a_cluster_op_is_the_op_of_the_newest_ledger_object() -> None:
    store = MemoryStore()
    journal = _journal(store)
    first = await journal.begin(_new(lineage=None), pre=SNAPSHOT)
    ledger = Ledger(store, StillWorld())
    await ledger.commit(
        base=None,
        kind="import",
        op=first.id,
        lease=Lease(resource="cluster", epoch=1, lock_id="L", fence_needed=False),
        cluster_id="c",
        state=State(),
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=0, head=None),
        source=None,
    )
    second = await journal.begin(_new(lineage=None), pre=SNAPSHOT)

    assert first.lineage.parent_op is None
    assert second.lineage.parent_op == first.id
    assert [op.id for op in await journal.lineage(second.id)] == [second.id, first.id]


async def test_two_agents_begin_at_once_and_both_are_listed_newest_first() -> None:
    store = MemoryStore()
    world = StillWorld()
    ids = []
    for nid in ("z6Mkzzzzzzzz", "z6Mkaaaaaaaa", "local:bob"):
        actor = OpActor(nid=nid, identity="x")
        ids.append((await Journal(store, world).begin(_new(actor=actor), pre=SNAPSHOT)).id)
        world.advance(1)
    journal = _journal(store)

    assert [op.id for op in await journal.list()] == list(reversed(ids))
    assert [op.id for op in await journal.list(limit=1)] == [ids[-1]]
    assert [op.id for op in await journal.unfinished()] == ids


@pytest.mark.parametrize("identifier", ["", "x", "../../state", "a:b", "a/b:c", "abc:" + "0" * 36])
async def test_an_id_that_is_none_names_no_op(identifier: str) -> None:
    journal = _journal(MemoryStore())

    assert await journal.get(identifier) is None
    assert await journal.lineage(identifier) == ()
    assert await journal.pre(identifier) is None
    with pytest.raises(OpRejectedError):
        await journal.move(identifier, "running", epoch=1)


async def test_events_that_contradict_the_machine_are_corrupt() -> None:
    store = MemoryStore()
    op = await _journal(store).begin(_new(), pre=SNAPSHOT)
    store.objects[status_key(op.id, 1)] = b'{"status": "rolled_back", "at": "t", "epoch": 1}'

    with pytest.raises(CorruptError):
        await _journal(store).get(op.id)


async def test_no_secret_reaches_the_record() -> None:
    """Acceptance case 21 of ops 6."""
    store = MemoryStore()
    journal = _journal(store)
    gate = Constraint(kind="concurrent_lock", resource="g", params={"token": "s3cr3t-value"})
    new = _new(intent="use sk-abcdefghijklmnop1234 please", constraints=Constraints(pre=(gate,)))
    op = await journal.begin(new, pre=SNAPSHOT)
    await journal.move(op.id, "constraint_failed", epoch=1, reason="AKIAABCDEFGHIJKLMNOP said no")

    written = b"".join(store.objects.values())
    for secret in (b"s3cr3t-value", b"sk-abcdefgh", b"AKIAABCD"):
        assert secret not in written


async def _claim(
    store: ObjectStore, world: StillWorld, *, op: str, key: str = "k", digest: str = "d"
) -> object:
    return await KeysOnce(store, world).claim(
        principal="agent:sarah", operation="apply", key=key, request_digest=digest, op=op
    )


async def test_a_key_is_claimed_once_repeated_and_conflicts_with_other_arguments() -> None:
    store, world = MemoryStore(), StillWorld()

    assert await _claim(store, world, op="a:1") == Claimed(op="a:1")
    assert await _claim(store, world, op="a:2") == Repeated(op="a:1")
    assert await _claim(store, world, op="a:3", key="other") == Claimed(op="a:3")
    conflict = await _claim(store, world, op="a:4", digest="e")
    assert isinstance(conflict, Conflicting)
    assert conflict.diagnostic.code == "idempotency_conflict"


async def test_a_key_is_forgotten_after_seven_days() -> None:
    store, world = MemoryStore(), StillWorld()
    await _claim(store, world, op="a:1")
    await _claim(store, world, op="a:2", key="other")
    world.advance(7 * 86400)
    kept = await _claim(store, world, op="a:3")
    world.advance(1)

    assert kept == Repeated(op="a:1")
    assert await _claim(store, world, op="a:3") == Claimed(op="a:3")
    assert await KeysOnce(store, world).sweep() == 1
    assert len(store.objects) == 1


async def test_of_many_concurrent_claims_one_goes_on() -> None:
    store, world, results = MemoryStore(), StillWorld(), []

    async def claim(n: int) -> None:
        results.append(await _claim(store, world, op=f"a:{n}"))

    async with anyio.create_task_group() as tasks:
        for n in range(5):
            tasks.start_soon(claim, n)

    (claimed,) = [r for r in results if isinstance(r, Claimed)]
    assert [r for r in results if not isinstance(r, Claimed)] == [Repeated(op=claimed.op)] * 4


async def test_a_claim_whose_response_was_lost_is_ones_own() -> None:
    store = LostResponseStore(MemoryStore(), lambda op, _: op == "create")

    assert await _claim(store, StillWorld(), op="a:1") == Claimed(op="a:1")
