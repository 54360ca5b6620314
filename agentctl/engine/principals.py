"""Reads and extends the principals chain of a storage root. Source: access-and-faces 3.1.

A record is judged by the pure rules of the chain before it is written and again whenever it is
read. Number n excludes other writers, so two people who enrol somebody at once both succeed, one
after the other.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import PrincipalKind
from agentctl.domain.policy.principals import (
    NO_CHAIN,
    PRINCIPALS_NAMESPACE,
    AddBody,
    Assurance,
    Body,
    DelegateBody,
    FirstHuman,
    GenesisBody,
    GroupsBody,
    PrincipalRecord,
    RecordKind,
    RecoveryBody,
    Registry,
    RestoredFrom,
    RevokeBody,
    RotateBody,
    Verify,
    record_bytes,
)
from agentctl.domain.policy.principals_chain import advance, verify_chain
from agentctl.domain.storage.numbered import Won, append, read_all
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.world import World, mint_nonce, stamp_now

PRINCIPALS_FOLDER: Final = "__cluster/principals"
ATTEMPT_COUNT_MAX: Final = 20
"""How many other writers may be faster in a row before a change gives up."""


class Signer(Protocol):
    """A key at hand. `agentctl.adapters.keys.signer` has one over a key file."""

    @property
    def key(self) -> str:
        """The public key's text, known without unlocking."""
        ...

    def sign(self, data: bytes, namespace: str) -> tuple[str, str]:
        """Returns the public key's text and the armoured signature; may ask for a passphrase."""
        ...


class PrincipalsBrokenError(Exception):
    """The chain is missing a record, was altered, or breaks a rule; nothing of it is believed."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics


class Principals:
    """The principals chain of one storage root."""

    def __init__(self, store: ObjectStore, world: World, verify: Verify) -> None:
        self._store = store
        self._world = world
        self._verify = verify
        self._known: tuple[tuple[str, ...], Registry] | None = None

    async def known(self) -> Registry:
        """Returns who is known, of a chain that this process has verified before if none was added.

        Records are made once and never changed, so the same keys are the same chain. For whoever asks
        at every call of a listener; what a consent is judged by is read anew (`registry`).

        Raises:
            PrincipalsBrokenError: the chain does not hold.
        """
        keys = await self._store.list(f"{PRINCIPALS_FOLDER}/")
        if self._known is None or self._known[0] != keys:
            self._known = keys, await self.registry()
        return self._known[1]

    async def registry(self) -> Registry:
        """Returns who is known; `NO_CHAIN` where the root has no chain yet.

        Raises:
            PrincipalsBrokenError: the chain does not hold.
        """
        stored = await drive(self._store, read_all(PRINCIPALS_FOLDER))
        if [number for number, _ in stored] != list(range(1, len(stored) + 1)):
            gap = error(
                "principals_chain_broken",
                PRINCIPALS_FOLDER,
                "a record of the principals chain is missing",
                remedy="Restore the folder __cluster/principals/ from a backup.",
            )
            raise PrincipalsBrokenError((gap,))
        read = verify_chain((data for _, data in stored), self._verify)
        if read.registry is None:
            raise PrincipalsBrokenError(read.diagnostics)
        return read.registry

    async def genesis(
        self, *, human: FirstHuman | None = None, signer: Signer | None = None
    ) -> Registry:
        """Begins the chain, with *human* where *signer* holds their key; returns who is known.

        Where a chain exists already, of whoever was first, it is returned unchanged.
        """
        assert (human is None) == (signer is None), "the first human signs, and nobody else can"
        by = human.id if human is not None else None
        record = self._record(NO_CHAIN, "genesis", GenesisBody(human=human), by)
        data = record_bytes(_signed(record, signer))
        judged = advance(NO_CHAIN, data, self._verify)
        if judged.registry is None:
            raise PrincipalsBrokenError(judged.diagnostics)
        await drive(self._store, append(PRINCIPALS_FOLDER, 1, data))
        return await self.registry()

    async def genesis_restored(
        self, origin: RestoredFrom, *, by: str | None, signer: Signer | None
    ) -> Registry:
        """Begins the chain with those of *origin*, signed by one of its humans where it has any.

        Where a chain exists already, of whoever was first, it is returned unchanged.

        Raises:
            PrincipalsBrokenError: the record would break a rule of the chain.
        """
        record = self._record(NO_CHAIN, "genesis", GenesisBody(restored_from=origin), by)
        data = record_bytes(_signed(record, signer))
        judged = advance(NO_CHAIN, data, self._verify)
        if judged.registry is None:
            raise PrincipalsBrokenError(judged.diagnostics)
        await drive(self._store, append(PRINCIPALS_FOLDER, 1, data))
        return await self.registry()

    async def add(  # noqa: PLR0913  # the fields of the record
        self,
        *,
        principal_id: str,
        kind: PrincipalKind,
        key: str | None = None,
        groups: tuple[str, ...] = (),
        assurance: Assurance | None = None,
        by: str | None = None,
        signer: Signer | None = None,
    ) -> Registry | tuple[Diagnostic, ...]:
        """Makes a principal known; a human, or one with groups, needs a human's *signer*."""
        body = AddBody(
            id=principal_id,
            kind=kind,
            groups=tuple(sorted(set(groups))),
            key=key,
            assurance=assurance,
        )
        return await self._extend("add", body, by=by, signer=signer)

    async def revoke(
        self, *, principal_id: str, reason: str, by: str | None, signer: Signer
    ) -> Registry | tuple[Diagnostic, ...]:
        """Ends a principal. With the recovery code as *signer*, *by* is None."""
        key = await self._key_of(principal_id)
        body = RevokeBody(id=principal_id, key=key, reason=reason)
        return await self._extend("revoke", body, by=by, signer=signer)

    async def rotate(
        self, *, principal_id: str, new_key: str, by: str | None, signer: Signer
    ) -> Registry | tuple[Diagnostic, ...]:
        """Replaces a principal's key. With the recovery code as *signer*, *by* is None."""
        body = RotateBody(id=principal_id, old=await self._key_of(principal_id), new=new_key)
        return await self._extend("rotate", body, by=by, signer=signer)

    async def set_recovery(
        self, *, key: str, by: str, signer: Signer
    ) -> Registry | tuple[Diagnostic, ...]:
        """Makes *key*, the public half of a recovery code, the one in force."""
        return await self._extend("recovery", RecoveryBody(key=key), by=by, signer=signer)

    async def regroup(
        self, *, principal_id: str, groups: Iterable[str], by: str, signer: Signer
    ) -> Registry | tuple[Diagnostic, ...]:
        """Replaces the groups of a principal; they are the roles of approval rules."""
        body = GroupsBody(id=principal_id, groups=tuple(sorted(set(groups))))
        return await self._extend("groups", body, by=by, signer=signer)

    async def delegate(
        self, body: DelegateBody, *, signer: Signer
    ) -> Registry | tuple[Diagnostic, ...]:
        """Lets a human decide by the groups of whom it is from, who signs."""
        return await self._extend("delegate", body, by=body.source, signer=signer)

    async def _key_of(self, principal_id: str) -> str:
        found = (await self.registry()).principals.get(principal_id)
        return (found.key or "") if found is not None else ""

    async def _extend(
        self, kind: RecordKind, body: Body, *, by: str | None, signer: Signer | None
    ) -> Registry | tuple[Diagnostic, ...]:
        for _ in range(ATTEMPT_COUNT_MAX):
            registry = await self.registry()
            if not registry.exists:
                registry = await self.genesis()
            record = _signed(self._record(registry, kind, body, by), signer)
            data = record_bytes(record)
            judged = advance(registry, data, self._verify)
            if judged.registry is None:
                return _refusals(judged.diagnostics)
            if isinstance(await drive(self._store, append(PRINCIPALS_FOLDER, record.n, data)), Won):
                return judged.registry
        late = error(
            "principals_chain_broken", PRINCIPALS_FOLDER, "other writers were faster; try again"
        )
        return (late,)

    def _record(
        self, registry: Registry, kind: RecordKind, body: Body, by: str | None
    ) -> PrincipalRecord:
        return PrincipalRecord(
            n=registry.head.length + 1,
            previous=registry.head.head,
            kind=kind,
            at=stamp_now(self._world),
            nonce=mint_nonce(self._world),
            by=by,
            body=body,
        )


def _signed(record: PrincipalRecord, signer: Signer | None) -> PrincipalRecord:
    if signer is None:
        return record
    _, signature = signer.sign(record.signed_bytes, PRINCIPALS_NAMESPACE)
    return msgspec.structs.replace(record, signature=signature)


def _refusals(broken: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Returns why a record was not written, as a mistake of whoever asked, not of the chain."""
    return tuple(
        error(
            "principal_refused",
            d.path,
            d.message.replace("record", "the new record", 1),
            remedy="agentctl identity list",
        )
        for d in broken
    )
