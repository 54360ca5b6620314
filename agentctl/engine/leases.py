"""Takes, keeps and gives back leases. Source: control-plane 3.2.

Acquiring creates the next epoch's record; a task of the holder overwrites its beat every third of
the time to live; leaving says `released` in the beat. For the cluster's lease `lock.json` is written
after the record and removed before the release, as a copy that nothing here believes. A crash in
between leaves a lease whose process is gone, which the next taker on this machine takes at once.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.lease import (
    LEASES_FOLDER,
    LOCK_KEY,
    TTL_S,
    Beat,
    Forced,
    LeaseRecord,
    SeedLock,
    Sighting,
    Takeable,
    UnlockConsent,
    beat_key,
    decide,
    decode_beat,
    decode_lease,
    decode_lock,
    encode_lock,
    encode_record,
    forced_key,
    lease_folder,
    lease_key,
    lock_id_of,
    newest_by_folder,
)
from agentctl.domain.storage.numbered import Won, append_collected, newest
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.engine.world import World, mint_ulid, stamp_now
from agentctl.instants import milliseconds, parse_instant

CLUSTER: Final = "cluster"
"""The resource of the one lease of the cluster."""
POLL_S: Final = 0.5
"""How often a waiting taker looks again."""
RELEASE_DEADLINE_S: Final = 10.0
"""How long a holder that is being cancelled may take to say that it is done."""
BEATS_PER_TTL: Final = 3

logger = logging.getLogger(__name__)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that this process holds, or held."""

    resource: str
    epoch: int
    lock_id: str
    fence_needed: bool
    """Whether the last holder did not release: its log must be fenced before anything is read."""


class LockInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that somebody holds, as `locks` and `status` show it."""

    resource: str
    epoch: int
    lock_id: str | None
    """None where the record cannot be read; then the next five say nothing."""
    principal: str = ""
    operation: str = ""
    host: str = ""
    pid: int = 0
    created_at: str = ""
    last_beat_at: str | None = None
    """When its holder last showed life, by the holder's clock; None before the first beat."""
    fresh: bool
    """Whether that, or its beginning, is younger than its time to live, by this machine's clock."""
    holder_gone: bool
    """Whether its holder was a process of this machine and is gone."""
    safe_action: str
    """What to do about it, in words or as a command."""
    diagnostic: Diagnostic | None = None
    """Why the record cannot be read."""


class ForceUnlocked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a forced unlock; with errors nothing was touched."""

    unlocked: LockInfo | None
    diagnostics: tuple[Diagnostic, ...] = ()


class StateLockHeldError(Exception):
    """Somebody else holds the lease; nothing was done."""

    def __init__(self, diagnostic: Diagnostic, holder: LockInfo) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.holder = holder


class LeaseLostError(Exception):
    """The lease was taken over or ended by force; its former holder writes nothing more."""

    def __init__(self, resource: str, why: str) -> None:
        super().__init__(why)
        self.diagnostic = error(
            "lease_lost",
            resource,
            f"the lease of {resource} was lost: {why}",
            remedy="agentctl status",
        )


class Leases:
    """The leases of one storage root, as one process sees them."""

    def __init__(
        self,
        store: ObjectStore,
        world: World,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        before_release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """*before_release* runs last under the cluster's lease, unless that was lost."""
        self._store = store
        self._world = world
        self._sleep = sleep
        self._before_release = before_release
        self._hints: dict[str, int] = {}
        self._owed: set[str] = set()
        """Lock ids of leases of this process whose fence is still owed."""
        self._watched: dict[str, tuple[int, bytes | None, float]] = {}
        """By resource: epoch, the bytes of its beat, and since when they stand (monotonic)."""

    @asynccontextmanager
    async def hold(
        self,
        resource: str,
        *,
        principal: str,
        operation: str,
        ttl_s: int = TTL_S,
        wait_s: float = 0,
    ) -> AsyncIterator[Lease]:
        """Holds the lease of *resource* for the body of an ``async with``.

        What the body raises comes out as it is, not in a group.

        Raises:
            StateLockHeldError: another holds it, for longer than *wait_s* seconds.
        """
        asked = LeaseRecord(
            resource=resource,
            epoch=0,
            lock_id=mint_ulid(self._world),
            principal=principal,
            operation=operation,
            host=self._world.host,
            boot_id=self._world.boot_id,
            pid=self._world.pid,
            created_at=stamp_now(self._world),
            ttl_s=ttl_s,
        )
        record, fence_needed = await self._acquire(asked, wait_s=wait_s)
        if fence_needed:
            self._owed.add(record.lock_id)
        beats = _Beats(self._store, self._world, record)
        ended: BaseException | None = None
        try:
            await self._write_copy(record)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep, beats)
                try:
                    yield Lease(
                        resource=resource,
                        epoch=record.epoch,
                        lock_id=record.lock_id,
                        fence_needed=fence_needed,
                    )
                except BaseException as failure:  # noqa: BLE001  # raised again below, ungrouped
                    ended = failure
                tasks.cancel_scope.cancel()
            if ended is not None:
                raise ended
        finally:
            # Shielded: an unreleased lease makes the next command wait, or fence for nothing.
            with anyio.move_on_after(RELEASE_DEADLINE_S, shield=True):
                lost = isinstance(ended, LeaseLostError)
                if self._before_release is not None and resource == CLUSTER and not lost:
                    await self._before_release()
                await self._release(beats)

    def fenced(self, lease: Lease) -> None:
        """Takes note that no former holder of *lease* can commit any more.

        A lease that is given back without it leaves the fence to the next holder: one that never
        fenced must not hide from it that somebody who stood still may still write.
        """
        self._owed.discard(lease.lock_id)

    async def check(self, lease: Lease) -> None:
        """Makes sure that nobody has taken *lease* over or ended it by force.

        It can still be lost right afterwards: what protects a log is its numbers.

        Raises:
            LeaseLostError: it is lost.
        """
        if await self._store.read(lease_key(lease.resource, lease.epoch + 1)) is not None:
            raise LeaseLostError(lease.resource, "another holder took it over")
        if await self._store.read(forced_key(lease.resource, lease.epoch)) is not None:
            raise LeaseLostError(lease.resource, "it was ended by force-unlock")
        if await self._store.read(lease_key(lease.resource, lease.epoch)) is None:
            raise LeaseLostError(lease.resource, "its record was collected, long after its end")

    async def locks(self) -> tuple[LockInfo, ...]:
        """Returns the leases that somebody holds, by resource; reads only."""
        keys = await self._store.list(f"{LEASES_FOLDER}/")
        found = []
        for folder, epoch in sorted(newest_by_folder(keys).items()):
            resource = _resource_of(folder)
            held = await self._held(resource, epoch)
            if held is not None:
                found.append(held)
        return tuple(found)

    async def holder(self, resource: str = CLUSTER) -> LockInfo | None:
        """Returns who holds the lease of *resource*, or None; reads only."""
        found = await drive(
            self._store, newest(lease_folder(resource), self._hints.get(resource, 0))
        )
        return None if found is None else await self._held(resource, found[0])

    async def force_unlock(
        self,
        lock_id: str,
        *,
        by: str = "",
        op: str | None = None,
        consent: UnlockConsent | None = None,
    ) -> ForceUnlocked:
        """Ends the lease of exactly that id; its holder's next check or commit fails.

        Nothing held, a record that cannot be read, another version of it and another id are each
        an error of its own, and leave everything as it was.
        """
        try:
            held = await self.locks()
        except BackendError as failure:
            return _refused("state_lock_read_error", LEASES_FOLDER, str(failure))
        for lock in held:
            if lock.lock_id == lock_id:
                forced = Forced(
                    version=1,
                    lock_id=lock_id,
                    by=by,
                    at=stamp_now(self._world),
                    op=op,
                    consent=consent,
                )
                return await self._force(lock, forced)
        for lock in held:
            if lock.diagnostic is not None:
                return ForceUnlocked(unlocked=None, diagnostics=(lock.diagnostic,))
        if held:
            others = ", ".join(f"{lock.lock_id} ({lock.resource})" for lock in held)
            return _refused(
                "state_lock_id_mismatch",
                held[0].resource,
                f"no held lease has the id {lock_id}; held: {others}",
                remedy="agentctl locks",
            )
        return _refused(
            "state_lock_missing", LEASES_FOLDER, "no lease is held", remedy="agentctl locks"
        )

    async def _acquire(self, asked: LeaseRecord, *, wait_s: float) -> tuple[LeaseRecord, bool]:
        deadline = self._world.monotonic() + wait_s
        while True:
            seen = await self._sight(asked.resource)
            decision = decide(seen)
            if isinstance(decision, Takeable):
                record = msgspec.structs.replace(asked, epoch=decision.epoch)
                write = append_collected(
                    lease_folder(asked.resource),
                    decision.epoch,
                    encode_record(record),
                    lock_id_of,
                )
                if isinstance(await drive(self._store, write), Won):
                    self._hints[asked.resource] = decision.epoch
                    return record, decision.fence_needed
                continue  # Another taker was faster: look at what it is.
            left = deadline - self._world.monotonic()
            if left <= 0:
                await self._raise_held(asked.resource, decision.epoch)
                continue  # Given back between the two looks.
            await self._sleep(min(POLL_S, left))

    async def _raise_held(self, resource: str, epoch: int) -> None:
        holder = await self._held(resource, epoch)
        if holder is None:
            return
        if holder.lock_id is None:
            message = f"somebody holds the lease of {resource}, and its record cannot be read"
        else:
            message = (
                f"`{holder.operation}` by {holder.principal} (pid {holder.pid} on {holder.host}) "
                f"has held the lease of {resource} since {holder.created_at}"
            )
        diagnostic = error(
            "state_lock_held", resource, message, detail=holder.safe_action, remedy="agentctl locks"
        )
        raise StateLockHeldError(diagnostic, holder)

    async def _sight(self, resource: str) -> Sighting | None:
        found = await drive(
            self._store, newest(lease_folder(resource), self._hints.get(resource, 0))
        )
        if found is None:
            return None
        epoch, data = found
        self._hints[resource] = epoch
        record = decode_lease(data)
        known = record if isinstance(record, LeaseRecord) else None
        beat = await self._store.read(beat_key(resource, epoch))
        forced = await self._store.read(forced_key(resource, epoch))
        decoded = None if beat is None else decode_beat(beat.data)
        return Sighting(
            epoch=epoch,
            ttl_s=TTL_S if known is None else known.ttl_s,
            released=decoded is not None and decoded.released,
            fence_owed=decoded is not None and decoded.fence_owed,
            forced=forced is not None,
            holder_gone=known is not None and self._is_gone(known),
            quiet_s=self._quiet_s(resource, epoch, None if beat is None else beat.data),
        )

    def _quiet_s(self, resource: str, epoch: int, beat: bytes | None) -> float:
        """Returns for how long this process has seen the same beat."""
        now = self._world.monotonic()
        watched = self._watched.get(resource)
        if watched is None or watched[:2] != (epoch, beat):
            self._watched[resource] = (epoch, beat, now)
            return 0.0
        return now - watched[2]

    def _is_gone(self, record: LeaseRecord) -> bool:
        here = (record.host, record.boot_id) == (self._world.host, self._world.boot_id)
        return here and not self._world.process_lives(record.pid)

    async def _held(self, resource: str, epoch: int) -> LockInfo | None:
        """Returns the lease of that epoch, or None where it was given back, ended, or followed."""
        found = await self._store.read(lease_key(resource, epoch))
        beat = await self._store.read(beat_key(resource, epoch))
        decoded = None if beat is None else decode_beat(beat.data)
        if found is None or (decoded is not None and decoded.released):
            return None
        if await self._store.read(forced_key(resource, epoch)) is not None:
            return None
        record = decode_lease(found.data)
        if not isinstance(record, LeaseRecord):
            return _unreadable(resource, epoch, found.key, version=record)
        last = record.created_at if decoded is None else decoded.at
        age_ms = milliseconds(self._world.now()) - milliseconds(parse_instant(last))
        gone = self._is_gone(record)
        return LockInfo(
            resource=resource,
            epoch=epoch,
            lock_id=record.lock_id,
            principal=record.principal,
            operation=record.operation,
            host=record.host,
            pid=record.pid,
            created_at=record.created_at,
            last_beat_at=None if decoded is None else decoded.at,
            fresh=age_ms < record.ttl_s * 1000,
            holder_gone=gone,
            safe_action=_safe_action(record, gone=gone, fresh=age_ms < record.ttl_s * 1000),
        )

    async def _force(self, lock: LockInfo, forced: Forced) -> ForceUnlocked:
        try:
            await self._store.create(forced_key(lock.resource, lock.epoch), encode_record(forced))
            await self._remove_copy(forced.lock_id)
        except BackendError as failure:
            return _refused("state_lock_error", lock.resource, str(failure))
        return ForceUnlocked(unlocked=lock)

    async def _keep(self, beats: "_Beats") -> None:
        """Beats until cancelled. A beat that fails costs liveness only, so it is told, not raised."""
        while True:
            await self._sleep(beats.record.ttl_s / BEATS_PER_TTL)
            try:
                await beats.write(released=False)
            except BackendError as failure:
                logger.warning(
                    "a lease's beat could not be written",
                    extra={"resource": beats.record.resource, "failure": str(failure)},
                )

    async def _release(self, beats: "_Beats") -> None:
        """Says that the holder is done; where that fails the lease ends by itself."""
        try:
            if beats.record.resource == CLUSTER:
                await self._remove_copy(beats.record.lock_id)
            await beats.write(released=True, fence_owed=beats.record.lock_id in self._owed)
        except BackendError as failure:
            logger.warning(
                "a lease could not be released",
                extra={"resource": beats.record.resource, "failure": str(failure)},
            )

    async def _write_copy(self, record: LeaseRecord) -> None:
        if record.resource != CLUSTER:
            return
        lock = SeedLock(
            lock_id=record.lock_id,
            operation=record.operation,
            created_at=record.created_at,
            pid=record.pid,
        )
        await self._store.replace(LOCK_KEY, encode_lock(lock))

    async def _remove_copy(self, lock_id: str) -> None:
        found = await self._store.read(LOCK_KEY)
        lock = None if found is None else decode_lock(found.data)
        if lock is not None and lock.lock_id == lock_id:
            await self._store.delete(LOCK_KEY)


class _Beats:
    """The beat of one held lease."""

    def __init__(self, store: ObjectStore, world: World, record: LeaseRecord) -> None:
        self.record = record
        self._store = store
        self._world = world
        self._count = 0

    async def write(self, *, released: bool, fence_owed: bool = False) -> None:
        """Overwrites the beat."""
        self._count += 1
        beat = Beat(
            lock_id=self.record.lock_id,
            beat=self._count,
            at=stamp_now(self._world),
            released=released,
            fence_owed=fence_owed,
        )
        key = beat_key(self.record.resource, self.record.epoch)
        await self._store.replace(key, encode_record(beat))


def _resource_of(folder: str) -> str:
    part = folder.removeprefix(f"{LEASES_FOLDER}/")
    return part.replace("%2F", "/").replace("%25", "%")


def _unreadable(resource: str, epoch: int, key: str, *, version: int | None) -> LockInfo:
    remedy = f"Wait until it ends by itself, e.g. with --wait {2 * TTL_S}."
    if version is None:
        told = "the lease's record is not what it should be"
        diagnostic = error("invalid_state_lock", key, told, remedy=remedy)
    else:
        told = f"the lease's record has version {version}"
        diagnostic = error("unsupported_state_lock_version", key, told, remedy=remedy)
    return LockInfo(
        resource=resource,
        epoch=epoch,
        lock_id=None,
        fresh=False,
        holder_gone=False,
        safe_action=f"wait {TTL_S} seconds with --wait; it is taken over when nothing moves",
        diagnostic=diagnostic,
    )


def _safe_action(record: LeaseRecord, *, gone: bool, fresh: bool) -> str:
    if gone:
        return "nothing: its process is gone, and the next command takes it over"
    if fresh:
        return f"wait for it, with --wait SECONDS; it beats every {record.ttl_s // BEATS_PER_TTL} s"
    return (
        f"run the command with --wait {record.ttl_s + 1}; it is taken over when nothing moves, or "
        f"at once after agentctl force-unlock {record.lock_id}"
    )


def _refused(code: str, path: str, message: str, *, remedy: str | None = None) -> ForceUnlocked:
    return ForceUnlocked(unlocked=None, diagnostics=(error(code, path, message, remedy=remedy),))
