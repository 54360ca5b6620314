"""Makes, lists and verifies backups of a storage root. Source: control-plane 3.8.

The place of the backups is another object store. Objects go there first, each under its digest and
create-only, the manifest last: a backup that broke off is not listed, and the next one goes on where
it stopped. The cluster's lease is held meanwhile, so nothing is collected or purged; loads go on.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import Verify
from agentctl.domain.storage.backup import (
    BACKUPS,
    PREFIXES,
    Manifest,
    Stored,
    commit_of,
    decode_manifest,
    encode_manifest,
    is_backed_up,
    is_written_once,
    manifest_key,
    object_key,
)
from agentctl.domain.storage.lease import LEASES_FOLDER, newest_by_folder
from agentctl.domain.storage.protocol import ObjectStore, StoredObject, UnsuitableError
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.bounded import run_bounded
from agentctl.engine.cluster import Cluster
from agentctl.engine.events import ApplyEvent, OnEvent
from agentctl.engine.leases import CLUSTER
from agentctl.engine.ledger import Ledger, LedgerUnreadableError
from agentctl.engine.left_writes import settle_ops
from agentctl.engine.principals import Principals, PrincipalsBrokenError
from agentctl.engine.world import World, mint_ulid, stamp_now

COPIERS_MAX: Final = 8
"""How many objects are on their way at a time; each is in memory while it is."""
TOLD_EVERY: Final = 500
"""After how many objects progress is told."""


class BackupMade(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is there."""

    backup_id: str
    place: str
    """The URI of the place."""
    cluster_id: str
    name: str
    made_at: str
    made_by: str
    ledger_seq: int
    audit_length: int
    object_count: int
    size_bytes: int
    manifest_digest: str
    """SHA-256 of the manifest's bytes: kept elsewhere, it proves the backup."""
    copied_count: int | None = None
    """Objects that this backup added to the place; None where it was not made just now."""
    copied_bytes: int | None = None


class BackupList(msgspec.Struct, frozen=True, kw_only=True):
    """The backups of a place, newest first."""

    place: str
    backups: tuple[BackupMade, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    """Manifests that cannot be read."""


class BackupVerified(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk over everything in a backup found."""

    backup: BackupMade
    ok: bool
    audit_length: int
    """Records of the audit chain that hold together."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def create_backup(
    cluster: Cluster, caller: Caller, place: ObjectStore, on_event: OnEvent | None = None
) -> BackupMade | Diagnostic:
    """Copies the storage root, as it is at one point, to *place*.

    Raises:
        StateLockHeldError: another command holds the cluster's lease.
        LeaseLostError: the lease was taken over.
        BackendError: a storage failed.
    """
    if place.uri == cluster.store.uri or place.uri.startswith(f"{cluster.store.uri}/"):
        return error(
            "backup_place_unfit",
            place.uri,
            "a backup inside the storage root is lost with it",
            remedy="Name another disk or bucket.",
        )
    async with cluster.leases.hold(CLUSTER, principal=caller.id, operation="backup") as lease:
        head = await cluster.ledger.head()
        if head is None:
            return error(
                "state_missing",
                "cluster",
                "there is no ledger yet, so nothing to back up",
                remedy="agentctl import",
            )
        if lease.fence_needed:
            head = await cluster.ledger.fence(lease) or head
            cluster.leases.fenced(lease)
        # What a dead command left open is ended by its own ledger, which a restore leaves behind.
        await settle_ops(cluster, lease)
        registry, audit = await cluster.principals.registry(), await cluster.audit.head()
        copying = _Copying(cluster.store, place, await _known(place, registry.cluster_id), on_event)
        objects = await copying.run()
        await cluster.leases.check(lease)
        leases = newest_by_folder(await cluster.store.list(f"{LEASES_FOLDER}/"))
        manifest = Manifest(
            backup_id=mint_ulid(cluster.world),
            cluster_id=registry.cluster_id,
            name=cluster.name or "",
            made_at=stamp_now(cluster.world),
            made_by=caller.id,
            ledger_seq=head.seq,
            audit=audit,
            principals=registry.head,
            epochs={f.removeprefix(f"{LEASES_FOLDER}/"): n for f, n in sorted(leases.items())},
            objects=objects,
        )
        data = encode_manifest(manifest)
        await place.create(manifest_key(manifest.backup_id), data)
    made = _made(manifest, place, data)
    return msgspec.structs.replace(
        made, copied_count=copying.copied_count, copied_bytes=copying.copied_bytes
    )


async def list_backups(place: ObjectStore) -> BackupList:
    """Returns the backups of *place*, newest first."""
    made: list[BackupMade] = []
    faults: list[Diagnostic] = []
    for key in sorted(await place.list(BACKUPS), reverse=True):
        found = await place.read(key)
        manifest = decode_manifest(found.data) if found is not None else "it is gone"
        if found is None or isinstance(manifest, str):
            faults.append(_unreadable(key, str(manifest)))
        else:
            made.append(_made(manifest, place, found.data))
    return BackupList(place=place.uri, backups=tuple(made), diagnostics=tuple(faults))


async def read_manifest(place: ObjectStore, backup_id: str) -> Manifest | Diagnostic:
    """Returns the manifest of that backup."""
    if not backup_id.isalnum():
        return _not_found(place, backup_id)
    found = await place.read(manifest_key(backup_id))
    if found is None:
        return _not_found(place, backup_id)
    manifest = decode_manifest(found.data)
    if isinstance(manifest, str) or manifest.backup_id != backup_id:
        return _unreadable(manifest_key(backup_id), "it is no manifest of that id")
    return manifest


async def verify_backup(
    place: ObjectStore, manifest: Manifest, *, world: World, verify: Verify
) -> BackupVerified:
    """Reads everything in a backup again: each object's digest, and the chains that they make."""
    view = BackupView(place, manifest)
    told: list[Diagnostic] = []

    async def look(key: str) -> None:
        try:
            await view.read(key)
        except DamagedBackupError as damaged:
            told.append(damaged.diagnostic)

    await run_bounded([partial(look, key) for key in manifest.objects], COPIERS_MAX)
    length = 0
    if not told:
        length, found = await _chains(view, manifest, world=world, verify=verify)
        told.extend(found)
    return BackupVerified(
        backup=_made(manifest, place, encode_manifest(manifest)),
        ok=not told,
        audit_length=length,
        diagnostics=tuple(sorted(told, key=lambda d: d.path)),
    )


class DamagedBackupError(UnsuitableError):
    """A backup is not what was put there."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} {why}")
        self.diagnostic = _damaged(key, str(self))


class BackupView:
    """A backup as the storage root that it was: readable, digests checked, never written."""

    def __init__(self, place: ObjectStore, manifest: Manifest) -> None:
        self._place = place
        self._objects = manifest.objects
        self._keys = tuple(sorted(manifest.objects, key=str.encode))
        self._id = manifest.backup_id

    @property
    def uri(self) -> str:
        """The place's, with the manifest."""
        return f"{self._place.uri}/{manifest_key(self._id)}"

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object as it was.

        Raises:
            DamagedBackupError: the place does not have it any more, or has other bytes.
        """
        stored = self._objects.get(key)
        if stored is None:
            return None
        found = await self._place.read(object_key(stored.sha256))
        if found is None:
            raise DamagedBackupError(key, "is missing from the backup")
        if sha256_hex(found.data) != stored.sha256:
            raise DamagedBackupError(key, "has other bytes in the backup than were put there")
        return StoredObject(key=key, data=found.data)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*."""
        behind = after.encode()
        return tuple(k for k in self._keys if k.startswith(prefix) and k.encode() > behind)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix*."""
        rests = (k.removeprefix(prefix).partition("/") for k in self._keys if k.startswith(prefix))
        return tuple(sorted({name for name, slash, _ in rests if slash}, key=str.encode))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes under *prefix*."""
        return sum(s.size for k, s in self._objects.items() if k.startswith(prefix))

    async def clock(self) -> datetime | None:
        """Returns None: a backup has no clock."""
        return None

    async def create(self, key: str, data: bytes) -> bool:
        """Refuses."""
        raise _read_only(key, data)

    async def replace(self, key: str, data: bytes) -> None:
        """Refuses."""
        raise _read_only(key, data)

    async def delete(self, key: str) -> None:
        """Refuses."""
        raise _read_only(key, b"")

    async def aclose(self) -> None:
        """Closes the place."""
        await self._place.aclose()


class _Copying:
    """One backup on its way."""

    def __init__(
        self,
        source: ObjectStore,
        place: ObjectStore,
        known: Mapping[str, Stored],
        on_event: OnEvent | None,
    ) -> None:
        self._source = source
        self._place = place
        self._known = known
        self._on_event = on_event
        self._objects: dict[str, Stored] = {}
        self._total = 0
        self.copied_count = 0
        self.copied_bytes = 0

    async def run(self) -> dict[str, Stored]:
        """Copies what is new; returns everything that the backup has."""
        newest = _newest_commits(await self._source.list("graphs/"))
        keys = [key for prefix in PREFIXES for key in await self._source.list(prefix)]
        wanted = [key for key in keys if is_backed_up(key) and _is_in_time(key, newest)]
        self._total = len(wanted)
        await run_bounded([partial(self._copy, key) for key in wanted], COPIERS_MAX)
        return {key: self._objects[key] for key in sorted(self._objects)}

    async def _copy(self, key: str) -> None:
        known = self._known.get(key) if is_written_once(key) else None
        if known is not None:
            self._objects[key] = known
        else:
            found = await self._source.read(key)
            if found is None:  # A tag or a record that was removed meanwhile.
                return
            stored = Stored(sha256=sha256_hex(found.data), size=len(found.data))
            if await self._place.create(object_key(stored.sha256), found.data):
                self.copied_count += 1
                self.copied_bytes += stored.size
            self._objects[key] = stored
        if self._on_event is not None and len(self._objects) % TOLD_EVERY == 0:
            done = len(self._objects)
            await self._on_event(
                ApplyEvent(kind="step_progress", steps_done=done, steps_total=self._total)
            )


def _newest_commits(keys: Iterable[str]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for key in keys:
        found = commit_of(key)
        if found is not None:
            newest[found[0]] = max(found[1], newest.get(found[0], 0))
    return newest


def _is_in_time(key: str, newest: Mapping[str, int]) -> bool:
    """Returns whether the object is no commit that came after the others were counted."""
    found = commit_of(key)
    return found is None or found[1] <= newest.get(found[0], 0)


async def _known(place: ObjectStore, cluster_id: str) -> Mapping[str, Stored]:
    """Returns what the newest backup of this cluster has, as far as it can be read."""
    for key in sorted(await place.list(BACKUPS), reverse=True):
        found = await place.read(key)
        manifest = decode_manifest(found.data) if found is not None else ""
        if isinstance(manifest, Manifest) and manifest.cluster_id == cluster_id:
            return manifest.objects
    return {}


async def _chains(
    view: BackupView, manifest: Manifest, *, world: World, verify: Verify
) -> tuple[int, list[Diagnostic]]:
    """Returns how long the audit chain is, and what is wrong with the chains of a whole backup."""
    told: list[Diagnostic] = []
    try:
        registry = await Principals(view, world, verify).registry()
        if registry.cluster_id != manifest.cluster_id:
            told.append(_damaged("__cluster/principals/", "its principals are another cluster's"))
        if registry.head.length < manifest.principals.length:
            told.append(_damaged("__cluster/principals/", "its principals chain is cut"))
    except PrincipalsBrokenError as broken:
        told.extend(broken.diagnostics)
    try:
        head = await Ledger(view, world).head()
        if head is None or head.seq < manifest.ledger_seq:
            told.append(_damaged("__cluster/ledger/", "its ledger is cut"))
        audit = await AuditLog(view, world).verify()
    except LedgerUnreadableError as unreadable:
        return 0, [*told, unreadable.diagnostic]
    return audit.length, [*told, *audit.diagnostics]


def _made(manifest: Manifest, place: ObjectStore, data: bytes) -> BackupMade:
    return BackupMade(
        backup_id=manifest.backup_id,
        place=place.uri,
        cluster_id=manifest.cluster_id,
        name=manifest.name,
        made_at=manifest.made_at,
        made_by=manifest.made_by,
        ledger_seq=manifest.ledger_seq,
        audit_length=manifest.audit.length,
        object_count=len(manifest.objects),
        size_bytes=manifest.size_bytes,
        manifest_digest=sha256_hex(data),
    )


def _read_only(key: str, data: bytes) -> UnsuitableError:
    return UnsuitableError(f"a backup is not written: {key}, {len(data)} bytes")


def _not_found(place: ObjectStore, backup_id: str) -> Diagnostic:
    return error(
        "backup_not_found",
        backup_id,
        f"there is no backup of that id at {place.uri}",
        remedy="agentctl backup list --from PLACE",
    )


def _unreadable(key: str, why: str) -> Diagnostic:
    return error(
        "backup_damaged",
        key,
        f"the manifest cannot be read: {why}",
        remedy="Use another backup; keep the place as it is and find out what happened.",
    )


def _damaged(key: str, why: str) -> Diagnostic:
    return error(
        "backup_damaged",
        key,
        f"the backup is not what was put there: {why}",
        remedy="Use another backup; keep the place as it is and find out what happened.",
    )
