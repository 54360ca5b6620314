"""One object of the numbered ledger: the state, and what ties it to the rest. Source: control-plane 3.2."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.domain.ledger.state import State
from agentctl.domain.storage.chain import ChainHead as ChainHead  # noqa: PLC0414  # an envelope field, known from here

RevisionKind = Literal[
    "import", "refresh", "apply", "rollback", "restore", "fence", "freeze", "thaw", "record"
]
FORMAT_READ_MAX = 1
"""The newest ledger format that this release reads and writes."""


class Freeze(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One freeze in force."""

    id: str
    scope: str
    since: str = msgspec.field(name="from")
    reason: str
    by: str
    until: str | None = None


class AppliedSource(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Where the applied revision's files are: ``__cluster/sources/<digest>.json``."""

    digest: str
    commit: str | None = None
    branch: str | None = None
    merged: bool | None = None


class AppliedSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """How an apply works: what the section ``apply`` said when it was last applied."""

    concurrency: int | None = None
    """1 to 16; None leaves it to the release."""
    groups: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Typed addresses that are applied all or not at all, by the group's name."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ledger object: ``__cluster/ledger/<20-digit seq>.json``, written once."""

    version: Literal[1] = 1
    cluster_id: str
    seq: int
    """1 for the first."""
    previous: str | None
    """``sha256:`` of the exact bytes of the object before."""
    kind: RevisionKind
    op: str | None
    epoch: int
    """Of the cluster lease under which it was written."""
    nonce: str
    """32 hex digits."""
    written_at: str
    state: State
    audit: ChainHead
    principals: ChainHead
    protected: tuple[str, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    min_reader: int = 1
    min_writer: int = 1
    source: AppliedSource | None = None
    settings: AppliedSettings = AppliedSettings()
