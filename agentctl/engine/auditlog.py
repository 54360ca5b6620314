"""Writes and proves the audit chain. Source: control-plane 3.2.

The door appends a record for every write, gate and consent before the handler runs; where that
fails nothing is done. Every denial has a record of its own: counting equal ones would leave counts
that a crash can lose.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

import anyio

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.audit.chain import (
    AUDIT_FOLDER,
    EMPTY,
    AuditVerification,
    LedgerProof,
    decode_export,
    digest_of_record,
    encode_export,
    encode_record,
    verify_chain,
)
from agentctl.domain.audit.record import AuditActor, AuditRecord
from agentctl.domain.ledger.envelope import ChainHead
from agentctl.domain.storage.keys import number_of
from agentctl.domain.storage.numbered import Won, append, newest, read_all
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.engine.ledger import Ledger
from agentctl.engine.world import World, stamp_now

ATTEMPT_COUNT_MAX: Final = 100
"""How many other writers may be faster in a row before an append gives up."""
HISTORY_COUNT_MAX: Final = 1000
"""How far back ledger objects are looked at for one that is as old as an export."""


class AuditUnavailableError(Exception):
    """The record could not be written, so what it was for must not be done."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.diagnostic: Diagnostic = error(
            "audit_unavailable",
            AUDIT_FOLDER,
            f"the audit record could not be written, so nothing was done: {why}",
        )


class AuditLog:
    """The audit chain of one storage root."""

    def __init__(self, store: ObjectStore, world: World) -> None:
        self._store = store
        self._world = world
        self._hint = 0

    async def append(  # noqa: PLR0913  # the fields of the record
        self,
        *,
        actor: AuditActor,
        on_behalf_of: str | None,
        action: str,
        resource: str,
        decision: Literal["allow", "deny", "error"],
        policies: tuple[str, ...],
        request_digest: str,
        reason: str | None = None,
        digests: Mapping[str, str] | None = None,
        op: str | None = None,
    ) -> AuditRecord:
        """Writes the next record and returns it.

        Raises:
            AuditUnavailableError: the store failed; the record may or may not be there.
        """
        try:
            for _ in range(ATTEMPT_COUNT_MAX):
                before = await drive(self._store, newest(AUDIT_FOLDER, self._hint))
                record = AuditRecord(
                    version=1,
                    n=1 if before is None else before[0] + 1,
                    previous=None if before is None else digest_of_record(before[1]),
                    at=stamp_now(self._world),
                    actor=actor,
                    action=action,
                    resource=resource,
                    decision=decision,
                    policies=policies,
                    request_digest=request_digest,
                    digests=digests or {},
                    op=op,
                    on_behalf_of=on_behalf_of,
                    reason=reason,
                )
                data = encode_record(record)
                self._hint = record.n
                if isinstance(await drive(self._store, append(AUDIT_FOLDER, record.n, data)), Won):
                    return record
        except BackendError as failure:
            raise AuditUnavailableError(str(failure)) from failure
        msg = f"{ATTEMPT_COUNT_MAX} other records were written first"
        raise AuditUnavailableError(msg)

    async def head(self) -> ChainHead:
        """Returns the chain's length and the digest of its newest record."""
        found = await drive(self._store, newest(AUDIT_FOLDER, self._hint))
        if found is None:
            return EMPTY
        self._hint = found[0]
        return ChainHead(length=found[0], head=digest_of_record(found[1]))

    async def records(self) -> tuple[tuple[int, bytes], ...]:
        """Returns all records: their numbers and exact bytes, in order."""
        return await drive(self._store, read_all(AUDIT_FOLDER))

    async def verify(self, *, anchors: Iterable[ChainHead] = ()) -> AuditVerification:
        """Walks the whole chain and compares it with the newest ledger object, and with *anchors*.

        Raises:
            LedgerUnreadableError: the newest ledger object cannot be trusted or understood.
        """
        # The ledger first: records that are written meanwhile make the chain longer, never shorter.
        newest_object = await Ledger(self._store, self._world).head()
        records = await self.records()
        proofs = []
        if newest_object is not None:
            proofs.append(LedgerProof(seq=newest_object.seq, audit=newest_object.envelope.audit))
        return verify_chain(records, ledger=proofs, anchors=anchors)

    async def export(self) -> bytes:
        """Returns the chain as JSON lines of exact bytes, for `verify_export` anywhere."""
        return encode_export(await self.records())

    async def verify_export(
        self, exported: Path, *, anchors: Iterable[ChainHead] = ()
    ) -> AuditVerification:
        """Walks an export, and compares it with this ledger's objects from its time.

        Raises:
            OSError: the export cannot be read.
            LedgerUnreadableError: a ledger object cannot be trusted or understood.
        """
        history = await Ledger(self._store, self._world).history(limit=HISTORY_COUNT_MAX)
        proofs = [LedgerProof(seq=h.seq, audit=h.envelope.audit) for h in history]
        records = await read_export(exported)
        return verify_chain(records, ledger=proofs, anchors=anchors, whole=False)


async def read_export(exported: Path) -> tuple[tuple[int, bytes], ...]:
    """Returns the records of an exported chain: a file of JSON lines, or a copy of its folder."""
    path = anyio.Path(exported)
    if not await path.is_dir():
        return decode_export(await path.read_bytes())
    found = []
    async for file in path.iterdir():
        number = number_of("", f"/{file.name}")
        if number is not None:
            found.append((number, await file.read_bytes()))
    return tuple(sorted(found))
