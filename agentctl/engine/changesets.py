"""Change sets of sandboxes: made, kept by their digest, and replayed on a fresh copy of their base.

Write order: the source of the base in the catalog, then `__cluster/changesets/<digest>.json`, each
create-only. So a change set that is there can be replayed after its sandbox is gone.
Source: sandboxes 4, ChangeSet, and 5, case 14.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import msgspec

from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import FileChange
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.plan.migrate import plan_migration
from agentctl.domain.plan.model import Migration
from agentctl.domain.sandbox.changeset import (
    ChangeSetBody,
    ChangeSetError,
    applied,
    changeset,
    changeset_bytes,
    changeset_digest,
    decode_changeset,
    divergence,
)
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.folder_patch import patched_paths
from agentctl.domain.sandbox.lending import Lending, target_of, trunk_of
from agentctl.domain.sandbox.manifest import (
    ManifestError,
    SnapshotManifest,
    content_digest,
    decode_manifest,
)
from agentctl.domain.sandbox.merge_plan import MergePlan, MergeSource, merge_plan
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.cluster import Cluster
from agentctl.engine.garbage import CHANGE_SETS
from agentctl.engine.graph_data import Place, place_of
from agentctl.engine.lending import SandboxError
from agentctl.engine.snapshotting import (
    BASE,
    NOW,
    difference,
    files_of,
    loaded_of,
    manifest_now,
    snapshot_key,
    snapshot_named,
    take_snapshot,
)
from agentctl.engine.temporary import TemporaryFolder
from agentctl.graph.layout import MAIN
from agentctl.languages.schema.ir import catalog_of

_SNAPSHOT: Final = "change-set-"
_NAME_DIGITS: Final = 16
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A change set that was made and is not kept yet."""

    body: ChangeSetBody
    base_files: Mapping[str, bytes]
    before: SnapshotManifest
    after: SnapshotManifest
    changes: ChangeDiff

    @property
    def digest(self) -> str:
        """What it is called."""
        return changeset_digest(self.body)


def changeset_key(digest: str) -> str:
    """Returns the key of a change set."""
    return f"{CHANGE_SETS}{digest}.json"


async def make_changeset(
    cluster: Cluster, inner: Cluster, lending: Lending
) -> Made | tuple[Diagnostic, ...]:
    """Returns the change set of a sandbox as it is now, or why there can be none.

    Args:
        cluster: the real one, whose protection counts.
        inner: the sandbox's.
        lending: what it was lent.

    Raises:
        BackendError: a file of the base is gone, or the storage root failed.
        GraphError: a commit cannot be read.
    """
    before = await snapshot_named(cluster, inner, lending, BASE)
    after = await manifest_now(cluster, inner, name=NOW, commands=0)
    old = await loaded_of(inner, before)
    new = await loaded_of(inner, after)
    if old.desired is None or new.desired is None:
        return _unloadable(lending.sandbox, new if new.desired is None else old)
    changes = await difference(inner, before, after)
    merge = await _merge(cluster, inner, lending, after, changes)
    body = changeset(
        old.desired,
        new.desired,
        cluster_id=lending.base.cluster_id,
        seq=lending.base.seq,
        merge=merge,
    )
    if isinstance(body, Diagnostic):
        return (body,)
    base_files = await files_of(inner, before)
    return Made(body=body, base_files=base_files, before=before, after=after, changes=changes)


async def keep_changeset(cluster: Cluster, inner: Cluster, made: Made, *, by: str) -> str:
    """Keeps a change set and what it stands on; returns the name of the sandbox's snapshot of it.

    Done twice it does nothing the second time.

    Raises:
        SandboxError: the sandbox has another snapshot of that name.
        BackendError: the storage root failed.
    """
    name = f"{_SNAPSHOT}{content_digest(made.after)[:_NAME_DIGITS]}"
    await _snapshot(cluster, inner, made, name, by=by)
    await cluster.catalog.publish_source(made.base_files, made.body.base.source_digest)
    await cluster.store.create(changeset_key(made.digest), changeset_bytes(made.body))
    return name


async def kept_changeset(cluster: Cluster, digest: str) -> ChangeSetBody | Diagnostic:
    """Returns a change set by its digest, hashed again."""
    found = await cluster.store.read(changeset_key(digest)) if _DIGEST.fullmatch(digest) else None
    if found is None:
        return error(
            "change_set_not_found",
            "change_set",
            f"there is no change set {digest:.80}",
            remedy="Make one of a sandbox: agentctl changeset make SANDBOX",
        )
    try:
        if sha256_hex(found.data) == digest:
            return decode_changeset(found.data)
        why = "its bytes do not have its digest"
    except ChangeSetError as failure:
        why = str(failure)
    return error(
        "change_set_not_found",
        "change_set",
        f"the change set {digest} is damaged: {why}",
        remedy="Restore it from a backup, or make it again of its sandbox.",
    )


async def base_files_of(cluster: Cluster, body: ChangeSetBody) -> Mapping[str, bytes]:
    """Returns the files that a kept change set stands on.

    Raises:
        BackendError: one of them is gone or damaged.
    """
    files = await cluster.catalog.source_files(body.base.source_digest)
    if files is None:
        msg = f"the source {body.base.source_digest}, on which a change set stands, is not whole"
        raise BackendError(msg)
    return files


async def replayed(
    files: Mapping[str, bytes], body: ChangeSetBody
) -> Mapping[str, bytes] | Diagnostic:
    """Returns what a change set makes of *files*, once it loads to what the change set promises."""
    made = applied(files, body)
    if isinstance(made, Diagnostic):
        return made
    async with TemporaryFolder(made) as path:
        why = divergence(body, await Folder(path).load(confined=True))
    return made if why is None else why


def file_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[FileChange, ...]:
    """Returns what becomes of each file that differs, by path."""
    return tuple(
        FileChange(path=path, old=_digest(before.get(path)), new=_digest(after.get(path)))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def blast_radius(changes: ChangeDiff) -> tuple[str, ...]:
    """Returns what a difference touches, one fact a line."""
    return tuple(_touched(changes))


def changed_paths(body: ChangeSetBody) -> tuple[str, ...]:
    """Returns the paths that a change set is about."""
    found = patched_paths(body.patch)
    return () if isinstance(found, Diagnostic) else found


async def _merge(
    cluster: Cluster,
    inner: Cluster,
    lending: Lending,
    after: SnapshotManifest,
    changes: ChangeDiff,
) -> MergePlan:
    """Returns how the rows come home, as the real cluster stands now."""
    head = await cluster.ledger.head()
    protected: Collection[str] = head.envelope.protected if head is not None else ()
    changed = {rows.graph for rows in changes.rows}
    lent = {one.incarnation: (root, one.commit) for root, one in lending.graphs.items()}
    sources: list[MergeSource] = []
    for graph, point in after.graphs.items():
        if graph not in changed:
            continue
        root, commit = lent.get(point.incarnation, (None, None))
        sources.append(
            MergeSource(
                graph=graph,
                branch=MAIN if root is None else trunk_of(lending.sandbox),
                commit=point.commit,
                into_commit=commit,
                migration=None if root is None else await _migration(cluster, inner, graph),
            )
        )
    return merge_plan(sources, changes.rows, protected=protected)


async def _migration(cluster: Cluster, inner: Cluster, graph: str) -> Migration | None:
    """Returns what the real graph is to become first; None where it has that schema already."""
    ours, theirs = await place_of(cluster, graph), await place_of(inner, graph)
    return await migration_between(ours, theirs)


async def migration_between(ours: Place, theirs: Place) -> Migration | None:
    """Returns the migration of one graph's `main` to the schema of the other's; None for none."""
    old = await ours.data.schema_at(ours.root)
    new = await theirs.data.schema_at(theirs.root)
    migration = plan_migration(old, catalog_of(new))
    return migration if migration.steps or not migration.supported else None


async def _snapshot(cluster: Cluster, inner: Cluster, made: Made, name: str, *, by: str) -> None:
    """Keeps the sandbox as the change set has it, unless that was done before.

    Raises:
        SandboxError: the sandbox was changed meanwhile.
    """
    try:
        taken = await take_snapshot(cluster, inner, name, by=by, commands=0)
    except SandboxError as failure:
        kept = await cluster.store.read(snapshot_key(made.after.sandbox, name))
        if kept is None:
            raise
        try:
            taken = decode_manifest(kept.data)
        except ManifestError:
            raise failure from None
    if content_digest(taken) != content_digest(made.after):
        raise SandboxError(
            error(
                "change_set_invalid",
                target_of(made.after.sandbox),
                "the sandbox was changed while its change set was made",
                remedy="Make the change set again.",
            )
        )


def _unloadable(sandbox_id: str, loaded: LoadedCluster) -> tuple[Diagnostic, ...]:
    why = error(
        "change_set_invalid",
        target_of(sandbox_id),
        "the files of the sandbox do not load, so that there is no change set of them",
        remedy="Mend what `validate` tells with the same `in`, then make the change set.",
    )
    return (why, *(d for d in loaded.diagnostics if d.severity == "error"))


def _touched(changes: ChangeDiff) -> Iterator[str]:
    yield from (f"file {path}: added" for path in changes.files_added)
    yield from (f"file {path}: modified" for path in changes.files_modified)
    yield from (f"file {path}: removed" for path in changes.files_removed)
    yield from (f"{one.name}: added" for one in changes.packages_added)
    yield from (f"{one.name}: changed" for one in changes.packages_changed)
    yield from (f"{one.name}: removed" for one in changes.packages_removed)
    yield from (f"{one.name}: {one.state or 'changed'}" for one in changes.services_changed)
    for rows in changes.rows:
        counts = f"{rows.added:,} added, {rows.changed:,} changed, {rows.removed:,} removed"
        yield f"rows of {rows.graph}.{rows.type_name}: {counts}"


def _digest(data: bytes | None) -> str | None:
    return None if data is None else sha256_hex(data)
