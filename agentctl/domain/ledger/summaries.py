"""One ledger object in one line, and whole: what `state list` and `state show` say."""

from collections.abc import Mapping

import msgspec

from agentctl.domain.ledger.envelope import AppliedSource, Envelope, Freeze, RevisionKind


class RevisionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One object of the ledger."""

    seq: int
    kind: RevisionKind | None = None
    """Null where the object cannot be read; then the rest says nothing."""
    written_at: str | None = None
    op: str | None = None
    epoch: int = 0
    revision: int = 0
    """Of the state."""
    resource_count: int = 0
    config_digest: str | None = None
    source: AppliedSource | None = None
    freezes: int = 0
    bytes: int = 0
    trouble: str | None = None
    """Why it cannot be read."""


class RevisionShown(msgspec.Struct, frozen=True, kw_only=True):
    """One object of the ledger, whole."""

    summary: RevisionSummary
    object_digest: str
    previous: str | None
    state_cas: str
    protected: tuple[str, ...]
    freezes: tuple[Freeze, ...]
    min_reader: int
    min_writer: int
    state: Mapping[str, object]
    """The seed's document, as `state.json` has it."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The newest objects of the ledger."""

    revisions: tuple[RevisionSummary, ...]
    """Newest first."""
    total: int
    """How many are kept."""
    oldest: int | None
    """The lowest number that is kept; null where there is none."""
    missing: tuple[int, ...] = ()
    """Of the newest hundred, which always stay: those that are not there. Somebody removed them."""


def summary_of(envelope: Envelope, *, size_bytes: int) -> RevisionSummary:
    """Returns the line of a ledger object of *size_bytes*."""
    revision = envelope.state.applied_revision
    return RevisionSummary(
        seq=envelope.seq,
        kind=envelope.kind,
        written_at=envelope.written_at,
        op=envelope.op,
        epoch=envelope.epoch,
        revision=envelope.state.state_revision,
        resource_count=len(revision.resources),
        config_digest=revision.config_digest,
        source=envelope.source,
        freezes=len(envelope.freezes),
        bytes=size_bytes,
    )
