"""Hosts and what of them is promised: reserved atomically, so that no host is ever overbooked."""

from datetime import timedelta

import msgspec
from sqlalchemy import select

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.hosts import HEARTBEAT_AGE_MAX, Needs, Unplaced, place
from agentctl.domain.sandbox.records import INTEGER_MAX, HostResources
from agentctl.engine.sandboxes.entities import HOST, record_of, row_of
from agentctl.engine.sandboxes.errors import (
    CapacityError,
    InvalidError,
    NotFoundError,
    invalid,
    not_found,
)
from agentctl.engine.sandboxes.handle import Handle, Work
from agentctl.engine.sandboxes.tables import HOSTS, RESERVATIONS
from agentctl.engine.sandboxes.upserts import upsert

_RESERVED = ("reserved_cpus", "reserved_memory_mb", "reserved_storage_mb")


class HostRecords(Handle):
    """What the store does with hosts."""

    async def upsert_host(self, host: HostResources) -> None:
        """Keeps what a host says of itself; what is reserved of it is counted here, not by it.

        Raises:
            AlreadyExistsError: another host has its name.
        """
        async with self._writing() as work:
            values = row_of(HOST, host) | dict.fromkeys(_RESERVED, 0)
            said = [name for name in values if name not in {"id", *_RESERVED}]
            with work.unique(HOST.noun, values):
                await work.change(upsert(work, HOSTS, values, key="id", update=said))

    async def heartbeat_host(self, host_id: str) -> None:
        """Records that a host was heard of now.

        Raises:
            NotFoundError: there is none.
        """
        async with self._writing() as work:
            heard = HOSTS.update().where(HOSTS.c.id == host_id).values(updated_at=work.now())
            if not await work.change(heard):
                raise NotFoundError(not_found(HOST.noun, host_id))

    async def get_host(self, host_id: str) -> HostResources:
        """Returns a host.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(HOST, host_id)

    async def list_hosts(self) -> tuple[HostResources, ...]:
        """Returns every host, by name."""
        async with self._reading() as work:
            return await _hosts(work)

    async def reserve_host(
        self,
        sandbox_id: str,
        needs: Needs,
        *,
        host_id: str | None = None,
        heartbeat_age_max: timedelta = HEARTBEAT_AGE_MAX,
    ) -> HostResources:
        """Reserves what a sandbox needs of the host that is to carry it; returns the host.

        However many ask at once, no host promises more than it has. The reservation is given back
        by `release_host`, and when the sandbox's record becomes DESTROYED.

        Args:
            sandbox_id: which.
            needs: what it takes.
            host_id: the one host that can carry it; None for any.
            heartbeat_age_max: after so long without a word, a host is taken for lost.

        Raises:
            CapacityError: no host takes it; the detail says what each lacks.
            AlreadyExistsError: the sandbox has a reservation.
        """
        if not all(0 <= part <= INTEGER_MAX for part in msgspec.structs.astuple(needs)):
            raise InvalidError(invalid("needs", "what a sandbox needs is no negative number"))
        async with self._writing() as work:
            while True:
                known = await _hosts(work)
                host = place(
                    [one for one in known if host_id in {None, one.id}],
                    needs,
                    now=work.clock(),
                    heartbeat_age_max=heartbeat_age_max,
                )
                if isinstance(host, Unplaced):
                    raise _no_capacity(host)
                if await _reserve(work, host, needs):
                    await _remember(work, sandbox_id, host.id, needs)
                    return await work.get(HOST, host.id)

    async def release_host(self, sandbox_id: str) -> bool:
        """Gives back what was reserved for a sandbox; returns whether anything was."""
        async with self._writing() as work:
            return await release(work, sandbox_id)


async def release(work: Work, sandbox_id: str) -> bool:
    """Gives back what was reserved for a sandbox, once, however often it is called."""
    gone = RESERVATIONS.delete().where(RESERVATIONS.c.sandbox_id == sandbox_id)
    found = await work.rows(gone.returning(*RESERVATIONS.c))
    for row in found:
        values = {
            "reserved_cpus": HOSTS.c.reserved_cpus - row.vcpus,
            "reserved_memory_mb": HOSTS.c.reserved_memory_mb - row.memory_mb,
            "reserved_storage_mb": HOSTS.c.reserved_storage_mb - row.storage_mb,
        }
        await work.change(HOSTS.update().where(HOSTS.c.id == row.host_id).values(values))
    return bool(found)


async def _hosts(work: Work) -> tuple[HostResources, ...]:
    found = await work.rows(select(HOSTS).order_by(HOSTS.c.name))
    return tuple(record_of(HOST, row) for row in found)


async def _reserve(work: Work, host: HostResources, needs: Needs) -> bool:
    """Returns whether the host still had what was decided from, in one statement."""
    table = HOSTS.c
    statement = (
        HOSTS.update()
        .where(
            table.id == host.id,
            table.reserved_cpus + needs.vcpus <= table.total_cpus,
            table.reserved_memory_mb + needs.memory_mb <= table.total_memory_mb,
            table.reserved_storage_mb + needs.storage_mb <= table.total_storage_mb,
        )
        .values(
            reserved_cpus=table.reserved_cpus + needs.vcpus,
            reserved_memory_mb=table.reserved_memory_mb + needs.memory_mb,
            reserved_storage_mb=table.reserved_storage_mb + needs.storage_mb,
        )
    )
    return await work.change(statement) == 1


async def _remember(work: Work, sandbox_id: str, host_id: str, needs: Needs) -> None:
    values: dict[str, object] = {
        "sandbox_id": sandbox_id,
        "host_id": host_id,
        "vcpus": needs.vcpus,
        "memory_mb": needs.memory_mb,
        "storage_mb": needs.storage_mb,
        "created_at": work.now(),
    }
    with work.unique("reservation", values):
        await work.change(RESERVATIONS.insert().values(values))


def _no_capacity(unplaced: Unplaced) -> CapacityError:
    reasons = unplaced.reasons
    return CapacityError(
        error(
            "sandbox_no_capacity",
            "host",
            "no host has what the sandbox needs",
            detail=f"{'; '.join(reasons)}." if reasons else "No host is known.",
            remedy="Destroy sandboxes that nobody needs, ask for a smaller one, or add a host.",
        )
    )
