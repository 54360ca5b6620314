"""What is collected, and what a writer meets that was paused meanwhile. Source: control-plane 3.2."""

import hashlib
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.backends.drive import drive
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.ledger.codec import (
    LEDGER_FOLDER,
    decode_envelope,
    encode_envelope,
    ledger_key,
    state_text,
)
from agentctl.domain.ledger.envelope import ChainHead, Envelope
from agentctl.domain.ledger.packing import PACK_BYTES_MIN, PackedError, packed, unpacked
from agentctl.domain.ledger.retention import EPOCHS_KEPT, REVISIONS_KEPT, collectable
from agentctl.domain.ledger.state import AppliedResource, AppliedRevision, State
from agentctl.domain.storage.lease import beat_key, forced_key, lease_key
from agentctl.domain.storage.numbered import Lost, Won, append_collected, numbers_in
from agentctl.engine.apply import apply
from agentctl.engine.bracket import Begin, begin_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.collecting import (
    EVERY_SEQ,
    PLAN_LIFE,
    PLANS_FOLDER,
    collect,
    collect_under_lease,
)
from agentctl.engine.leases import CLUSTER, Lease, LeaseLostError, Leases
from agentctl.engine.ledger import Head, Ledger, StateMovedError
from agentctl.engine.planning import make_plan, plan_key
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import Bench, ask, folder_files, wanting
from agentctl.testing.clock import StillWorld
from agentctl.testing.crash import Crash, CrashingStore

LEASE = Lease(resource=CLUSTER, epoch=1, lock_id="L", fence_needed=False)


async def commit(ledger: Ledger, base: Head | None, state: State | None = None) -> Head:
    return await ledger.commit(
        base=base,
        kind="apply",
        op=None,
        lease=LEASE,
        cluster_id="c" * 64,
        state=state or State(state_revision=1 if base is None else base.seq + 1),
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=0, head=None),
        source=None,
    )


async def grown(tmp_path: Path, commits: int) -> tuple[Bench, Cluster]:
    """A cluster whose ledger has that many objects more than its first."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    head = await cluster.ledger.head()
    for _ in range(commits):
        head = await _record(cluster, head)
    return bench, cluster


async def _record(cluster: Cluster, head: Head | None) -> Head:
    assert head is not None
    return await cluster.ledger.commit(
        base=head,
        kind="record",
        op=head.envelope.op,
        lease=msgspec.structs.replace(LEASE, epoch=head.envelope.epoch),
        cluster_id=head.envelope.cluster_id,
        state=head.envelope.state,
        audit=head.envelope.audit,
        principals=head.envelope.principals,
        source=head.envelope.source,
    )


@given(st.sets(st.integers(1, 400)), st.integers(2, 120), st.lists(st.integers(1, 400), max_size=3))
def test_the_newest_stay_and_so_does_everything_from_the_oldest_pin(
    numbers: set[int], kept: int, pins: list[int]
) -> None:
    gone = collectable(numbers, kept=kept, pins=pins)
    left = sorted(numbers - set(gone))

    assert list(gone) == sorted(numbers)[: len(gone)]
    assert len(left) >= min(kept, len(numbers))
    assert not [n for n in gone if any(n >= pin for pin in pins)]
    if not pins:
        assert len(left) == min(kept, len(numbers))


async def test_old_objects_go_the_newest_hundred_stay_and_the_chain_still_holds(
    tmp_path: Path,
) -> None:
    bench, cluster = await grown(tmp_path, 149)

    said = await collect_under_lease(cluster, bench.sarah, dry_run=True)
    assert len(await drive(cluster.store, numbers_in(LEDGER_FOLDER))) == 150
    done = await collect_under_lease(cluster, bench.sarah, dry_run=False)

    assert said.revisions == done.revisions == 50
    assert (done.oldest, done.left) == (51, 0)
    assert await drive(cluster.store, numbers_in(LEDGER_FOLDER)) == tuple(range(51, 151))
    assert await cluster.ledger.verify() == ()
    fresh = await (await bench.open()).ledger.head()
    assert fresh is not None
    assert fresh.seq == 150
    assert (await apply(await bench.open(), bench.sarah, wanting())).ok


async def test_what_an_unfinished_op_began_from_is_kept(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path, 19)
    head = await cluster.ledger.head()
    begin = Begin(action="load", verb="update", intent="rows", component="graph.supply")
    await begin_op(cluster, bench.sarah, begin, lease=LEASE, head=head, live={})
    for _ in range(130):
        head = await _record(cluster, head)

    assert (await collect(cluster)).oldest == 20


async def test_a_command_that_writes_collects_now_and_then(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path, REVISIONS_KEPT + 2 * EVERY_SEQ - 1)

    assert (await refresh(cluster, bench.sarah, "look")).ok

    assert min(await drive(cluster.store, numbers_in(LEDGER_FOLDER))) == 2 * EVERY_SEQ + 1


async def test_kept_plans_and_keys_go_after_a_week_and_what_a_request_names_stays(
    tmp_path: Path,
) -> None:
    bench, cluster = await grown(tmp_path, 1)
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.write(folder_files("supply", "parts"))
    unused = await _kept_plan(bench)
    bench.write(folder_files())
    named = await _kept_plan(bench)
    of_another_release = plan_key("f" * 64)
    bench.objects[of_another_release] = b'{"format":2}'
    await cluster.keys.claim(
        principal="sarah", operation="load", key="k", request_digest="0", op="o"
    )

    async def collected(*, dry_run: bool = False) -> tuple[int, int]:
        done = await collect_under_lease(await bench.open(), bench.sarah, dry_run=dry_run)
        return done.plans, done.keys

    bench.world.advance((PLAN_LIFE - timedelta(hours=1)).total_seconds())
    assert await collected() == (0, 0)
    request = await ask(await bench.open(), bench.sarah, "graph.supply")
    assert request.plan_digest == named
    bench.world.advance(2 * 3600)
    assert await collected(dry_run=True) == (1, 1)
    assert plan_key(unused) in bench.objects
    assert await collected() == (1, 1)

    left = {key for key in bench.objects if key.startswith(PLANS_FOLDER)}
    assert left == {plan_key(named), of_another_release}


async def _kept_plan(bench: Bench) -> str:
    planned = await make_plan(await bench.open(), bench.sarah, keep=True)
    assert planned.plan is not None, planned.result.diagnostics
    return planned.plan.digest


async def test_every_crash_while_collecting_leaves_a_ledger_that_holds(tmp_path: Path) -> None:
    bench, _ = await grown(tmp_path, 105)
    kept = dict(bench.objects)
    at = 0
    while True:
        at += 1
        bench.objects.clear()
        bench.objects.update(kept)
        cluster, store = await bench.crashing(at, "after")
        with suppress(Crash):
            await collect(cluster)
        fresh = await bench.open()
        head = await fresh.ledger.head()
        assert head is not None
        assert head.seq == 106
        assert await fresh.ledger.verify() == ()
        if not store.crashed:
            break
    assert at == 7


async def test_a_writer_that_slept_until_its_number_was_collected_writes_nothing() -> None:
    store = MemoryStore()
    ledger, sleeper = Ledger(store, StillWorld()), Ledger(store, StillWorld(seed=1))
    head = await commit(ledger, await commit(ledger, None))
    asleep = await sleeper.head()
    for _ in range(REVISIONS_KEPT + 20):
        head = await commit(ledger, head)
    for seq in collectable(await drive(store, numbers_in(LEDGER_FOLDER))):
        await store.delete(ledger_key(seq))

    with pytest.raises(StateMovedError):
        await commit(sleeper, asleep)

    assert await Ledger(store, StillWorld()).head() == head
    assert await sleeper.head() == head
    assert await store.read(ledger_key(3)) is None


async def test_what_such_a_writer_leaves_when_it_dies_is_no_ledger() -> None:
    store = MemoryStore()
    ledger = Ledger(store, StillWorld())
    head = await commit(ledger, None, State(state_revision=3))
    for _ in range(REVISIONS_KEPT + 20):
        head = await commit(ledger, head, State(state_revision=3))
    orphan = store.objects[ledger_key(3)]
    for seq in collectable(await drive(store, numbers_in(LEDGER_FOLDER))):
        await store.delete(ledger_key(seq))
    dying = CrashingStore(store, at=1, how="after")
    with pytest.raises(Crash):
        await drive(dying, append_collected(LEDGER_FOLDER, 3, orphan, lambda _: "n"))

    assert await store.read(ledger_key(3)) is not None
    assert await Ledger(store, StillWorld()).head() == head


async def test_a_number_whose_predecessor_is_there_is_won_and_one_that_slept_is_lost() -> None:
    store = MemoryStore()

    def nonce(data: bytes) -> str:
        return data.decode()

    assert await drive(store, append_collected("log", 1, b"a", nonce)) == Won(number=1)
    assert await drive(store, append_collected("log", 2, b"b", nonce)) == Won(number=2)
    await store.delete("log/" + "0" * 19 + "1.json")
    await store.delete("log/" + "0" * 19 + "2.json")
    assert await drive(store, append_collected("log", 2, b"c", nonce)) == Lost(number=2, data=b"")
    assert store.objects == {}


async def test_ended_leases_go_and_a_holder_who_slept_knows_that_it_lost(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path, 0)
    slept: list[Lease] = []
    for _ in range(20):
        async with cluster.leases.hold(CLUSTER, principal="sarah", operation="apply") as lease:
            slept.append(lease)

    done = await collect_under_lease(await bench.open(), bench.sarah, dry_run=False)

    newest = slept[-1].epoch + 1
    left = [k for k in bench.objects if k.startswith("__cluster/leases/")]
    gone = newest - EPOCHS_KEPT
    assert done.leases == 2 * gone
    assert len(left) == 2 * EPOCHS_KEPT
    assert lease_key(CLUSTER, gone) not in left
    assert beat_key(CLUSTER, gone) not in left
    for lost in (slept[0], slept[-1]):
        with pytest.raises(LeaseLostError):
            await cluster.leases.check(lost)


async def test_a_forced_end_goes_with_its_lease(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path, 0)
    store, world = cluster.store, bench.world
    async with Leases(store, world, sleep=world.sleep).hold(
        "graph.supply@main", principal="p", operation="load"
    ) as lease:
        await cluster.leases.force_unlock(lease.lock_id, by="sarah")
    for _ in range(EPOCHS_KEPT):
        async with cluster.leases.hold("graph.supply@main", principal="p", operation="load"):
            pass

    await collect(cluster)

    assert forced_key("graph.supply@main", 1) not in bench.objects
    assert lease_key("graph.supply@main", 2) in bench.objects


def large_state(resources: int) -> State:
    return State(
        applied_revision=AppliedRevision(
            resources={
                f"query.g.q{i:06}": AppliedResource(
                    digest=hashlib.sha256(str(i).encode()).hexdigest()
                )
                for i in range(resources)
            }
        )
    )


def envelope(state: State) -> Envelope:
    return Envelope(
        cluster_id="c",
        seq=1,
        previous=None,
        kind="import",
        op=None,
        epoch=1,
        nonce="0" * 32,
        written_at="",
        state=state,
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=0, head=None),
    )


@pytest.mark.parametrize("resources", [0, 3, 10_000])
def test_a_large_state_is_packed_in_its_object_and_comes_out_the_same(resources: int) -> None:
    whole = envelope(large_state(resources))
    data = encode_envelope(whole)

    assert decode_envelope(data, seq=1).envelope == whole
    assert (b"deflate:" in data) == (resources == 10_000)
    assert msgspec.json.decode(data)["kind"] == "import"
    if resources == 10_000:
        assert len(data) < len(state_text(whole.state)) / 2


async def test_a_large_ledger_is_read_shown_and_copied_as_a_small_one() -> None:
    store = MemoryStore()
    head = await commit(Ledger(store, StillWorld()), None, large_state(10_000))

    assert store.objects["__cluster/state.json"] == state_text(large_state(10_000))
    assert await Ledger(store, StillWorld()).head() == head


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(1, 255))
def test_a_packed_state_that_is_damaged_is_refused_or_the_same(
    text: bytes, at: int, flip: int
) -> None:
    long = text + b"x" * (PACK_BYTES_MIN + 1)
    form = packed(long)
    assert form is not None
    assert unpacked(form) == long
    raw = bytearray(form.encode())
    raw[at % len(raw)] ^= flip
    try:
        found = unpacked(raw.decode("latin-1"))
    except PackedError:
        return
    assert found == long


@pytest.mark.parametrize(
    "form",
    [None, 7, "", "deflate:", "deflate:####", "gzip:xx", packed(b"y" * 300_000)[:-9]],  # type: ignore[index]
)
def test_what_is_no_packed_state_is_refused(form: object) -> None:
    with pytest.raises(PackedError):
        unpacked(form)


def test_an_object_whose_packed_state_is_damaged_is_told_as_such() -> None:
    data = encode_envelope(envelope(large_state(10_000))).replace(b"deflate:e", b"deflate:f")

    assert [d.code for d in decode_envelope(data, seq=1).diagnostics] == ["invalid_state_json"]
