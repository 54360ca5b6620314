"""`force-unlock`: an abandoned lease by its id, a live one by a human's signature. Source: control-plane 3.2, 3.3."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.keys.sshsig import verify
from agentctl.domain.ledger.freezes import CONSENT_NAMESPACE
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.lease import Forced, forced_key, unlock_bytes
from agentctl.engine.apply import apply
from agentctl.engine.bracket import LEASELESS_LIFE
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import CLUSTER, Lease, LeaseLostError
from agentctl.testing.builders import Bench, folder_files, wanting
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash import Crash
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope

WHY = "it hangs"


@asynccontextmanager
async def held(tmp_path: Path) -> AsyncIterator[tuple[Bench, Cluster, Cluster, Lease]]:
    """A cluster whose lease another living process holds."""
    bench = Bench(tmp_path)
    holder = await bench.begun(folder_files("supply"))
    async with holder.leases.hold(CLUSTER, principal="tom", operation="apply") as lease:
        cluster = await bench.open()
        bench.world.living.add(holder.world.pid)
        yield bench, holder, cluster, lease


async def unlock(
    cluster: Cluster, by: Caller, lease: Lease, *, typed: str | None = None, key: str | None = None
) -> Envelope:
    arguments = {"lock_id": lease.lock_id, "intent": WHY, "confirmation": typed}
    signer = key_of(key) if key is not None else None
    return await call(cluster, by, "force_unlock", arguments, signer=signer)


@pytest.mark.parametrize(
    ("who", "typed", "key"),
    [
        ("sarah", None, None),
        ("sarah", "cluster", None),
        ("sarah", "cluster", "mallory"),
        ("local", "cluster", "sarah"),
        ("tom", "cluster", "tom"),
    ],
)
async def test_a_lease_that_shows_life_is_ended_by_no_one_without_a_humans_signature(
    tmp_path: Path, who: str, typed: str | None, key: str | None
) -> None:
    async with held(tmp_path) as (_, holder, cluster, lease):
        by = caller(who, enrolled=who != "local")

        refused = await unlock(cluster, by, lease, typed=typed, key=key)

        assert [d.code for d in refused.diagnostics] == ["approval_required"]
        await holder.leases.check(lease)
        assert await cluster.journal.list() == await holder.journal.list()


async def test_an_agent_cannot_even_ask_for_it(tmp_path: Path) -> None:
    async with held(tmp_path) as (bench, holder, cluster, lease):
        refused = await unlock(cluster, bench.agent, lease, typed="cluster", key="sarah")

        assert not refused.ok
        await holder.leases.check(lease)


async def test_who_types_another_name_ends_nothing(tmp_path: Path) -> None:
    async with held(tmp_path) as (bench, holder, cluster, lease):
        refused = await unlock(cluster, bench.sarah, lease, typed="supply", key="sarah")

        assert [d.code for d in refused.diagnostics] == ["confirmation_mismatch"]
        await holder.leases.check(lease)


async def test_a_human_who_signs_ends_it_and_the_record_proves_who_it_was(tmp_path: Path) -> None:
    async with held(tmp_path) as (bench, holder, cluster, lease):
        done = await unlock(cluster, bench.sarah, lease, typed="cluster", key="sarah")

        assert done.ok, done.diagnostics
        with pytest.raises(LeaseLostError):
            await holder.leases.check(lease)
    forced = msgspec.json.decode(bench.objects[forced_key(CLUSTER, lease.epoch)], type=Forced)
    assert forced.consent is not None
    statement = forced.consent.statement
    assert (statement.epoch, statement.lock_id, statement.holder) == (
        lease.epoch,
        lease.lock_id,
        "tom",
    )
    signed = unlock_bytes(statement)
    assert verify(forced.consent.signature, signed, CONSENT_NAMESPACE) == key_of("sarah").key
    assert (await apply(await bench.open(), bench.sarah, wanting())).converged


async def test_a_lease_whose_holder_is_gone_or_silent_needs_no_signature(tmp_path: Path) -> None:
    async with held(tmp_path) as (bench, holder, cluster, lease):
        bench.world.advance(31)

        done = await unlock(cluster, caller("local", enrolled=False), lease)

        assert done.ok, done.diagnostics
        with pytest.raises(LeaseLostError):
            await holder.leases.check(lease)


async def test_an_unlock_whose_process_died_behind_its_record_is_settled_as_done(
    tmp_path: Path,
) -> None:
    statuses: list[str] = []
    for at in range(1, 8):
        path = tmp_path / str(at)
        path.mkdir()
        async with held(path) as (bench, _, _, lease):
            bench.world.advance(31)
            dying, store = await bench.crashing(at, "after")
            with suppress(Crash):
                await unlock(dying, bench.sarah, lease)
            assert store.crashed
        bench.world.advance(LEASELESS_LIFE.total_seconds())
        later = await bench.open()
        assert (await apply(later, bench.sarah, wanting())).ok
        ops = [o for o in await later.journal.list() if o.action == "force_unlock"]
        ended = forced_key(CLUSTER, lease.epoch) in bench.objects
        assert all((o.status == "success") == ended for o in ops), at
        statuses += [o.status for o in ops]

    assert {"success", "failed"} <= set(statuses)
