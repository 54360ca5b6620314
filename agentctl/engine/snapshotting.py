"""Snapshots of a sandbox, and what changed between two of them. Source: sandboxes 4, Diff; ADR 27.

A snapshot names: the files by digest, the commit of each graph, the ledger's object. Nothing is
copied; the commits are pinned first, the files are kept by their digests, and the record is written
last. `base` is the sandbox as it was opened, and `now` as it is; no snapshot can be called so.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.sandbox.comparing import SnapshotView, diff
from agentctl.domain.sandbox.difference import ChangeDiff, CommandSummary, RowChanges
from agentctl.domain.sandbox.lending import Lending, room_of, target_of
from agentctl.domain.sandbox.manifest import (
    GraphPoint,
    LedgerPoint,
    ManifestError,
    SnapshotManifest,
    decode_manifest,
    manifest_bytes,
)
from agentctl.domain.sandbox.row_difference import ChangedRow, counted_rows
from agentctl.domain.sandbox.schema_difference import wanted_schemas
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.catalog import file_key
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs, observe_graph, observe_graphs
from agentctl.engine.graph_data import place_of
from agentctl.engine.lending import SandboxError
from agentctl.engine.temporary import TemporaryFolder
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.branching.told import EntityChange
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp

if TYPE_CHECKING:
    from agentctl.languages.schema.ir import SchemaIr

BASE: Final = "base"
NOW: Final = "now"
RESERVED: Final = frozenset({BASE, NOW})
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_COMMITS_MAX: Final = 10_000


def snapshot_key(sandbox_id: str, name: str) -> str:
    """Returns the key of a snapshot's record."""
    return f"{room_of(sandbox_id)}snapshots/{name}.json"


async def take_snapshot(
    cluster: Cluster, inner: Cluster, name: str, *, by: str, commands: int
) -> SnapshotManifest:
    """Keeps a sandbox as it is now, under a name of its own.

    Args:
        cluster: the real one.
        inner: the sandbox's.
        name: not yet used in the sandbox.
        by: the principal.
        commands: how many commands were run before.

    Raises:
        SandboxError: the name is none, or was used before.
    """
    sandbox_id = _sandbox_of(inner)
    if _NAME.fullmatch(name) is None or name in RESERVED:
        raise SandboxError(_bad_name(sandbox_id, name))
    key = snapshot_key(sandbox_id, name)
    if await cluster.store.read(key) is not None:
        raise SandboxError(_taken(sandbox_id, name))
    taken = await manifest_now(cluster, inner, name=name, commands=commands)
    loaded = await inner.folder.load(confined=True)
    await inner.catalog.publish_source(loaded.files, loaded.source_digest)
    for graph, point in taken.graphs.items():
        await inner.graphs.pin(graph, point.commit, stamp=_stamp(inner, by, name))
    if not await cluster.store.create(key, manifest_bytes(taken)):
        raise SandboxError(_taken(sandbox_id, name))
    return taken


async def snapshot_named(
    cluster: Cluster, inner: Cluster, lending: Lending, name: str
) -> SnapshotManifest:
    """Returns a snapshot by its name, or the sandbox as it was opened, or as it is.

    Raises:
        SandboxError: there is none of that name, or its record is damaged.
    """
    if name == NOW:
        return await manifest_now(cluster, inner, name=NOW, commands=_COMMITS_MAX)
    if name == BASE:
        return await _base_manifest(inner, lending)
    found = None
    if _NAME.fullmatch(name) is not None:
        found = await cluster.store.read(snapshot_key(lending.sandbox, name))
    if found is None:
        raise SandboxError(
            error(
                "sandbox_snapshot_missing",
                target_of(lending.sandbox),
                f"the sandbox has no snapshot `{name}`",
                remedy=f"agentctl sandbox show {lending.sandbox}",
            )
        )
    try:
        return decode_manifest(found.data)
    except ManifestError as failure:
        said = f"the record of snapshot `{name}` is damaged: {failure}"
        raise SandboxError(
            error("sandbox_snapshot_missing", target_of(lending.sandbox), said)
        ) from failure


async def snapshot_taken_at(cluster: Cluster, sandbox_id: str, name: str) -> str | None:
    """Returns when a snapshot that is kept was taken; None where there is none that can be read."""
    found = await cluster.store.read(snapshot_key(sandbox_id, name))
    try:
        return None if found is None else decode_manifest(found.data).at
    except ManifestError:
        return None


async def snapshot_names(cluster: Cluster, sandbox_id: str) -> tuple[str, ...]:
    """Returns the names of a sandbox's snapshots, in their order."""
    prefix = f"{room_of(sandbox_id)}snapshots/"
    keys = await cluster.store.list(prefix)
    return tuple(key.removeprefix(prefix).removesuffix(".json") for key in keys)


async def manifest_now(
    cluster: Cluster, inner: Cluster, *, name: str, commands: int
) -> SnapshotManifest:
    """Returns where everything of a sandbox stands now; keeps nothing."""
    sandbox_id = _sandbox_of(inner)
    draft = await cluster.drafts.show(sandbox_id)
    edits = 0 if isinstance(draft, Diagnostic) else len(draft.edits)
    loaded = await inner.folder.load(confined=True)
    head = await inner.ledger.head()
    assert head is not None, "an open sandbox has a ledger"
    ids = known_graphs(None, head.envelope.state) | set(await inner.graphs.roots())
    live = await observe_graphs(inner, ids)
    return SnapshotManifest(
        sandbox=sandbox_id,
        name=name,
        at=stamp_now(inner.world),
        files={path: sha256_hex(data) for path, data in sorted(loaded.files.items())},
        edits=edits,
        ledger=LedgerPoint(seq=head.seq, state_digest=head.state_cas),
        graphs={g: _point(seen) for g, seen in sorted(live.items()) if seen.presence == "live"},
        commands=commands,
    )


async def difference(
    inner: Cluster,
    before: SnapshotManifest,
    after: SnapshotManifest,
    *,
    commands: Iterable[CommandSummary] = (),
) -> ChangeDiff:
    """Returns what changed between two snapshots of one sandbox, every list of it.

    Raises:
        GraphError: a commit that one of them names cannot be read any more.
        BackendError: a file of one of them is gone, or the storage root failed.
    """
    rows: list[RowChanges] = []
    for graph in sorted({*before.graphs, *after.graphs}):
        rows += await _rows(inner, graph, before.graphs.get(graph), after.graphs.get(graph))
    return diff(await _view(inner, before), await _view(inner, after), rows=rows, commands=commands)


async def files_of(inner: Cluster, manifest: SnapshotManifest) -> dict[str, bytes]:
    """Returns the files of a snapshot.

    Raises:
        BackendError: one of them is gone or damaged.
    """
    files: dict[str, bytes] = {}
    now: Mapping[str, bytes] | None = None
    for path, digest in manifest.files.items():
        kept = await inner.store.read(file_key(digest))
        data = kept.data if kept is not None and sha256_hex(kept.data) == digest else None
        if data is None:  # as it is now, nothing is kept of it
            now = now if now is not None else (await inner.folder.load(confined=True)).files
            data = now.get(path)
        if data is None or sha256_hex(data) != digest:
            msg = f"the file {path} of snapshot {manifest.name} is gone"
            raise BackendError(msg)
        files[path] = data
    return files


async def loaded_of(inner: Cluster, manifest: SnapshotManifest) -> LoadedCluster:
    """Returns the configuration of a snapshot, as it loads."""
    async with TemporaryFolder(await files_of(inner, manifest)) as path:
        return await Folder(path).load(confined=True)


async def _view(inner: Cluster, manifest: SnapshotManifest) -> SnapshotView:
    loaded = await loaded_of(inner, manifest)
    live: dict[str, SchemaIr] = {}
    there = await observe_graphs(inner, manifest.graphs)
    for graph, point in manifest.graphs.items():
        # Of one that was deleted since, types are known by their names.
        if (there[graph].presence, there[graph].incarnation) == ("live", point.incarnation):
            place = await place_of(inner, graph)
            live[graph] = await place.data.schema_at(place.root, at=str(point.commit))
    schemas = wanted_schemas(loaded.desired, live) if loaded.desired is not None else live
    return SnapshotView(files=manifest.files, config=loaded.desired, schemas=schemas)


async def _rows(
    inner: Cluster, graph: str, before: GraphPoint | None, after: GraphPoint | None
) -> list[RowChanges]:
    """Returns what became of the rows of a graph; of one made anew all of both."""
    if before is not None and after is not None and before.incarnation == after.incarnation:
        if before.content_digest == after.content_digest:
            return []
        live = await observe_graph(inner, graph)
        if (live.presence, live.incarnation) != ("live", before.incarnation):
            return _by_counts(graph, before, after)
        place = await place_of(inner, graph)
        report = await place.data.diff(place.root, str(before.commit), str(after.commit))
        return [
            counted_rows(
                graph,
                told.type,
                added=told.inserted,
                changed=told.updated,
                removed=told.deleted,
                sample=(_changed(graph, told.type, change) for change in told.sample),
            )
            for told in report.types
            if told.inserted or told.updated or told.deleted
        ]
    return _by_counts(graph, before, after)


def _by_counts(graph: str, before: GraphPoint | None, after: GraphPoint | None) -> list[RowChanges]:
    """Returns what became of the rows of a graph that cannot be looked at any more, in counts."""
    same = before is not None and after is not None and before.incarnation == after.incarnation
    gone = before.rows if before is not None else {}
    come = after.rows if after is not None else {}
    names = sorted({*gone, *come})
    told = [(name, come.get(name, 0), gone.get(name, 0)) for name in names]
    if same:
        told = [(name, max(now - was, 0), max(was - now, 0)) for name, now, was in told]
    return [
        RowChanges(graph=graph, type_name=name, added=now, changed=0, removed=was, sample=())
        for name, now, was in told
        if now or was
    ]


def _changed(graph: str, type_name: str, change: EntityChange) -> ChangedRow:
    return ChangedRow(
        graph=graph,
        type_name=type_name,
        key=change.id,
        before=_side(change.before),
        after=_side(change.after),
    )


def _side(side: object) -> Mapping[str, object] | None:
    if side is None:
        return None
    found = msgspec.to_builtins(side)
    assert isinstance(found, dict)
    return found


def _point(live: LiveGraph) -> GraphPoint:
    assert live.incarnation is not None
    assert live.commit is not None
    return GraphPoint(
        incarnation=live.incarnation,
        branch=MAIN,
        commit=live.commit,
        content_digest=live.content or "",
        schema_digest=live.source_digest,
        shape_digest=live.shape_digest,
        rows=dict(live.rows),
    )


async def _base_manifest(inner: Cluster, lending: Lending) -> SnapshotManifest:
    files = await inner.catalog.source_files(lending.base.source)
    if files is None:
        msg = f"the source {lending.base.source} of sandbox {lending.sandbox} is not whole"
        raise BackendError(msg)
    first = await inner.ledger.at(1)
    graphs: dict[str, GraphPoint] = {}
    for lent in lending.graphs.values():
        graphs[lent.graph] = GraphPoint(
            incarnation=lent.incarnation,
            branch=MAIN,
            commit=1,
            content_digest=lent.content,
            schema_digest=lent.schema_digest,
            shape_digest=None,
            rows=lent.rows,
        )
    return SnapshotManifest(
        sandbox=lending.sandbox,
        name=BASE,
        at=lending.at,
        files={path: sha256_hex(data) for path, data in sorted(files.items())},
        edits=0,
        ledger=None if first is None else LedgerPoint(seq=1, state_digest=first.state_cas),
        graphs=graphs,
        commands=0,
    )


def _stamp(inner: Cluster, by: str, name: str) -> Stamp:
    return Stamp(
        op=f"snapshot-{name}",
        actor=by,
        on_behalf_of=None,
        intent=f"snapshot {name}",
        epoch=0,
        nonce=mint_nonce(inner.world),
        at=stamp_now(inner.world),
    )


def _bad_name(sandbox_id: str, name: str) -> Diagnostic:
    return error(
        "sandbox_snapshot_name",
        target_of(sandbox_id),
        f"no snapshot can be called `{name}`",
        remedy="Take letters, digits, `.`, `-` and `_`, at most 64; not `base` or `now`.",
    )


def _taken(sandbox_id: str, name: str) -> Diagnostic:
    return error(
        "sandbox_snapshot_exists",
        target_of(sandbox_id),
        f"the sandbox has a snapshot `{name}` already; it is as it was",
        remedy="Take another name.",
    )


def _sandbox_of(inner: Cluster) -> str:
    assert inner.sandbox is not None, "snapshots are of sandboxes"
    return inner.sandbox
