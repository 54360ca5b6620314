"""Restores a backup into an empty storage root, as a new cluster that goes on from the old one.

The order is a promise: the root is proved; a mark says which backup is being restored; objects are
copied, each checked; the epochs of the graphs' leases are carried; the principals chain begins; the
folder is bound; the ledger's first object is written, with what was frozen; freezes get records of
their own, and the mark goes. Of the people only who restores counts at once: whom the old cluster
revoked since the backup, nobody here knows. Broken off anywhere, the same restore goes on; until the ledger has its
object there is no cluster. The new cluster has another id, so nothing that was signed for the old
one counts in it. Source: control-plane 3.2, 3.8.
"""

from functools import partial
from typing import Final, Literal

import msgspec

from agentctl.adapters.backends.probe import PROBE_FOLDER, PROOF_KEY, prove
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import FreezeRecord
from agentctl.domain.ledger.state import Observation, State
from agentctl.domain.ops.record import Lineage
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import AddBody, Registry, RestoredFrom, Verify
from agentctl.domain.storage.backup import ORIGIN, PREFIXES, Manifest, restored_key
from agentctl.domain.storage.keys import numbered_key
from agentctl.domain.storage.lease import (
    LEASES_FOLDER,
    LOCK_KEY,
    TTL_S,
    Beat,
    LeaseRecord,
    encode_record,
    lease_folder,
)
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.backup import COPIERS_MAX, BackupView
from agentctl.engine.binding import BINDING_KEY, rebind
from agentctl.engine.bounded import run_bounded
from agentctl.engine.bracket import Begin, begin_op, end_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.freezing import Freezes, thaw_check
from agentctl.engine.leases import CLUSTER
from agentctl.engine.ledger import Head, Ledger
from agentctl.engine.principals import Principals, Signer
from agentctl.engine.world import World, mint_ulid, stamp_now
from agentctl.graph.care.rehoming import at_home
from agentctl.ids import from_path_part, numbered

MARK_KEY: Final = "__cluster/restoring.json"
_OF_NOBODY: Final = (
    f"{PROBE_FOLDER}/",
    PROOF_KEY,
    BINDING_KEY,
    LOCK_KEY,
    f"{LEASES_FOLDER}/{CLUSTER}/",
)
"""What a command leaves in a root that has no cluster: where it says otherwise, it is not empty."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/restoring.json``: which backup is on its way into the root."""

    version: Literal[1] = 1
    backup_id: str
    cluster_id: str


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """A human whom a backup brought back."""

    id: str
    changed_at: str | None
    """Time of the newest record about them that the backup has."""
    confirmed: bool
    """Whether they may decide; only who restored may, until they confirm the others."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that was restored."""

    backup_id: str
    from_cluster_id: str
    from_seq: int
    """The ledger object of the old cluster whose state it has."""
    cluster_id: str
    """Its own."""
    seq: int
    op: str
    principals: tuple[str, ...]
    """Ids of those who were carried."""
    humans: tuple[Returned, ...]
    """The people among them."""
    history: str
    """Where the old cluster's chains are kept."""


class Restoring:
    """One backup on its way into one root."""

    def __init__(  # noqa: PLR0913  # a root and what is asked of the world
        self,
        place: ObjectStore,
        manifest: Manifest,
        *,
        home: ObjectStore,
        store: ObjectStore,
        storage: str,
        world: World,
        verify: Verify,
        second: ObjectStore | None = None,
    ) -> None:
        """Takes *second*, another connection to the root of *store*, to prove the root by."""
        self._manifest = manifest
        self._view = BackupView(place, manifest)
        self._home = home
        self._store = store
        self._storage = storage
        self._world = world
        self._verify = verify
        self._second = second

    @property
    def backup_id(self) -> str:
        """Of the backup."""
        return self._manifest.backup_id

    async def old_registry(self) -> Registry:
        """Returns who was known to the cluster of the backup."""
        return await Principals(self._view, self._world, self._verify).registry()

    async def refusal(self) -> Diagnostic | None:
        """Returns why nothing can be restored here: it holds something, or creates overwrite there."""
        mark = Mark(backup_id=self._manifest.backup_id, cluster_id=self._manifest.cluster_id)
        found = await self._store.read(MARK_KEY)
        if found is not None:
            if found.data == msgspec.json.encode(mark):
                return None
            return _not_empty(self._store.uri, "another restore was begun there")
        for prefix in PREFIXES:
            held = (key for key in await self._store.list(prefix) if not key.startswith(_OF_NOBODY))
            first = next(held, None)
            if first is not None:
                return _not_empty(self._store.uri, f"it holds {first}")
        if self._second is not None:
            token = self._world.entropy(16).hex()
            unsafe = await prove(self._store, self._second, token=token)
            if unsafe is not None:
                return unsafe
        await self._store.create(MARK_KEY, msgspec.json.encode(mark))
        return None

    async def carry(self, *, by: str | None, signer: Signer | None) -> Registry:
        """Copies everything, begins the principals chain and binds the folder; returns who is known."""
        copies = [partial(self._copy, key) for key in self._manifest.objects]
        await run_bounded(copies, COPIERS_MAX)
        for folder, epoch in self._manifest.epochs.items():
            await self._carry_epoch(folder, epoch)
        old = await self.old_registry()
        carried = living(old)
        origin = RestoredFrom(
            cluster_id=old.cluster_id,
            head=old.head.head or "",
            principals=carried,
            unconfirmed=tuple(p.id for p in carried if p.kind == "human" and p.id != by),
        )
        principals = Principals(self._store, self._world, self._verify)
        registry = await principals.genesis_restored(origin, by=by, signer=signer)
        await rebind(self._home, cluster_id=registry.cluster_id, storage=self._storage)
        return registry

    async def record(self, cluster: Cluster, caller: Caller, *, intent: str) -> Restored:
        """Writes the first object of the restored cluster's ledger, and takes the mark away.

        Raises:
            StateLockHeldError: another command holds the cluster's lease.
            BackendError: a storage failed.
        """
        old = await Ledger(self._view, self._world).at(self._manifest.ledger_seq)
        assert old is not None, "a backup that was made has the ledger object that it names"
        registry = await cluster.principals.registry()
        freezes = await self._frozen(old)
        async with cluster.leases.hold(CLUSTER, principal=caller.id, operation="restore") as lease:
            head = await cluster.ledger.head()
            if head is None:
                begin = Begin(
                    action="backup_restore",
                    verb="install",
                    intent=intent,
                    lineage=await _after(cluster, old.envelope.op),
                )
                op = await begin_op(cluster, caller, begin, lease=lease, head=None, live={})
                head = await cluster.ledger.commit(
                    base=None,
                    kind="restore",
                    op=op.id,
                    lease=lease,
                    cluster_id=registry.cluster_id,
                    state=_at_home(old.envelope.state, cluster.store.uri),
                    audit=await cluster.audit.head(),
                    principals=registry.head,
                    source=old.envelope.source,
                    protected=old.envelope.protected,
                    freezes=freezes,
                    settings=old.envelope.settings,
                )
                await end_op(cluster, op, lease, head)
        for freeze in freezes:
            await cluster.freezes.write(FreezeRecord(op=head.envelope.op, freeze=freeze))
        await self._store.delete(MARK_KEY)
        return await self._restored(old, registry, head)

    async def _frozen(self, old: Head) -> tuple[Freeze, ...]:
        """Returns what was frozen in the backup, whether its ledger had recorded it or not."""
        check = thaw_check(self.old_registry, self._verify)
        return await Freezes(self._view, self._world, check).in_force(old.envelope.freezes)

    async def _restored(self, old: Head, registry: Registry, head: Head) -> Restored:
        before = (await self.old_registry()).principals
        humans = (p for _, p in sorted(registry.principals.items()) if p.kind == "human")
        return Restored(
            backup_id=self._manifest.backup_id,
            from_cluster_id=self._manifest.cluster_id,
            from_seq=old.seq,
            cluster_id=registry.cluster_id,
            seq=head.seq,
            op=head.envelope.op or "",
            principals=tuple(sorted(registry.principals)),
            humans=tuple(
                Returned(id=p.id, changed_at=before[p.id].changed_at, confirmed=p.confirmed)
                for p in humans
                if p.id in before
            ),
            history=f"{ORIGIN}{self._manifest.cluster_id}/",
        )

    async def _copy(self, key: str) -> None:
        target = restored_key(key, self._manifest.cluster_id)
        found = await self._view.read(key) if target is not None else None
        if target is not None and found is not None:
            await self._store.create(target, at_home(self._store, target, found.data))

    async def _carry_epoch(self, folder: str, epoch: int) -> None:
        """Makes the next holder of a graph's lease one above every commit that was restored."""
        resource = from_path_part(folder)
        if resource == CLUSTER:
            return
        lock_id = mint_ulid(self._world)
        at = stamp_now(self._world)
        record = LeaseRecord(
            resource=resource,
            epoch=epoch,
            lock_id=lock_id,
            principal="restore",
            operation="restore",
            host=self._world.host,
            boot_id=self._world.boot_id,
            pid=self._world.pid,
            created_at=at,
            ttl_s=TTL_S,
        )
        beat = Beat(lock_id=lock_id, beat=1, at=at, released=True)
        base = lease_folder(resource)
        # The release first: a lease that is there and not released would be waited for.
        await self._store.create(f"{base}/{numbered(epoch)}.beat.json", encode_record(beat))
        await self._store.create(numbered_key(base, epoch), encode_record(record))


def living(registry: Registry) -> tuple[AddBody, ...]:
    """Returns the principals that a restored cluster begins with; demo keys are left behind."""
    return tuple(
        AddBody(id=p.id, kind=p.kind, groups=p.groups, key=p.key, assurance=p.assurance)
        for _, p in sorted(registry.principals.items())
        if not p.revoked and p.assurance != "demo"
    )


async def _after(cluster: Cluster, op: str | None) -> Lineage | None:
    """Returns the lineage of an op that follows *op*, where the backup had its record."""
    known = await cluster.journal.get(op) if op is not None else None
    return Lineage(parent_op=known.id) if known is not None else None


def _at_home(state: State, store_uri: str) -> State:
    """Returns *state* with the locations of graphs as they are in the new root."""
    seen: dict[str, Observation] = {}
    for address, observation in state.observations.items():
        there = observation.graph_uri
        here = f"{store_uri}/graphs/{there.rpartition('/graphs/')[2]}" if there else there
        seen[address] = msgspec.structs.replace(observation, graph_uri=here)
    return msgspec.structs.replace(state, observations=seen)


def _not_empty(uri: str, why: str) -> Diagnostic:
    return error(
        "restore_root_not_empty",
        uri,
        f"a backup is restored into an empty storage root, and this one is not: {why}",
        remedy="Name another root as `storage` in cluster.yaml.",
    )
