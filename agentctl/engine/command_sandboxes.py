"""The life of a sandbox of commands: made on this host, started, stopped, and taken away.

The record moves through the table of states, each step only from where it was expected. Where making
fails, what was made is taken away, and the record ends; what could not be taken away is in ERROR and
goes with the next sweep. Source: sandboxes 4, States; acceptance cases 2, 3 and 25.
"""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from anyio import CancelScope

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.hosts import Needs
from agentctl.domain.sandbox.listing import LIMIT_MAX, ListOptions, SandboxFilter
from agentctl.domain.sandbox.provider import Creation, ProviderError, ProviderName, SandboxProvider
from agentctl.domain.sandbox.records import Sandbox, Snapshot
from agentctl.domain.sandbox.source_machines import after_rotation, unprepared
from agentctl.engine.command_host import COMMANDED, CommandHost, CommandHostError, absent
from agentctl.engine.lending import SandboxError
from agentctl.engine.sandbox_quotas import SANDBOXES_MAX
from agentctl.engine.sandboxes.errors import NotFoundError, StoreError
from agentctl.engine.snapshotting import BASE
from agentctl.engine.world import World, mint_ulid, stamp_now

if TYPE_CHECKING:
    from agentctl.engine.sandboxes.store import Store

MEMORY_MB: Final = 2048
STORAGE_MB: Final = 1024
"""What a sandbox of files may use where nothing is asked for."""
MAKING_MAX: Final = timedelta(minutes=15)
"""How long a step towards RUNNING may take; one that is older belongs to a dead process."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for who starts a sandbox of commands."""

    provider: ProviderName
    source: str
    folder: Path | None = None
    """Where a source lies that is there for a moment only: the cluster's own configuration."""
    name: str | None = None
    """None takes the id."""
    life: timedelta
    op: str
    by: str
    vcpus: int | None = None
    memory_mb: int | None = None
    storage_mb: int | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is done: this host, the store of its history, the world."""

    host: CommandHost
    store: "Store"
    world: World


async def start_commands(place: Place, order: Order) -> Sandbox:
    """Makes a sandbox and starts it; returns its record, in RUNNING.

    Raises:
        CommandHostError: the host offers no such provider.
        SandboxError: it has no such source.
        ProviderError: a step failed, which it names; nothing of the sandbox is left.
        StoreError: the name is taken, no host has room, or the database does not answer.
    """
    provider = _provider(place, order)
    if order.provider == "vm":
        await check_prepared(place, order.source)
    creation = Creation(
        id=mint_ulid(place.world),
        name=order.name or "",
        source=order.source,
        vcpus=order.vcpus,
        memory_mb=order.memory_mb,
        storage_mb=order.storage_mb,
    )
    creation = msgspec.structs.replace(creation, name=order.name or creation.id)
    needs, creation = await _needs(place, order, creation)
    await place.store.create_sandbox(_record(place, order, creation, needs))
    try:
        return await _make(place, provider, creation, needs)
    except BaseException:
        with CancelScope(shield=True):
            await _give_up(place, provider, creation.id)
        raise


async def resume(place: Place, record: Sandbox) -> Sandbox:
    """Starts a sandbox that was stopped or failed; one that runs is left as it is.

    Raises:
        ProviderError: it does not start.
        StoreError: somebody else moved it meanwhile.
    """
    provider = place.host.provider(record.provider)
    if record.state == "RUNNING":
        await provider.start(record.id)
        return record
    if record.state == "ERROR":
        await place.store.update_sandbox_state(record.id, "STARTING", expected="ERROR")
    try:
        await provider.start(record.id)
    except ProviderError:
        await place.store.update_sandbox_state(record.id, "ERROR")
        raise
    return await place.store.update_sandbox_state(record.id, "RUNNING")


async def stop(place: Place, record: Sandbox) -> Sandbox:
    """Stops a sandbox; everything in it is kept.

    Raises:
        ProviderError: it does not stop.
        StoreError: it does not run.
    """
    if record.state == "STOPPED":
        return record
    await place.host.provider(record.provider).stop(record.id)
    return await place.store.update_sandbox_state(record.id, "STOPPED", expected="RUNNING")


async def end(place: Place, sandbox_id: str, provider: ProviderName) -> None:
    """Takes away everything of a sandbox, then writes down that it is gone; may be repeated.

    Raises:
        ProviderError: something is left; it may be tried again.
        StoreError: the database does not answer.
    """
    await place.host.provider(provider).destroy(sandbox_id)
    place.host.forget(sandbox_id)
    try:
        await place.store.delete_sandbox(sandbox_id)
    except NotFoundError:  # of a process whose history was lost
        await place.store.release_host(sandbox_id)


async def failed_at(place: Place, record: Sandbox) -> None:
    """Writes down that a sandbox does not work any more."""
    await place.store.update_sandbox_state(record.id, "ERROR")


async def living(place: Place, *, by: str | None = None) -> tuple[Sandbox, ...]:
    """Returns the records of this host's sandboxes of commands that are not over, of one owner or all."""
    found: list[Sandbox] = []
    for provider in COMMANDED:
        wanted = SandboxFilter(agent_id=by, provider=provider)
        page: tuple[Sandbox, ...] | None = None
        offset = 0
        while page is None or len(page) == LIMIT_MAX:
            options = ListOptions(limit=LIMIT_MAX, offset=offset, order_by="created_at", asc=True)
            page = await place.store.list_sandboxes(wanted, options)
            found += page
            offset += len(page)
    address = place.host.address(place.world)
    return tuple(one for one in found if one.host_address == address)


async def check_number(place: Place, by: str) -> None:
    """Refuses a principal who has as many sandboxes of commands as they may.

    Raises:
        SandboxError: they have.
    """
    own = len(await living(place, by=by))
    if own >= SANDBOXES_MAX:
        message = f"{by} has {own} sandboxes of commands, and may have {SANDBOXES_MAX} at a time"
        remedy = "Close one: agentctl sandbox list"
        raise SandboxError(error("sandbox_over_quota", "cluster", message, remedy=remedy))


async def check_prepared(place: Place, source: str) -> None:
    """Refuses a source of machines that was not prepared for the authority in use.

    Raises:
        SandboxError: it was not, or there is none.
    """
    runners = place.host.runners()
    if source not in runners.sources("vm"):
        raise SandboxError(unknown_source(source, runners.sources("vm")))
    try:
        record = await place.store.get_source_vm(source)
    except NotFoundError:
        raise SandboxError(
            error(
                "machine_source_unprepared",
                f"sources.{source}",
                f"the source machine {source} is not prepared",
                remedy=f"agentctl sandbox prepare {source}",
            )
        ) from None
    authority = runners.authority
    told = unprepared(record, ca_fingerprint=authority)
    if told is not None:
        marked = after_rotation(record, ca_fingerprint=authority, now=place.world.now())
        if marked != record:
            await place.store.upsert_source_vm(marked)
        remedy = f"agentctl sandbox prepare {source}"
        raise SandboxError(msgspec.structs.replace(told, remedy=remedy))


def unknown_source(source: str, known: tuple[str, ...]) -> Diagnostic:
    """Returns what is told of a source that the operator does not offer."""
    offered = ", ".join(known) or "none"
    message = f"there is no source {source!a:.80}; this host offers: {offered}"
    return error("sandbox_source_unknown", "source", message)


def _provider(place: Place, order: Order) -> SandboxProvider:
    if order.folder is not None:
        return place.host.runners().copying(order.source, order.folder)
    provider = place.host.provider(order.provider)
    known = place.host.runners().sources(order.provider)
    if order.source not in known:
        raise SandboxError(unknown_source(order.source, known))
    return provider


async def _needs(place: Place, order: Order, creation: Creation) -> tuple[Needs, Creation]:
    """Returns what the host is to promise, and the creation that keeps to it.

    A sandbox of files has no processor of its own: nothing of it runs between two commands.
    """
    if order.provider == "vm":
        machines = place.host.runners().vm
        if machines is None:
            raise CommandHostError(absent("vm"))
        machine = await machines.planned(creation)
        needs = Needs(
            vcpus=machine.vcpus, memory_mb=machine.memory_mb, storage_mb=machine.storage_mb
        )
        return needs, creation
    needs = Needs(
        vcpus=0,
        memory_mb=order.memory_mb or MEMORY_MB,
        storage_mb=order.storage_mb or STORAGE_MB,
    )
    return needs, msgspec.structs.replace(
        creation, memory_mb=needs.memory_mb, storage_mb=needs.storage_mb
    )


def _record(place: Place, order: Order, creation: Creation, needs: Needs) -> Sandbox:
    now = stamp_now(place.world)
    return Sandbox(
        id=creation.id,
        job_id=order.op,
        agent_id=order.by,
        sandbox_name=creation.name,
        base_image=order.source,
        provider=order.provider,
        vcpus=needs.vcpus or None,
        memory_mb=needs.memory_mb,
        storage_mb=needs.storage_mb,
        ttl_seconds=int(order.life.total_seconds()),
        host_name=place.world.host,
        host_address=place.host.address(place.world),
        created_at=now,
        updated_at=now,
    )


async def _make(
    place: Place, provider: SandboxProvider, creation: Creation, needs: Needs
) -> Sandbox:
    store = place.store
    host_id = await place.host.heard(store, place.world)
    await store.reserve_host(creation.id, needs, host_id=host_id)
    await provider.create(creation)
    await store.update_sandbox_state(creation.id, "STARTING", expected="CREATED")
    await provider.start(creation.id)
    ref = await provider.snapshot(creation.id, BASE)
    await store.create_snapshot(
        Snapshot(
            id=mint_ulid(place.world),
            sandbox_id=creation.id,
            name=BASE,
            ref=ref,
            created_at=stamp_now(place.world),
        )
    )
    return await store.update_sandbox_state(creation.id, "RUNNING", expected="STARTING")


async def _give_up(place: Place, provider: SandboxProvider, sandbox_id: str) -> None:
    """Takes back what was made; what stays is in ERROR without a first snapshot, for the sweep."""
    try:
        await place.store.update_sandbox_state(sandbox_id, "ERROR")
        await provider.destroy(sandbox_id)
        await place.store.update_sandbox_state(sandbox_id, "DESTROYED")
    except (ProviderError, StoreError):
        return
