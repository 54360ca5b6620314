"""Writes and proves the audit chain. Source: control-plane 3.2.

The door appends a record for every write, gate and consent before the handler runs; where that
fails nothing is done. The first denial of its kind in a minute has a record of its own, at once;
equal ones that follow are counted, and the count is written when the minute is over, before any
other record, or at the end. A crash loses at most the count of repeats, never a first.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

import anyio
import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.audit.anchor import Witness
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
from agentctl.domain.storage.keys import number_of, numbered_key
from agentctl.domain.storage.numbered import Won, append, newest, read_all
from agentctl.domain.storage.protocol import BackendError, ObjectStore, RefusedError
from agentctl.engine.ledger import Head, Ledger
from agentctl.engine.world import World, stamp_now

ATTEMPT_COUNT_MAX: Final = 100
"""How many other writers may be faster in a row before an append gives up."""
HISTORY_COUNT_MAX: Final = 1000
"""How many ledger objects, from the newest, are held against the chain."""


Kind = tuple[str, str, str | None, str, str | None]
"""Which denials are equal: the actor's nid and identity, for whom, the action, the reason."""


class _Repeats(msgspec.Struct, kw_only=True):
    """Equal denials of one minute, behind the first."""

    minute: str
    newest: AuditRecord
    """The newest of them, as it would have been written; the first's record before any repeat."""
    since: str | None = None
    count: int = 0


_REMEDY: Final = "Make the storage root writable, then run the command again."


class AuditUnavailableError(Exception):
    """The record could not be written, so what it was for must not be done."""

    def __init__(self, why: str, *, remedy: str = _REMEDY) -> None:
        super().__init__(why)
        self.diagnostic: Diagnostic = error(
            "audit_unavailable",
            AUDIT_FOLDER,
            f"the audit record could not be written, so nothing was done: {why}",
            remedy=remedy,
        )


class AuditLog:
    """The audit chain of one storage root."""

    def __init__(self, store: ObjectStore, world: World) -> None:
        self._store = store
        self._world = world
        self._hint = 0
        self._repeats: dict[Kind, _Repeats] = {}

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
        """Writes the next record and returns it; a repeated denial is counted, and returned unwritten.

        Raises:
            AuditUnavailableError: the store failed; the record may or may not be there.
        """
        record = AuditRecord(
            version=1,
            n=0,
            previous=None,
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
        if decision != "deny":
            await self.flush()
            return await self._write(record)
        await self._flush_older(_minute(record))
        kind: Kind = (actor.nid, actor.identity, on_behalf_of, action, reason)
        repeats = self._repeats.get(kind)
        if repeats is None:
            self._repeats[kind] = _Repeats(minute=_minute(record), newest=record)
            return await self._write(record)
        repeats.newest = record
        repeats.since = repeats.since or record.at
        repeats.count += 1
        return record

    async def flush(self) -> None:
        """Writes the counts of denials that were not written yet; each minute's firsts stay known.

        Raises:
            AuditUnavailableError: the store failed.
        """
        for repeats in tuple(self._repeats.values()):
            await self._write_count(repeats)

    async def _flush_older(self, minute: str) -> None:
        """Writes the counts of the minutes before, and forgets their kinds."""
        over = [kind for kind, repeats in self._repeats.items() if repeats.minute != minute]
        for kind in over:
            await self._write_count(self._repeats.pop(kind))

    async def _write_count(self, repeats: _Repeats) -> None:
        count, since = repeats.count, repeats.since
        if not count:
            return
        repeats.count, repeats.since = 0, None
        told = msgspec.structs.replace(repeats.newest, count=count, since=since)
        try:
            await self._write(told)
        except AuditUnavailableError:
            repeats.count, repeats.since = repeats.count + count, since
            raise

    async def _write(self, record: AuditRecord) -> AuditRecord:
        try:
            for _ in range(ATTEMPT_COUNT_MAX):
                before = await drive(self._store, newest(AUDIT_FOLDER, self._hint))
                linked = msgspec.structs.replace(
                    record,
                    n=1 if before is None else before[0] + 1,
                    previous=None if before is None else digest_of_record(before[1]),
                )
                data = encode_record(linked)
                self._hint = linked.n
                if isinstance(await drive(self._store, append(AUDIT_FOLDER, linked.n, data)), Won):
                    return linked
        except BackendError as failure:
            why = str(failure)
            if isinstance(failure, RefusedError):
                raise AuditUnavailableError(why, remedy=failure.remedy) from failure
            raise AuditUnavailableError(why) from failure
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

    async def verify(self, *, witnesses: Iterable[Witness] = ()) -> AuditVerification:
        """Walks the whole chain and compares it with every kept ledger object, and with *witnesses*.

        Each object counts: where a record was taken away and its number written again, the newest
        one was written over what is there now, and an older one knows what was there before.

        Raises:
            LedgerUnreadableError: a ledger object cannot be trusted or understood.
        """
        # The ledger first: records that are written meanwhile make the chain longer, never shorter.
        proofs = await self._ledger_proofs()
        records = await self.records()
        return verify_chain(records, ledger=proofs, witnesses=witnesses)

    async def export(self) -> bytes:
        """Returns the chain as JSON lines of exact bytes, for `verify_export` anywhere."""
        return encode_export(await self.records())

    async def verify_export(
        self, exported: Path, *, witnesses: Iterable[Witness] = ()
    ) -> AuditVerification:
        """Walks an export, and compares it with this ledger's objects from its time.

        Raises:
            OSError: the export cannot be read.
            LedgerUnreadableError: a ledger object cannot be trusted or understood.
        """
        proofs = await self._ledger_proofs()
        records = await read_export(exported)
        return verify_chain(records, ledger=proofs, witnesses=witnesses, whole=False)

    async def end_diagnostics(self, ledger: Head | None) -> tuple[Diagnostic, ...]:
        """Returns a warning where the newest record that *ledger*, its head, knows is not as it was.

        The whole chain is walked by `verify`; here is one read, which finds a truncated one.
        """
        if ledger is None or not ledger.envelope.audit.length:
            return ()
        known = ledger.envelope.audit
        key = numbered_key(AUDIT_FOLDER, known.length)
        found = await self._store.read(key)
        if found is not None and digest_of_record(found.data) == known.head:
            return ()
        what = "is missing" if found is None else "is not the one"
        told = f"audit record {known.length}, which ledger object {ledger.seq} knows, {what}"
        return (warning("audit_chain_broken", key, told, remedy="agentctl audit verify"),)

    async def _ledger_proofs(self) -> list[LedgerProof]:
        history = await Ledger(self._store, self._world).history(limit=HISTORY_COUNT_MAX)
        return [LedgerProof(seq=h.seq, audit=h.envelope.audit) for h in history]


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


def _minute(record: AuditRecord) -> str:
    return record.at[:16]
