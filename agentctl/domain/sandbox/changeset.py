"""A change set: a config patch and a plan of branch merges, on a named base, with what comes of it.

Pure and replayable: the patch applied to the base's files gives the files of the sandbox, byte for
byte, and these load to the digests that the change set promises. Source: sandboxes 4, ChangeSet.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.sandbox.folder_patch import Files, apply_folder_patch, render_folder_patch
from agentctl.domain.sandbox.manifest import Count
from agentctl.domain.sandbox.merge_plan import MergePlan


class ChangeSetBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change set stands on."""

    cluster_id: str
    seq: Count | None
    """Of the ledger object; None where nothing was applied yet."""
    source_digest: str
    config_digest: str


class ChangeSetResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What its files load to."""

    source_digest: str
    config_digest: str
    resource_digests: Mapping[str, str]
    """By address."""


class ChangeSetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change set."""

    version: Literal[1] = 1
    base: ChangeSetBase
    patch: str
    """`render_folder_patch` of the base's files and the sandbox's; empty where they are equal."""
    merge: MergePlan
    result: ChangeSetResult


class ChangeSetError(ValueError):
    """Bytes that claim to be a change set and are not."""


def changeset(
    before: DesiredCluster,
    after: DesiredCluster,
    *,
    cluster_id: str,
    seq: int | None,
    merge: MergePlan,
) -> ChangeSetBody | Diagnostic:
    """Returns the change set from *before* to *after*, or why there can be none.

    Args:
        before: the base's config.
        after: the sandbox's.
        cluster_id: of the cluster that the sandbox is a copy of.
        seq: of its ledger object, by which the sandbox was opened.
        merge: how the rows come home.
    """
    return changeset_of_files(
        before.files,
        after.files,
        base=ChangeSetBase(
            cluster_id=cluster_id,
            seq=seq,
            source_digest=before.source_digest,
            config_digest=before.config_digest,
        ),
        merge=merge,
        result=ChangeSetResult(
            source_digest=after.source_digest,
            config_digest=after.config_digest,
            resource_digests=after.resource_digests,
        ),
    )


def changeset_of_files(
    before: Files, after: Files, *, base: ChangeSetBase, merge: MergePlan, result: ChangeSetResult
) -> ChangeSetBody | Diagnostic:
    """Returns the change set from some files to others, or why one of them cannot be in a patch."""
    patch = render_folder_patch(before, after)
    if isinstance(patch, Diagnostic):
        return patch
    return ChangeSetBody(base=base, patch=patch, merge=merge, result=result)


def applied(files: Files, body: ChangeSetBody) -> Mapping[str, bytes] | Diagnostic:
    """Returns *files* with the patch applied, whole and exactly, or which hunk of it does not fit."""
    return apply_folder_patch(files, body.patch)


def divergence(body: ChangeSetBody, loaded: LoadedCluster) -> Diagnostic | None:
    """Returns in what the files of a replay, loaded, are not what the change set promises."""
    desired = loaded.desired
    if desired is None:
        return _diverged("config", "the files do not load without errors")
    promised = body.result
    if promised.source_digest != desired.source_digest:
        return _diverged("source", "the files are others")
    found = desired.resource_digests
    for address in sorted({*promised.resource_digests, *found}):
        if promised.resource_digests.get(address) != found.get(address):
            return _diverged(address, f"{address} has another digest")
    if promised.config_digest != desired.config_digest:
        return _diverged("config", "the config has another digest")
    return None


def changeset_bytes(body: ChangeSetBody) -> bytes:
    """Returns the canonical bytes; equal change sets have equal ones."""
    return canonical_bytes(body)


def changeset_digest(body: ChangeSetBody) -> str:
    """Returns the digest that names a change set: SHA-256 of its canonical bytes."""
    return sha256_hex(changeset_bytes(body))


def decode_changeset(data: bytes) -> ChangeSetBody:
    """Returns the change set of *data*.

    Raises:
        ChangeSetError: the bytes are not canonical, or of another form or version.
    """
    try:
        return msgspec.convert(decode_canonical(data), ChangeSetBody)
    except (NotCanonicalError, msgspec.ValidationError) as failure:
        msg = f"no change set: {failure}"
        raise ChangeSetError(msg) from failure


def _diverged(path: str, what: str) -> Diagnostic:
    return error(
        "change_set_diverged",
        path,
        f"the change set, replayed, does not give what it promises: {what}",
        detail="A change set is believed only where its replay gives the digests that the sandbox"
        " had. Either its base is another one, or it was changed since it was made.",
        remedy="Make the change set again from the sandbox.",
    )
