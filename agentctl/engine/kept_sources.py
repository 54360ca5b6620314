"""Every applied revision's whole source, as the catalog keeps it. Source: control-plane 3.7.

`config show|diff|restore`: what cluster.yaml and the files it names were, what differs, and a draft
that brings them back. The folder is never written: a restored source is planned and applied like
any other edit.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.patches import render_patch
from agentctl.domain.config.paths import CLUSTER_FILE, leaves_folder
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.drafts import Draft
from agentctl.engine.revisions import revision_target

Files = Mapping[str, bytes]
FOLDER: Final = "folder"


class KeptSource(msgspec.Struct, frozen=True, kw_only=True):
    """The source of one ledger object."""

    seq: int
    digest: str
    commit: str | None
    branch: str | None
    files: Files


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A draft that holds an earlier source."""

    seq: int
    draft: Draft
    changed: tuple[str, ...]
    """Paths that differ from the folder, sorted."""
    left_out: tuple[str, ...] = ()
    """Paths outside the folder, which no draft holds, where they differ."""


async def kept_source(cluster: Cluster, caller: Caller, seq: int | None) -> KeptSource | Diagnostic:
    """Returns the source of ledger object *seq*, of the newest where it is None.

    Whoever is not at a terminal sees no file that lies outside the folder.

    Raises:
        LedgerUnreadableError: the object cannot be understood.
        BackendError: the store failed.
    """
    head = await cluster.ledger.head() if seq is None else await cluster.ledger.at(seq)
    if head is None:
        return error(
            "revision_not_found",
            revision_target(seq or 0),
            "the cluster has no ledger yet" if seq is None else f"the ledger has no object {seq}",
            remedy="agentctl state list",
        )
    source = head.envelope.source
    files = await cluster.catalog.source_files(source.digest) if source is not None else {}
    if files is None:
        return error(
            "revision_source_missing",
            revision_target(head.seq),
            f"the source of ledger object {head.seq} is not whole in the catalog",
            remedy="agentctl state list",
        )
    return KeptSource(
        seq=head.seq,
        digest=source.digest if source is not None else "",
        commit=source.commit if source is not None else None,
        branch=source.branch if source is not None else None,
        files={p: files[p] for p in sorted(files) if caller.at_terminal or not _outside(p)},
    )


async def diff_sources(
    cluster: Cluster, caller: Caller, before: int, after: int | None
) -> str | Diagnostic:
    """Returns what differs from one object's source to another's, or to the folder, as one diff."""
    old = await kept_source(cluster, caller, before)
    if isinstance(old, Diagnostic):
        return old
    if after is None:
        new: Files = await _folder_files(cluster, caller)
    else:
        found = await kept_source(cluster, caller, after)
        if isinstance(found, Diagnostic):
            return found
        new = found.files
    paths = sorted({*old.files, *new})
    return "".join(
        render_patch(path, _text(old.files.get(path)), _text(new.get(path)))
        for path in paths
        if old.files.get(path) != new.get(path)
    )


async def restore_source(cluster: Cluster, caller: Caller, seq: int) -> Restored | Diagnostic:
    """Opens a draft over the folder that holds the source of ledger object *seq*."""
    kept = await kept_source(cluster, caller, seq)
    if isinstance(kept, Diagnostic):
        return kept
    now = await _folder_files(cluster, caller)
    differing = [p for p in sorted({*kept.files, *now}) if kept.files.get(p) != now.get(p)]
    inside = [p for p in differing if not _outside(p)]
    draft = await cluster.drafts.open(caller.id)
    for path in sorted(inside, key=lambda p: (p != CLUSTER_FILE, p)):
        content = kept.files.get(path)
        result = await cluster.drafts.edit(
            draft.id, path, by=caller.id, content=content, remove=content is None
        )
        if result.diagnostics:
            await cluster.drafts.discard(draft.id)
            return result.diagnostics[0]
    shown = await cluster.drafts.show(draft.id)
    if isinstance(shown, Diagnostic):
        return shown
    outside = tuple(p for p in differing if _outside(p))
    return Restored(seq=kept.seq, draft=shown, changed=tuple(inside), left_out=outside)


async def _folder_files(cluster: Cluster, caller: Caller) -> Files:
    return (await cluster.folder.load(confined=not caller.at_terminal)).files


def _outside(path: str) -> bool:
    return path.startswith("/") or leaves_folder(path)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")
