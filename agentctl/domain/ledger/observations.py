"""What the engine saw of the live graphs before it asked for a plan."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.languages.schema.ir import SchemaIr

GraphPresence = Literal["absent", "live", "detached", "purged", "foreign", "unreadable"]
"""`absent`: no commit (an unfinished create counts as absent). `detached`: the newest commit of
`main` is a tombstone or a purge. `purged`: detached and its data is gone. `foreign`: another format."""


class LiveGraph(msgspec.Struct, frozen=True, kw_only=True):
    """What one graph root holds now, on `main`."""

    graph_id: str
    uri: str
    presence: GraphPresence
    commit: int | None = None
    """Number of the newest commit of `main`; its id is ``main:<n>``."""
    nonce: str | None = None
    """Of that commit."""
    incarnation: str | None = None
    content: str | None = None
    """Digest of all that the newest commit names; a revert has that of the commit it goes back to."""
    source_digest: str | None = None
    """SHA-256 of the schema file's bytes in force; None unless live or detached."""
    shape_digest: str | None = None
    ir: SchemaIr | None = None
    rows: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Row counts by type name."""
    bytes: int = 0
    """Size of the data on storage."""
    last_write: str | None = None
    """When the newest commit was made."""
    branches: tuple[str, ...] = ()
    error: str | None = None
    """Why it is `foreign` or `unreadable`."""
    partly_purged: bool = False
    """Of a detached graph: its purge was decided, or some of its data is gone already: it goes on."""
    purge_since: str | None = None
    """When a commit decided its purge; None also where the purge was one before there was such."""
