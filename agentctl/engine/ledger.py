"""Reads and moves the cluster's ledger. Source: control-plane 3.2.

Write order of a commit: the numbered object (which decides), then `state.json` (a copy). Commits
that follow one another within a second under one lease share a copy, which is there before the
lease is released. A crash in between leaves a stale copy, which is reported, and repaired by the
next writer.
"""

import logging
from typing import Final, TypeVar

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.diagnostic import Diagnostic, error, note, warning
from agentctl.domain.ledger.codec import (
    LEDGER_FOLDER,
    STATE_KEY,
    broken,
    decode_envelope,
    decode_state,
    digest_of_bytes,
    encode_envelope,
    ledger_key,
    link_fault,
    nonce_of,
    revision_in,
    state_cas,
    state_text,
)
from agentctl.domain.ledger.envelope import (
    FORMAT_READ_MAX,
    AppliedSettings,
    AppliedSource,
    ChainHead,
    Envelope,
    Freeze,
    RevisionKind,
)
from agentctl.domain.ledger.state import State
from agentctl.domain.storage.numbered import (
    Appended,
    Lost,
    append_unlooked,
    look_behind,
    newest,
    numbers_in,
    read_one,
)
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.engine.bounded import run_bounded
from agentctl.engine.freezing import Freezes
from agentctl.engine.leases import CLUSTER, Lease, LeaseLostError
from agentctl.engine.world import World, mint_nonce, stamp_now

T = TypeVar("T")

COPY_EVERY_S: Final = 1.0
"""How old the copy may grow while commits follow one another."""
UNFROZEN: Final[frozenset[RevisionKind]] = frozenset({"fence", "freeze", "thaw"})
"""What a frozen ledger goes on taking: a fence takes a right away and moves nothing."""

logger = logging.getLogger(__name__)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger object, as it was read or written; `Ledger.head` gives the newest."""

    seq: int
    envelope: Envelope
    object_digest: str
    """``sha256:`` of the object's exact bytes."""
    state_text: bytes
    """What `state.json` holds when this object is the newest."""
    state_cas: str


class LedgerError(Exception):
    """The ledger could not be read or moved; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class LedgerUnreadableError(LedgerError):
    """An object is not what its format says, is of a newer one, or the chain does not hold."""


class StateMovedError(LedgerError):
    """Somebody committed after the base was read; nothing was written."""


class Ledger:
    """The ledger of one storage root."""

    def __init__(self, store: ObjectStore, world: World, freezes: Freezes | None = None) -> None:
        self._store = store
        self._world = world
        self._freezes = freezes or Freezes(store, world)
        self._hint = 0
        """The newest seq that this process knows of."""
        self._proved: tuple[_Found, Head] | None = None
        """The head that was read and proved last: the same bytes are not decoded again."""
        self._uncopied: Head | None = None
        """The newest commit of this process that `state.json` does not hold yet."""
        self._copied_at: float | None = None
        """When this process last wrote `state.json` (monotonic)."""

    async def head(self) -> Head | None:
        """Returns the newest object, linked to the one before it; None where there is no ledger.

        Raises:
            LedgerUnreadableError: it cannot be trusted or understood.
        """
        hint = self._hint or await self._hint_of_state()
        found = await self._newest(hint)
        if found is not None and hint and found.before is None and found.seq > 1:
            # Left by a writer that was paused until its number had been written and collected.
            found = await self._newest(0)
        if found is None:
            return None
        if self._proved is None or self._proved[0] != found:
            head = _head(found.seq, found.data)
            fault = link_fault(head.envelope, found.before)
            if fault is not None:
                raise LedgerUnreadableError(fault)
            self._proved = (found, head)
        self._hint = found.seq
        self._freezes.recorded(self._proved[1].envelope.freezes)
        return self._proved[1]

    @property
    def newest_known(self) -> int:
        """The newest seq that this process has read or written; 0 where it knows of none."""
        return self._hint

    async def at(self, seq: int) -> Head | None:
        """Returns object *seq*, or None where there is none (any more).

        Raises:
            LedgerUnreadableError: it cannot be understood.
        """
        data = await drive(self._store, read_one(LEDGER_FOLDER, seq)) if seq >= 1 else None
        return None if data is None else _head(seq, data)

    async def history(self, limit: int = 50) -> tuple[Head, ...]:
        """Returns the newest objects, newest first, each linked to the next.

        Raises:
            LedgerUnreadableError: one of them cannot be trusted or understood.
        """
        found: list[Head] = []
        head = await self.head()
        while head is not None and len(found) < limit:
            found.append(head)
            below = await self.at(head.seq - 1)
            if below is not None and below.object_digest != head.envelope.previous:
                why = "the object before it is not the one that it names"
                raise LedgerUnreadableError(broken(head.seq, why))
            head = below
        return tuple(found)

    async def verify(self) -> tuple[Diagnostic, ...]:
        """Walks all objects; returns what does not hold, nothing where all does."""
        numbers = await drive(self._store, numbers_in(LEDGER_FOLDER))
        faults: list[Diagnostic] = []
        before: tuple[int, bytes] | None = None
        for seq in numbers:
            data = await drive(self._store, read_one(LEDGER_FOLDER, seq))
            if data is None:
                continue  # Collected while we walked.
            faults.extend(_faults(seq, data, before))
            before = (seq, data)
        return tuple(faults)

    async def commit(  # noqa: PLR0913  # the fields of the envelope
        self,
        *,
        base: Head | None,
        kind: RevisionKind,
        op: str | None,
        lease: Lease,
        cluster_id: str,
        state: State,
        audit: ChainHead,
        principals: ChainHead,
        source: AppliedSource | None,
        protected: tuple[str, ...] | None = None,
        freezes: tuple[Freeze, ...] | None = None,
        settings: AppliedSettings | None = None,
    ) -> Head:
        """Writes the object after *base* and the copy `state.json`; returns it.

        *protected*, *freezes* and *settings* are those of *base* where they are None.

        A frozen cluster takes no object but the freezes, the thaws and the fences.

        Raises:
            FrozenError: the cluster is frozen; nothing was written.
            LeaseLostError: a later holder of the lease has written; never try again.
            StateMovedError: somebody wrote since *base* was read.
            LedgerUnreadableError: the ledger is of a format that this release does not write.
            BackendError: the store failed; the outcome is unknown, `head` shows it.
        """
        assert lease.resource == CLUSTER, "the ledger moves under the cluster's lease"
        self.require_writable(base)
        if base is not None:
            assert cluster_id == base.envelope.cluster_id, "a ledger belongs to one cluster"
            if lease.epoch < base.envelope.epoch:
                raise LeaseLostError(CLUSTER, f"a later holder wrote ledger object {base.seq}")
            unfenced = lease.fence_needed and base.envelope.epoch < lease.epoch
            assert kind == "fence" or not unfenced, "after a takeover the first commit is a fence"
        if kind not in UNFROZEN:
            await self._freezes.require_thawed(CLUSTER, base.envelope.freezes if base else ())
        envelope = Envelope(
            cluster_id=cluster_id,
            seq=1 if base is None else base.seq + 1,
            previous=None if base is None else base.object_digest,
            kind=kind,
            op=op,
            epoch=lease.epoch,
            nonce=mint_nonce(self._world),
            written_at=stamp_now(self._world),
            state=state,
            audit=audit,
            principals=principals,
            protected=_or_of_base(protected, base.envelope.protected if base else ()),
            freezes=_or_of_base(freezes, base.envelope.freezes if base else ()),
            source=source,
            settings=settings or (base.envelope.settings if base else AppliedSettings()),
        )
        head = await self._append(envelope, lease)
        self._freezes.recorded(envelope.freezes)
        return head

    def writer_fault(self, head: Head | None) -> Diagnostic | None:
        """Returns why this release may not write to a cluster whose newest object is *head*."""
        return _writer_fault(head)

    def require_writable(self, head: Head | None) -> None:
        """Makes sure that this release may write to a cluster whose newest object is *head*.

        Raises:
            LedgerUnreadableError: a newer release has written, and asks for at least its format.
        """
        fault = _writer_fault(head)
        if fault is not None:
            raise LedgerUnreadableError(fault)

    async def fence(self, lease: Lease, *, op: str | None = None) -> Head | None:
        """Makes the former holder's next commit impossible; returns the new head.

        Called right after a lease with `fence_needed` was acquired, before anything is read that a
        decision stands on. None where there is no ledger yet: then number 1 excludes by itself.

        Raises:
            LeaseLostError: a later holder has written.
        """
        while True:
            base = await self.head()
            if base is None or base.envelope.epoch >= lease.epoch:
                if base is not None and base.envelope.epoch > lease.epoch:
                    raise LeaseLostError(CLUSTER, f"a later holder wrote object {base.seq}")
                return base
            try:
                return await self.commit(
                    base=base,
                    kind="fence",
                    op=op or base.envelope.op,
                    lease=lease,
                    cluster_id=base.envelope.cluster_id,
                    state=base.envelope.state,
                    audit=base.envelope.audit,
                    principals=base.envelope.principals,
                    source=base.envelope.source,
                )
            except StateMovedError:
                continue  # The former holder got one more in before the fence: fence above it.

    async def state_json_diagnostic(self, head: Head | None) -> Diagnostic | None:
        """Returns a warning where `state.json` is not the text that *head*, the newest, holds."""
        found = await self._store.read(STATE_KEY)
        if head is None:
            if found is None:
                return None
            return warning(
                "state_cas_mismatch", STATE_KEY, "there is a state.json and no ledger beside it"
            )
        if found is not None and found.data == head.state_text:
            return None
        what = "is missing" if found is None else "is not the text of the ledger"
        return warning(
            "state_cas_mismatch",
            STATE_KEY,
            f"state.json {what}; ledger object {head.seq} decides",
            detail="It was edited by hand, or a command died before it had written it. It is a "
            "copy: nothing of it is believed, and the next command that writes repairs it.",
        )

    async def copy_contradictions(self) -> tuple[Diagnostic, ...]:
        """Returns a warning for each observation that `state.json` has twice, and differently."""
        found = await self._store.read(STATE_KEY)
        told = () if found is None else decode_state(found.data).diagnostics
        twice = (d for d in told if d.code == "conflicting_graph_manifest_observation")
        return tuple(msgspec.structs.replace(d, severity="warning") for d in twice)

    async def repair_copy(self, head: Head) -> Diagnostic | None:
        """Makes `state.json` the text of *head*, the newest; returns a note where it was another.

        Only for a holder of the cluster's lease. Where the store fails, the next one does it.
        """
        found = await self._store.read(STATE_KEY)
        if found is not None and found.data == head.state_text:
            return None
        await self._write_copy(head)
        return note(
            "state_cas_mismatch",
            STATE_KEY,
            f"state.json was not the text of ledger object {head.seq}, and was written anew",
        )

    async def _append(self, envelope: Envelope, lease: Lease) -> Head:
        data = encode_envelope(envelope)
        written = await drive(
            self._store, append_unlooked(LEDGER_FOLDER, envelope.seq, data, nonce_of)
        )
        head = _head_of(envelope, data)
        if not isinstance(written, Lost):
            written = await self._look_behind_and_copy(head)
        if isinstance(written, Lost):
            self._uncopied = None
            winner = decode_envelope(written.data, seq=envelope.seq).envelope
            if winner is not None and winner.epoch > lease.epoch:
                raise LeaseLostError(CLUSTER, f"a later holder wrote ledger object {winner.seq}")
            raise StateMovedError(
                error(
                    "state_cas_mismatch",
                    ledger_key(envelope.seq),
                    f"ledger object {envelope.seq} was written by another command",
                    remedy="Run the command again.",
                )
            )
        self._hint = envelope.seq
        return head

    async def settle_copy(self) -> None:
        """Writes the copy that commits of this process still owe; for the end of their lease."""
        if self._uncopied is not None:
            await self._write_copy(self._uncopied)

    async def _look_behind_and_copy(self, head: Head) -> Appended:
        """Looks at the predecessor of an object just written and, where it is time, copies it.

        Where the object turns out to have come too late the copy is wrong, which the next writer
        sees and mends: it is a hint.

        Raises:
            BackendError: the store did not answer; the object may stand.
        """
        copied = self._copied_at
        self._uncopied = head
        if copied is not None and self._world.monotonic() - copied < COPY_EVERY_S:
            return await drive(self._store, look_behind(LEDGER_FOLDER, head.seq))
        seen: list[Appended] = []

        async def look() -> None:
            seen.append(await drive(self._store, look_behind(LEDGER_FOLDER, head.seq)))

        async def copy() -> None:
            await self._write_copy(head)

        await run_bounded((copy, look), limit=2)
        return seen[0]

    async def _write_copy(self, head: Head) -> None:
        """Replaces `state.json`. The commit stands already, so a failure here is told, not raised."""
        self._uncopied, self._copied_at = None, self._world.monotonic()
        try:
            await self._store.replace(STATE_KEY, head.state_text)
        except BackendError as failure:
            logger.warning(
                "state.json could not be replaced",
                extra={"seq": head.seq, "failure": str(failure)},
            )

    async def _hint_of_state(self) -> int:
        """Returns the revision in `state.json`: no object has a smaller seq than its revision."""
        found = await self._store.read(STATE_KEY)
        return 0 if found is None else revision_in(found.data)

    async def _newest(self, hint: int) -> "_Found | None":
        """Returns the newest object that is found from *hint*, and the one before it."""
        found = await drive(self._store, newest(LEDGER_FOLDER, hint))
        if found is None:
            return None
        seq, data = found
        before = await drive(self._store, read_one(LEDGER_FOLDER, seq - 1)) if seq > 1 else None
        return _Found(seq=seq, data=data, before=before)


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """An object as it is stored."""

    seq: int
    data: bytes
    before: bytes | None
    """Of the object before it; None for the first, and where there is none."""


def _head(seq: int, data: bytes) -> Head:
    decoded = decode_envelope(data, seq=seq)
    if decoded.envelope is None:
        raise LedgerUnreadableError(decoded.diagnostics[0])
    return _head_of(decoded.envelope, data)


def _head_of(envelope: Envelope, data: bytes) -> Head:
    text = state_text(envelope.state)
    return Head(
        seq=envelope.seq,
        envelope=envelope,
        object_digest=digest_of_bytes(data),
        state_text=text,
        state_cas=state_cas(text),
    )


def _faults(seq: int, data: bytes, before: tuple[int, bytes] | None) -> tuple[Diagnostic, ...]:
    decoded = decode_envelope(data, seq=seq)
    if decoded.envelope is None:
        return decoded.diagnostics
    if before is None and seq > 1:
        return ()  # What is below was collected.
    follows = before is not None and before[0] == seq - 1
    fault = link_fault(decoded.envelope, before[1] if before and follows else None)
    return () if fault is None else (fault,)


def _writer_fault(base: Head | None) -> Diagnostic | None:
    if base is None or base.envelope.min_writer <= FORMAT_READ_MAX:
        return None
    return error(
        "unsupported_state_version",
        ledger_key(base.seq),
        f"writing this ledger needs format {base.envelope.min_writer}, and this release "
        f"writes {FORMAT_READ_MAX}",
        remedy="Use a newer agentctl.",
    )


def _or_of_base(given: tuple[T, ...] | None, of_base: tuple[T, ...]) -> tuple[T, ...]:
    return of_base if given is None else given
