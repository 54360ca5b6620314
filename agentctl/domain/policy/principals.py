"""The records of the principals chain: who is known to a cluster, and by whose word.

The registry is not configuration: no file of the folder adds a principal. A record is canonical
JSON under ``__cluster/principals/``, written once, and says the digest of the record before it.
`registry.py` folds them. Source: access-and-faces 3.1.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical
from agentctl.domain.policy.caller import PrincipalKind
from agentctl.domain.storage.chain import ChainHead

PRINCIPALS_NAMESPACE: Final = "agentctl-principals-v1"
"""SSHSIG namespace of a record's signature."""
PRINCIPAL_ID: Final = re.compile(
    r"(?:(?:agent|service):)?[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}", re.ASCII
)
"""ASCII only: two ids that look the same are the same. A human's has no prefix."""

Assurance = Literal["demo", "file", "agent", "touch"]
"""What a human key is worth, in ascending order; fixed at enrolment. Source: trust.md."""
RecordKind = Literal["genesis", "add", "revoke", "rotate", "groups", "delegate", "recovery"]
Verify = Callable[[str, bytes, str], str | None]
"""Takes an armoured signature, the message and the namespace; returns the signing key's text, or
None where the signature does not hold."""


class FirstHuman(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The human that a chain begins with."""

    id: str
    key: str
    assurance: Assurance


class AddBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Makes a principal known."""

    id: str
    kind: PrincipalKind
    groups: tuple[str, ...]
    """Sorted, each once."""
    key: str | None = None
    assurance: Assurance | None = None
    """Of a human, and of nobody else."""


class RestoredFrom(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The cluster whose backup a chain goes on from, and who was living in it."""

    cluster_id: str
    head: str
    """``sha256:`` of the last record of its chain in the backup."""
    principals: tuple[AddBody, ...]
    """Sorted by id; no demo key, which is worth something to the cluster that made it only."""
    unconfirmed: tuple[str, ...] = ()
    """Humans among them, sorted, whose key counts for nothing until a human has said so again: the
    old cluster may have revoked it since the backup."""


class GenesisBody(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Begins a chain; its bytes give the cluster its id. At most one of the two."""

    human: FirstHuman | None = None
    restored_from: RestoredFrom | None = None


class RevokeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ends a principal, with the key that it has."""

    id: str
    key: str
    reason: str


class RotateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces a principal's key."""

    id: str
    old: str
    new: str


class GroupsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces a principal's groups."""

    id: str
    groups: tuple[str, ...]


class DelegateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lets a human decide in another's place for a while."""

    source: str = msgspec.field(name="from")
    to: str
    kinds: tuple[str, ...]
    resources: tuple[str, ...]
    until: str


class RecoveryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The public half of the recovery code; the newest one holds."""

    key: str


Body = GenesisBody | AddBody | RevokeBody | RotateBody | GroupsBody | DelegateBody | RecoveryBody
BODIES: Final[Mapping[RecordKind, type[Body]]] = {
    "genesis": GenesisBody,
    "add": AddBody,
    "revoke": RevokeBody,
    "rotate": RotateBody,
    "groups": GroupsBody,
    "delegate": DelegateBody,
    "recovery": RecoveryBody,
}


class PrincipalRecord(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One record: ``__cluster/principals/<20-digit n>.json``, canonical bytes, create-only."""

    n: int
    previous: str | None
    """``sha256:`` of the exact bytes of the record before; null at 1."""
    kind: RecordKind
    at: str
    nonce: str
    by: str | None
    """Id of the human who signed; null where nobody did, or the recovery code."""
    body: Body
    signature: str | None = None

    @property
    def signed_bytes(self) -> bytes:
        """What the signature covers: the record's canonical bytes without it."""
        return record_bytes(msgspec.structs.replace(self, signature=None))


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One principal as the chain leaves it."""

    id: str
    kind: PrincipalKind
    key: str | None
    groups: tuple[str, ...] = ()
    assurance: Assurance | None = None
    revoked: bool = False
    since: int = 1
    """Number of the record that made it known."""
    vouched_by: str | None = None
    """Of a human: who alone stands behind the record of them; None once another person does too."""
    counts_with: str | None = None
    """Of a human: as whose second self they are taken until another person has vouched for them."""
    confirmed: bool = True
    """Whether the key counts; a restore carries other people's without."""
    changed_at: str | None = None
    """Time of the newest record about it, as that record has it."""


class Delegation(msgspec.Struct, frozen=True, kw_only=True):
    """A delegation that a human signed; a later one between the same two replaces it."""

    source: str
    to: str
    kinds: tuple[str, ...]
    """Kinds of resources; empty for every kind."""
    resources: tuple[str, ...]
    """Typed addresses, or ones that end in ``*``; empty for all."""
    since: str
    until: str


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole chain says. Of a root without a chain: no id, no principals."""

    cluster_id: str
    """SHA-256 of the exact bytes of record 1; empty where there is no chain yet."""
    head: ChainHead
    principals: Mapping[str, Principal] = msgspec.field(default_factory=dict)
    former_keys: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Keys that were rotated out or revoked, to the principal that had them."""
    recovery: str | None = None
    """Public half of the recovery code in force."""
    recovery_by: str | None = None
    """The human who made it, and so knew the code once."""
    recovery_keys: frozenset[str] = frozenset()
    """Every one that ever was: none may become a principal's."""
    delegations: tuple[Delegation, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the storage root has a chain."""
        return self.head.length > 0

    @property
    def had_human(self) -> bool:
        """Whether a human was ever enrolled."""
        return any(p.kind == "human" for p in self.principals.values())

    def human(self, principal_id: str) -> Principal | None:
        """Returns the enrolled human of that id, unless revoked or still to be confirmed."""
        found = self.principals.get(principal_id)
        if found is None or found.kind != "human" or found.revoked or not found.confirmed:
            return None
        return found

    @property
    def humans(self) -> tuple[Principal, ...]:
        """Every human whose word counts, by id."""
        return tuple(p for _, p in sorted(self.principals.items()) if self.human(p.id) is not None)

    def person(self, principal_id: str) -> str:
        """Returns as which person a principal counts where people are counted: itself, or another.

        A human for whom one person alone vouched, though others could have, is that person's word
        and no more; so they count as that person until another has vouched too.
        """
        found = self.principals.get(principal_id)
        while found is not None and found.counts_with is not None:
            principal_id = found.counts_with
            found = self.principals.get(principal_id)
        return principal_id

    def others(self, *ids: str) -> frozenset[str]:
        """Returns the persons who could vouch, beside those that *ids* count as."""
        mine = {self.person(one) for one in ids}
        return frozenset(self.person(human.id) for human in self.humans) - mine

    def human_with_key(self, key: str) -> Principal | None:
        """Returns the enrolled human who holds *key* now."""
        return next(
            (p for p in self.principals.values() if p.key == key and self.human(p.id)), None
        )


NO_CHAIN: Final = Registry(cluster_id="", head=ChainHead(length=0, head=None))


def record_bytes(record: PrincipalRecord) -> bytes:
    """Returns the canonical bytes of *record*, as they are stored and hashed."""
    fields = msgspec.to_builtins(record)
    return canonical_bytes({"version": 1, **fields})


def decode_record(data: bytes) -> PrincipalRecord | str:
    """Returns the record, or in words why *data* is none."""
    try:
        fields = decode_canonical(data)
        if not isinstance(fields, dict) or fields.pop("version", None) != 1:
            return "it has another version than 1"
        envelope = msgspec.convert(fields, _Envelope)
        body = msgspec.convert(envelope.body, BODIES[envelope.kind])
    except (NotCanonicalError, msgspec.ValidationError) as error:
        return str(error)
    record = PrincipalRecord(
        n=envelope.n,
        previous=envelope.previous,
        kind=envelope.kind,
        at=envelope.at,
        nonce=envelope.nonce,
        by=envelope.by,
        body=body,
        signature=envelope.signature,
    )
    return record if record_bytes(record) == data else "a field that is not set is written out"


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    n: int
    previous: str | None
    kind: RecordKind
    at: str
    nonce: str
    by: str | None
    body: Mapping[str, object]
    signature: str | None = None
