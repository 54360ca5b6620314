"""Backups of a storage root: what is copied, what a manifest says, where a restore puts things.

A backup is one consistent point: everything that was there under the cluster's lease, with the
commits of each graph up to a number that was read before its data was listed. Objects are stored by
their digest, so the next backup adds only what is new. Source: control-plane 3.8.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical
from agentctl.domain.storage.chain import ChainHead

PREFIXES: Final = ("__cluster/", "graphs/", "ops/", "sandboxes/")
"""What of a storage root is ours; a root may be the folder, which has other files."""
BACKUPS: Final = "backups/"
OBJECTS: Final = "objects/"
ORIGIN: Final = "__cluster/origin/"
"""Where a restored cluster keeps the records of the one it comes from, as they were."""
_LEFT_OUT: Final = (
    "__cluster/leases/",
    "__cluster/lock.json",
    "__cluster/binding.json",
    "__cluster/restoring.json",
    "__cluster/keys/",
    "__cluster/disposals/",
    "__cluster/merges/",
    "__cluster/plans/",
    "__cluster/tokens/",
    "__cluster/homecoming/",
    "__cluster/probe",
)
"""Of the moment or of the old place: who holds what, what was asked, who may call."""
_LENT: Final = re.compile(
    r"sandboxes/[^/]+/(?:graphs\.json|ended\.json|restoring\.json|snapshots/|__cluster/|ops/|graphs/)"
    r"|graphs/[^/]+/_graph/(?:commits|pins|schema)/sandbox%2F"
)
"""What makes a draft a sandbox: copies of graphs are for the moment. The edits are kept, as a draft."""
_RUN: Final = re.compile(r"__cluster/playbooks/[^/]+/")
"""Runs of playbooks go on by the keys of their calls, which stay behind; the text of a playbook is kept."""
_OF_ORIGIN: Final = ("ledger/", "audit/", "principals/", "approvals/", "freezes/")
_NOT_RESTORED: Final = ("__cluster/state.json", "__cluster/freeze.json")
_WRITTEN_ONCE: Final = re.compile(
    r"__cluster/(?:ledger|audit|principals|resources|sources|changesets|origin|approvals)/.+"
    r"|graphs/[^/]+/_graph/(?!tags/).+"
    r"|graphs/[^/]+/data/[^/]+/[^/]+/(?:tree/[^/]+/)?"
    r"(?:data|_versions|_transactions|_indices|_deletions)/.+"
    r"|ops/[^/]+/(?:pre|post|status-\d{3})\.json"
    r"|sandboxes/[^/]+/(?:sandbox\.json|edits/.+|blobs/.+)"
)
_COMMIT: Final = re.compile(
    r"graphs/(?P<root>[^/]+)/_graph/commits/(?P<branch>[^/]+)/(?P<n>\d{20})\.json"
)


class Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One object of a backup."""

    sha256: str
    size: int
    """Bytes."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``backups/<ULID>.json``, canonical bytes, create-only, written when all objects are there."""

    version: Literal[1] = 1
    backup_id: str
    cluster_id: str
    name: str
    """Of the cluster, as its folder called it."""
    made_at: str
    made_by: str
    ledger_seq: int
    audit: ChainHead
    principals: ChainHead
    epochs: Mapping[str, int]
    """Newest epoch of each lease folder: a restored graph's next writer must be above it."""
    objects: Mapping[str, Stored]
    """By key."""

    @property
    def size_bytes(self) -> int:
        """Of all objects, each key counted."""
        return sum(stored.size for stored in self.objects.values())


def is_backed_up(key: str) -> bool:
    """Returns whether the object goes into a backup."""
    if _LENT.match(key) is not None or _RUN.match(key) is not None:
        return False
    return key.startswith(PREFIXES) and not key.startswith(_LEFT_OUT)


def is_written_once(key: str) -> bool:
    """Returns whether the object never changes, so that the last backup's digest of it still holds."""
    return _WRITTEN_ONCE.fullmatch(key) is not None


def commit_of(key: str) -> tuple[str, int] | None:
    """Returns the branch, by its folder, and the number of a graph's commit; None for another key."""
    match = _COMMIT.fullmatch(key)
    return (f"{match['root']}/{match['branch']}", int(match["n"])) if match else None


def object_key(sha256: str) -> str:
    """Returns where the bytes of that digest lie in a backup place."""
    return f"{OBJECTS}{sha256[:2]}/{sha256}"


def manifest_key(backup_id: str) -> str:
    """Returns where a manifest lies."""
    return f"{BACKUPS}{backup_id}.json"


def restored_key(key: str, cluster_id: str) -> str | None:
    """Returns where a restore puts the object; None for one that is made anew.

    The chains of the old cluster prove what happened there; they are kept whole, beside the new ones.
    """
    if key in _NOT_RESTORED:
        return None
    rest = key.removeprefix("__cluster/")
    if rest != key and rest.startswith(_OF_ORIGIN):
        return f"{ORIGIN}{cluster_id}/{rest}"
    return key


def encode_manifest(manifest: Manifest) -> bytes:
    """Returns a manifest's canonical bytes."""
    return canonical_bytes(manifest)


def decode_manifest(data: bytes) -> Manifest | str:
    """Returns the manifest whose canonical bytes are *data*, or why they are none."""
    try:
        return msgspec.convert(decode_canonical(data), Manifest)
    except (NotCanonicalError, msgspec.ValidationError) as failure:
        return str(failure)
