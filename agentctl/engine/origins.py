"""The chains of the clusters that a restored one comes from, proved as they were. Source: control-plane 3.8.

They lie whole under ``__cluster/origin/<id>/``; seen through `PastView` each is a storage root again,
with its own ledger, principals, approvals and audit chain.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from agentctl.domain.audit.anchor import Witness
from agentctl.domain.audit.chain import AUDIT_FOLDER, AuditVerification, OriginProof
from agentctl.domain.policy.principals import Registry
from agentctl.domain.storage.backup import ORIGIN
from agentctl.domain.storage.keys import numbered_key
from agentctl.domain.storage.protocol import ObjectStore, StoredObject, UnsuitableError
from agentctl.engine.auditlog import AuditLog
from agentctl.engine.cluster import Cluster
from agentctl.engine.principals import Principals

_CLUSTER: Final = "__cluster/"


class PastView:
    """The records of one former cluster as the storage root that they were in; never written."""

    def __init__(self, store: ObjectStore, cluster_id: str) -> None:
        self._store = store
        self._prefix = f"{ORIGIN}{cluster_id}/"

    @property
    def uri(self) -> str:
        """Of the folder that they are kept in."""
        return f"{self._store.uri}/{self._prefix.removesuffix('/')}"

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object as it was."""
        found = await self._store.read(self._kept(key)) if key.startswith(_CLUSTER) else None
        return None if found is None else StoredObject(key=key, data=found.data)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix*, which is below ``__cluster/``."""
        keys = await self._store.list(self._kept(prefix), after=self._kept(after) if after else "")
        return tuple(_CLUSTER + key.removeprefix(self._prefix) for key in keys)

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix*, which is below ``__cluster/``."""
        return await self._store.folders(self._kept(prefix))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes under *prefix*, which is below ``__cluster/``."""
        return await self._store.size_bytes(self._kept(prefix))

    async def clock(self) -> datetime | None:
        """Returns the time by the storage's own clock."""
        return await self._store.clock()

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
        """Does nothing: the store is another's."""

    def _kept(self, key: str) -> str:
        return self._prefix + key.removeprefix(_CLUSTER)


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One former cluster."""

    cluster_id: str
    store: PastView
    registry: Registry
    audit: AuditLog


async def pasts(cluster: Cluster) -> tuple[Past, ...]:
    """Returns the former clusters that this one comes from, by id; nothing where it began as itself.

    Raises:
        PrincipalsBrokenError: the principals chain of one does not hold.
    """
    found = []
    for cluster_id in await cluster.store.folders(ORIGIN):
        store = PastView(cluster.store, cluster_id)
        registry = await Principals(store, cluster.world, cluster.verify).registry()
        audit = AuditLog(store, cluster.world)
        found.append(Past(cluster_id=cluster_id, store=store, registry=registry, audit=audit))
    return tuple(found)


async def proved(past: Past, witnesses: Iterable[Witness]) -> AuditVerification:
    """Walks the chain of a former cluster, and compares it with its own ledger and *witnesses*.

    What is wrong is told by where it lies now. A witness of a later time says nothing here: the
    former cluster may have gone on after the backup was made.
    """
    length = (await past.audit.head()).length
    known = [w for w in witnesses if w.fault is not None or w.audit.length <= length]
    verified = await past.audit.verify(witnesses=known)
    where = f"{ORIGIN}{past.cluster_id}/"
    told = tuple(
        msgspec.structs.replace(d, path=where + d.path.removeprefix(_CLUSTER))
        if d.path.startswith(_CLUSTER)
        else d
        for d in verified.diagnostics
    )
    return msgspec.structs.replace(verified, diagnostics=told)


async def past_of(cluster: Cluster, records: Iterable[tuple[int, bytes]]) -> Past | None:
    """Returns the former cluster whose chain begins as *records* do; None where none does."""
    first = next(iter(records), None)
    for past in await pasts(cluster) if first is not None else ():
        own = await past.store.read(numbered_key(AUDIT_FOLDER, 1))
        if own is not None and first is not None and first == (1, own.data):
            return past
    return None


def proof_of(past: Past, verified: AuditVerification) -> OriginProof:
    """Returns what a verification of a former cluster's chain found, in short."""
    return OriginProof(
        cluster_id=past.cluster_id,
        ok=verified.ok,
        length=verified.length,
        proved_by_ledger=verified.proved_by_ledger,
        proved_by_anchor=verified.proved_by_anchor,
        anchored_at=verified.anchored_at,
        proved_by_decision=verified.proved_by_decision,
        decided_at=verified.decided_at,
    )


def _read_only(key: str, data: bytes) -> UnsuitableError:
    return UnsuitableError(f"a former cluster is not written: {key}, {len(data)} bytes")
