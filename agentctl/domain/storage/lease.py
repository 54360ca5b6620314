"""Leases: who may go on, decided from what stands in a numbered log of acquisitions.

To create epoch n+1 is to acquire. A lease gives liveness only; safety comes from the numbers of the
ledger and of graph commits. This module decides; `agentctl.engine.leases` reads, waits and writes.
Source: control-plane 3.2.
"""

from typing import Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.domain.storage.keys import number_of, numbered_key
from agentctl.ids import numbered, path_part

LEASES_FOLDER: Final = "__cluster/leases"
LOCK_KEY: Final = "__cluster/lock.json"
"""The cluster lease's copy in the seed's shape, for people and for the output shapes."""
TTL_S: Final = 30
"""How long a beat may stand still before others may take over, unless the record says otherwise."""


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/leases/<resource>/<20-digit epoch>.json``, create-only."""

    version: Literal[1] = 1
    resource: str
    """``cluster``, or ``graph.<id>@<branch>``."""
    epoch: int
    lock_id: str
    """A ULID."""
    principal: str
    operation: str
    host: str
    boot_id: str
    pid: int
    created_at: str
    ttl_s: int


class Beat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``<epoch>.beat.json`` beside it, overwritten by the holder alone."""

    version: Literal[1] = 1
    lock_id: str
    beat: int
    """Counts up, so that no two beats have the same bytes."""
    at: str
    released: bool = False
    fence_owed: bool = False
    """Whether its holder had to fence, and gave the lease back without having done so."""


class UnlockStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a human signs to end the lease of a holder that still shows life.

    In namespace ``agentctl-consent-v1``. The lock id makes it good for one epoch of one resource.
    """

    statement: Literal["agentctl/force-unlock/v1"] = "agentctl/force-unlock/v1"
    cluster_id: str
    resource: str
    epoch: int
    lock_id: str
    holder: str
    operation: str
    reason: str
    by: str
    at: str
    audit_head: str | None
    audit_length: int
    nonce: str


class UnlockConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The signed statement."""

    statement: UnlockStatement
    key: str
    signature: str


class Forced(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """``<epoch>.forced.json`` beside it, create-only: somebody gave the exact id to end it."""

    version: Literal[1]
    lock_id: str
    by: str
    at: str
    op: str | None = None
    """The Op that tells of it."""
    consent: UnlockConsent | None = None
    """Where its holder still showed life."""


class SeedLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lock.json`, exactly the seed's five fields. Source: control-plane 1.5."""

    version: Literal[1] = 1
    lock_id: str
    operation: str
    created_at: str
    pid: int


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What a taker sees of the newest epoch of a resource."""

    epoch: int
    ttl_s: int
    """Of the record, or `TTL_S` where the record cannot be read."""
    released: bool
    """Its holder said that it was done."""
    fence_owed: bool = False
    """And that the fence which it owed is still owed."""
    forced: bool
    """Somebody ended it by its exact id."""
    holder_gone: bool
    """Its holder was a process of this host and boot, and that process is gone."""
    quiet_s: float
    """For how long its beat has not changed, on the taker's own monotonic clock."""


class Takeable(msgspec.Struct, frozen=True, kw_only=True, tag="takeable"):
    """The lease may be acquired by creating *epoch*."""

    epoch: int
    fence_needed: bool
    """A former holder did not release, and nobody fenced since: its next commit must first be made
    impossible."""


class Held(msgspec.Struct, frozen=True, kw_only=True, tag="held"):
    """Somebody has it."""

    epoch: int


def decide(seen: Sighting | None) -> Takeable | Held:
    """Returns whether a taker who sees *seen* (None: no epoch yet) may go on."""
    if seen is None:
        return Takeable(epoch=1, fence_needed=False)
    if seen.released:
        return Takeable(epoch=seen.epoch + 1, fence_needed=seen.fence_owed)
    if seen.forced or seen.holder_gone or seen.quiet_s >= seen.ttl_s:
        return Takeable(epoch=seen.epoch + 1, fence_needed=True)
    return Held(epoch=seen.epoch)


def lease_folder(resource: str) -> str:
    """Returns the folder of a resource's epochs."""
    return f"{LEASES_FOLDER}/{path_part(resource)}"


def lease_key(resource: str, epoch: int) -> str:
    """Returns the key of one acquisition."""
    return numbered_key(lease_folder(resource), epoch)


def beat_key(resource: str, epoch: int) -> str:
    """Returns the key of its beat."""
    return f"{lease_folder(resource)}/{numbered(epoch)}.beat.json"


def forced_key(resource: str, epoch: int) -> str:
    """Returns the key of what ended it by force."""
    return f"{lease_folder(resource)}/{numbered(epoch)}.forced.json"


def unlock_bytes(statement: UnlockStatement) -> bytes:
    """Returns the exact bytes that are signed."""
    return canonical_bytes(statement)


def newest_by_folder(keys: tuple[str, ...]) -> dict[str, int]:
    """Returns the newest epoch of each lease folder among the keys under `LEASES_FOLDER`."""
    newest: dict[str, int] = {}
    for key in keys:
        folder = key.rpartition("/")[0]
        epoch = number_of(folder, key)
        if epoch is not None:
            newest[folder] = max(epoch, newest.get(folder, 0))
    return newest


def encode_record(record: LeaseRecord | Beat | Forced) -> bytes:
    """Returns the bytes of a lease's object."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def encode_lock(lock: SeedLock) -> bytes:
    """Returns the bytes of `lock.json`: pretty, without a final newline. Source: control-plane 1.11."""
    return msgspec.json.format(msgspec.json.encode(lock), indent=2)


def decode_lock(data: bytes) -> SeedLock | None:
    """Returns the lock, or None where *data* is none."""
    try:
        return msgspec.json.decode(data, type=SeedLock)
    except (msgspec.DecodeError, UnicodeError):
        return None


def decode_lease(data: bytes) -> LeaseRecord | int | None:
    """Returns the record; the version it claims, where that is another; None for anything else."""
    try:
        return msgspec.json.decode(data, type=LeaseRecord)
    except (msgspec.DecodeError, UnicodeError):
        pass
    try:
        version = msgspec.json.decode(data, type=_Versioned).version
    except (msgspec.DecodeError, UnicodeError):
        return None
    return version if version != 1 else None


def decode_beat(data: bytes) -> Beat | None:
    """Returns the beat, or None where *data* is none."""
    try:
        return msgspec.json.decode(data, type=Beat)
    except (msgspec.DecodeError, UnicodeError):
        return None


def lock_id_of(data: bytes) -> str | None:
    """Returns the lock id of a lease's record, by which its writer knows it again."""
    record = decode_lease(data)
    return record.lock_id if isinstance(record, LeaseRecord) else None


class _Versioned(msgspec.Struct, frozen=True, kw_only=True):
    version: int
