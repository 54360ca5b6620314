"""What a snapshot of a graph sandbox records: where everything of it stood, by digest.

The manifest holds no content. Files are found by their digests among the sandbox's blobs, graphs at
their commits. Two snapshots of one content have one `content_digest`, whatever they are called.
Source: sandboxes 4.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical, digest_of

NUMBER_MAX: Final = 2**53 - 1
"""The largest integer that canonical JSON keeps exactly."""

Count = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]


class GraphPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one graph stood."""

    incarnation: str
    branch: str
    commit: Count
    """Of that branch."""
    content_digest: str
    """Of the rows and the schema together; what the commit itself is called."""
    schema_digest: str | None
    """SHA-256 of the schema's source; None where the graph has none."""
    shape_digest: str | None
    rows: Mapping[str, Count] = {}
    """Row counts by type name."""


class LedgerPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the sandbox's own ledger stood."""

    seq: Count
    state_digest: str


class SnapshotManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A snapshot."""

    version: Literal[1] = 1
    sandbox: str
    name: str
    at: str
    """RFC 3339."""
    files: Mapping[str, str]
    """SHA-256 of the config's files, by path."""
    edits: Count
    """How many edits made them of the base: the fold's length."""
    ledger: LedgerPoint | None = None
    """None where nothing was applied in the sandbox yet."""
    graphs: Mapping[str, GraphPoint] = {}
    """By graph id."""
    commands: Count = 0
    """How many commands were run before it; `diff` lists those between two counts."""


class ManifestError(ValueError):
    """Bytes that claim to be a manifest and are not."""


def manifest_bytes(manifest: SnapshotManifest) -> bytes:
    """Returns the canonical bytes; equal manifests have equal ones."""
    return canonical_bytes(manifest)


def decode_manifest(data: bytes) -> SnapshotManifest:
    """Returns the manifest of *data*.

    Raises:
        ManifestError: the bytes are not canonical, or of another form or version.
    """
    try:
        return msgspec.convert(decode_canonical(data), SnapshotManifest)
    except (NotCanonicalError, msgspec.ValidationError) as failure:
        msg = f"no manifest of a snapshot: {failure}"
        raise ManifestError(msg) from failure


def content_digest(manifest: SnapshotManifest) -> str:
    """Returns the digest of what was recorded, which neither the name nor the time is part of."""
    return digest_of(msgspec.structs.replace(manifest, name="", at=""))
