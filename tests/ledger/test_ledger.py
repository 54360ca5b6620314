"""The ledger: one winner a number, fences, the copy, and a chain that proves itself. Source: control-plane 3.2."""

import anyio
import msgspec
import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.ledger.codec import STATE_KEY, ledger_key, state_cas, state_text
from agentctl.domain.ledger.envelope import ChainHead, Freeze, RevisionKind
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.leases import CLUSTER, Lease, LeaseLostError, Leases
from agentctl.engine.ledger import Head, Ledger, LedgerUnreadableError, StateMovedError
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import Crash, CrashingStore, DownStore, LostResponseStore

LEASE = Lease(resource="cluster", epoch=1, lock_id="L", fence_needed=False)


async def commit(
    ledger: Ledger,
    base: Head | None,
    *,
    lease: Lease = LEASE,
    kind: RevisionKind = "apply",
    op: str | None = "abc:op",
) -> Head:
    revision = 1 if base is None else base.envelope.state.state_revision + 1
    return await ledger.commit(
        base=base,
        kind=kind,
        op=op,
        lease=lease,
        cluster_id="c" * 64,
        state=State(state_revision=revision),
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=1, head="sha256:p"),
        source=None,
    )


def _ledger(store: ObjectStore, *, seed: int = 0) -> Ledger:
    return Ledger(store, StillWorld(seed=seed))


async def _committed(store: ObjectStore, count: int) -> Head | None:
    ledger = _ledger(store)
    head = None
    for _ in range(count):
        head = await commit(ledger, head)
    return head


async def test_a_root_without_objects_has_no_ledger() -> None:
    ledger = _ledger(MemoryStore())

    assert await ledger.head() is None
    assert await ledger.history() == ()
    assert await ledger.verify() == ()
    assert await ledger.state_json_diagnostic(None) is None


async def test_commits_are_numbered_linked_and_copied_to_state_json() -> None:
    store = MemoryStore()
    ledger = _ledger(store)
    first = await commit(ledger, None, kind="import")
    second = await commit(ledger, first)
    await ledger.settle_copy()

    assert (first.seq, second.seq) == (1, 2)
    assert second.envelope.previous == first.object_digest
    assert store.objects[STATE_KEY] == state_text(State(state_revision=2)) == second.state_text
    assert second.state_cas == state_cas(store.objects[STATE_KEY])
    assert await _ledger(store).head() == second
    assert [h.seq for h in await ledger.history()] == [2, 1]
    assert await ledger.history(limit=1) == (second,)
    assert await ledger.at(1) == first
    assert await ledger.at(0) is None
    assert await ledger.at(3) is None
    assert await ledger.verify() == ()


async def test_commits_within_a_second_share_a_copy_that_is_there_before_the_release() -> None:
    store, world = MemoryStore(), StillWorld()
    ledger = Ledger(store, world)
    leases = Leases(store, world, sleep=world.sleep, before_release=ledger.settle_copy)
    copies = []
    async with leases.hold("cluster", principal="sarah", operation="apply") as lease:
        head = None
        for pause_s in (0.0, 0.9, 0.2, 0.9):
            world.advance(pause_s)
            head = await commit(ledger, head, lease=lease)
            copies.append(store.objects[STATE_KEY] == head.state_text)
        newest = head

    assert copies == [True, False, True, False]
    assert newest is not None
    assert store.objects[STATE_KEY] == newest.state_text


async def test_a_holder_that_lost_its_lease_writes_no_copy_any_more() -> None:
    store, world = MemoryStore(), StillWorld()
    ledger = Ledger(store, world)
    leases = Leases(store, world, sleep=world.sleep, before_release=ledger.settle_copy)
    first: list[Head] = []

    async def commit_twice_and_lose_the_lease() -> None:
        async with leases.hold("cluster", principal="sarah", operation="apply") as lease:
            first.append(await commit(ledger, None, lease=lease))
            await commit(ledger, first[0], lease=lease)
            raise LeaseLostError(CLUSTER, "somebody took it over")

    with pytest.raises(LeaseLostError):
        await commit_twice_and_lose_the_lease()

    assert store.objects[STATE_KEY] == first[0].state_text


async def test_of_two_commits_on_one_base_one_is_written() -> None:
    store = MemoryStore()
    base = await _committed(store, 1)
    won: list[Head] = []
    moved: list[str] = []

    async def write(seed: int) -> None:
        try:
            won.append(await commit(_ledger(store.connect(), seed=seed), base))
        except StateMovedError as failure:
            moved.append(failure.diagnostic.code)

    async with anyio.create_task_group() as tasks:
        for seed in range(1, 6):
            tasks.start_soon(write, seed)

    assert len(won) == 1
    assert moved == ["state_cas_mismatch"] * 4
    assert await _ledger(store).head() == won[0]


async def test_a_paused_holder_cannot_commit_after_a_takeover() -> None:
    """Fails when the fence or the comparison of epochs is taken out. Source: issue 2."""
    store, world = MemoryStore(), StillWorld()
    slow_world = StillWorld(host="slow", seed="slow")
    slow_ledger, fast_ledger = Ledger(store, slow_world), Ledger(store, world)
    base = await _committed(store, 1)
    slow = Leases(store, slow_world, sleep=slow_world.sleep)
    async with slow.hold("cluster", principal="agent:a", operation="apply") as paused:
        await slow.force_unlock(paused.lock_id)
        fast = Leases(store, world, sleep=world.sleep)
        async with fast.hold("cluster", principal="sarah", operation="apply") as lease:
            assert lease.fence_needed
            fenced = await fast_ledger.fence(lease)
            with pytest.raises(LeaseLostError) as lost:
                await commit(slow_ledger, base, lease=paused)
            with pytest.raises(LeaseLostError):
                await commit(slow_ledger, await slow_ledger.head(), lease=paused)
            after = await commit(fast_ledger, fenced, lease=lease)

    assert lost.value.diagnostic.code == "lease_lost"
    assert [h.envelope.kind for h in await fast_ledger.history()] == ["apply", "fence", "apply"]
    assert after.envelope.epoch == 2


async def test_a_fence_repeats_the_state_and_moves_no_token() -> None:
    store = MemoryStore()
    base = await _committed(store, 2)
    assert base is not None
    taken = Lease(resource="cluster", epoch=5, lock_id="M", fence_needed=True)
    ledger = _ledger(store)
    fence = await ledger.fence(taken)

    assert fence is not None
    assert (fence.seq, fence.envelope.kind, fence.envelope.epoch) == (3, "fence", 5)
    assert fence.state_cas == base.state_cas
    assert fence.envelope.op == base.envelope.op
    assert await ledger.fence(taken) == fence


async def test_a_fence_is_set_above_what_the_former_holder_still_wrote() -> None:
    store = MemoryStore()
    base = await _committed(store, 1)
    taken = Lease(resource="cluster", epoch=2, lock_id="M", fence_needed=True)

    class _Racing(MemoryStore):
        """Lets the former holder commit just before the first fence arrives."""

        raced = False

        async def create(self, key: str, data: bytes) -> bool:
            if key == ledger_key(2) and not self.raced:
                self.raced = True
                await commit(_ledger(store, seed=9), base)
            return await super().create(key, data)

    fence = await Ledger(_Racing(objects=store.objects), StillWorld(seed=1)).fence(taken)

    assert fence is not None
    assert fence.seq == 3
    assert fence.envelope.state.state_revision == 2


async def test_a_fence_below_a_later_holder_is_a_lost_lease() -> None:
    store = MemoryStore()
    ledger = _ledger(store)
    await commit(ledger, None, lease=msgspec.structs.replace(LEASE, epoch=7))

    with pytest.raises(LeaseLostError):
        await ledger.fence(msgspec.structs.replace(LEASE, epoch=6, fence_needed=True))


async def test_the_first_commit_after_a_takeover_has_to_be_the_fence() -> None:
    store = MemoryStore()
    base = await _committed(store, 1)

    with pytest.raises(AssertionError):
        await commit(
            _ledger(store), base, lease=msgspec.structs.replace(LEASE, epoch=2, fence_needed=True)
        )


async def test_a_lost_response_is_still_one_commit() -> None:
    store = MemoryStore()
    lossy = LostResponseStore(store, lambda op, key: op == "create" and "ledger" in key)
    first = await commit(_ledger(lossy), None)
    second = await commit(_ledger(lossy, seed=1), first)

    assert len(lossy.lost) == 2
    assert [h.seq for h in await _ledger(store).history()] == [2, 1]
    assert await _ledger(store).head() == second


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
async def test_a_crash_at_any_write_of_a_commit_leaves_the_old_or_the_new(
    at: int, how: str
) -> None:
    store = MemoryStore()
    base = await _committed(store, 1)
    dying = CrashingStore(store, at=at, how=how)  # type: ignore[arg-type]  # parametrized
    with pytest.raises(Crash):
        await commit(_ledger(dying, seed=1), base)
    ledger = _ledger(store, seed=2)
    head = await ledger.head()
    assert head is not None
    stale = await ledger.state_json_diagnostic(head)
    next_head = await commit(ledger, head)

    assert head.seq == (1 if (at, how) == (1, "before") else 2)
    assert (stale is None) == ((at, how) in {(1, "before"), (2, "after")})
    assert await ledger.state_json_diagnostic(next_head) is None
    assert await ledger.verify() == ()


async def test_a_commit_stands_when_its_copy_cannot_be_written() -> None:
    store = MemoryStore()
    down = DownStore(store, lambda op, key: (op, key) == ("replace", STATE_KEY))
    head = await commit(_ledger(down), None)

    assert await _ledger(store).head() == head
    missing = await _ledger(store).state_json_diagnostic(head)
    assert missing is not None
    assert (missing.code, missing.severity) == ("state_cas_mismatch", "warning")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"not json",
        state_text(State(state_revision=2**60)),
        state_text(State(state_revision=1)),
        b'{"version": 1, "state_revision": -4}',
    ],
)
async def test_a_state_json_edited_by_hand_misleads_nobody(text: bytes) -> None:
    store = MemoryStore()
    head = await _committed(store, 3)
    store.objects[STATE_KEY] = text
    ledger = _ledger(store)

    assert await ledger.head() == head
    edited = await ledger.state_json_diagnostic(head)
    assert edited is not None
    assert edited.code == "state_cas_mismatch"
    assert await ledger.state_json_diagnostic(await commit(ledger, head)) is None


async def test_a_state_json_without_a_ledger_is_reported() -> None:
    store = MemoryStore()
    store.objects[STATE_KEY] = state_text(State())

    found = await _ledger(store).state_json_diagnostic(await _ledger(store).head())
    assert found is not None
    assert found.code == "state_cas_mismatch"


async def test_an_altered_object_breaks_the_chain() -> None:
    store = MemoryStore()
    await _committed(store, 4)
    store.objects[ledger_key(2)] += b"\n"
    ledger = _ledger(store)

    assert (await ledger.head()) is not None
    assert [d.code for d in await ledger.verify()] == ["ledger_chain_broken"]
    with pytest.raises(LedgerUnreadableError) as broken:
        await ledger.history()
    assert broken.value.diagnostic.path == ledger_key(3)


async def test_a_newest_object_that_does_not_follow_is_refused() -> None:
    store = MemoryStore()
    await _committed(store, 2)
    missing = dict(store.objects)
    del missing[ledger_key(1)]
    lower = dict(store.objects)
    envelope = msgspec.json.decode(lower[ledger_key(2)])
    envelope["epoch"] = 0
    lower[ledger_key(2)] = msgspec.json.encode(envelope)
    torn = dict(store.objects)
    torn[ledger_key(2)] = torn[ledger_key(2)][:100]

    for objects, code in (
        (missing, "ledger_chain_broken"),
        (lower, "ledger_chain_broken"),
        (torn, "invalid_state_json"),
    ):
        with pytest.raises(LedgerUnreadableError) as refused:
            await _ledger(MemoryStore(objects=objects)).head()
        assert refused.value.diagnostic.code == code


async def test_a_ledger_of_the_future_is_neither_read_nor_written() -> None:
    store = MemoryStore()
    head = await _committed(store, 1)
    assert head is not None
    future = msgspec.structs.replace(head.envelope, min_writer=2)
    readable = msgspec.structs.replace(head, envelope=future)
    envelope = msgspec.json.decode(store.objects[ledger_key(1)])
    store.objects[ledger_key(1)] = msgspec.json.encode(envelope | {"min_reader": 2})

    with pytest.raises(LedgerUnreadableError) as unread:
        await _ledger(store).head()
    with pytest.raises(LedgerUnreadableError) as unwritten:
        await commit(_ledger(MemoryStore()), readable)
    assert unread.value.diagnostic.code == "unsupported_state_version"
    assert unwritten.value.diagnostic.code == "unsupported_state_version"


async def test_protected_and_freezes_are_carried_on_until_they_are_set() -> None:
    ledger = _ledger(MemoryStore())
    freeze = Freeze(id="f", scope="graph.g", since="t", reason="r", by="sarah")
    first = await ledger.commit(
        base=None,
        kind="import",
        op=None,
        lease=LEASE,
        cluster_id="c" * 64,
        state=State(),
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=0, head=None),
        source=None,
        protected=("graph.g",),
        freezes=(freeze,),
    )
    second = await commit(ledger, first)

    assert second.envelope.protected == ("graph.g",)
    assert second.envelope.freezes == (freeze,)
