"""Archives what ops leave: their records, and a graph's data before it is purged. Source: ops 4, 5.

An archive that does not answer fails no op: what ended waits as `pending`, and every later sweep
tries again. Nothing is claimed to be archived before it was read back and has its digests; the
claim is a create-only object beside what it is about.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ops.archive import (
    BUNDLE_TAG,
    OP_TAG,
    WORKSPACE_TAG,
    Archive,
    Archived,
    ArchiveError,
    ArchiveSettings,
    RetentionSettings,
)
from agentctl.domain.ops.constraints import seconds
from agentctl.domain.ops.record import Constraint, GateOutcome, Op
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.journal import archived_key
from agentctl.engine.ledger import Head, LedgerError
from agentctl.engine.pins import graph_named
from agentctl.engine.world import stamp_now
from agentctl.graph.layout import commit_key
from agentctl.ids import OPS, graph_address
from agentctl.instants import parse_instant

BATCH_COUNT_MAX: Final = 50
"""How many ops go into one snapshot."""


class ArchiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep archived."""

    archived: tuple[str, ...] = ()
    """Ids of ops."""
    pending: int = 0
    """How many wait still."""
    trouble: Diagnostic | None = None


async def ops_fields(cluster: Cluster, head: Head | None) -> Mapping[str, object]:
    """Returns the applied section `ops`; nothing where there is none, or its payload is lost."""
    if head is None:
        return {}
    applied = head.envelope.state.applied_revision.resources.get(OPS)
    if applied is None:
        return {}
    return await cluster.catalog.read_fields(OPS, applied.digest) or {}


async def archive_of(cluster: Cluster, head: Head | None) -> Archive | None:
    """Returns the configured archive; None where none is, or this process can open none.

    Raises:
        ArchiveError: the settings name no place.
    """
    written = (await ops_fields(cluster, head)).get("archive")
    if written is None or cluster.make_archive is None:
        return None
    settings = msgspec.convert(written, ArchiveSettings)
    return cluster.make_archive(settings, cluster.folder.path)


async def retention_of(cluster: Cluster, head: Head | None) -> RetentionSettings:
    """Returns the applied rules of what archives keep; the seed's where none are applied."""
    written = (await ops_fields(cluster, head)).get("retention")
    return msgspec.convert(written, RetentionSettings) if written else RetentionSettings()


async def archive_pending(cluster: Cluster) -> ArchiveRun:
    """Archives the ops that wait for it; trouble is told and leaves them waiting."""
    if cluster.make_archive is None:
        return ArchiveRun()
    try:
        archive = await archive_of(cluster, await cluster.ledger.head())
        waiting = await cluster.journal.unarchived() if archive is not None else ()
        if archive is None or not waiting:
            return ArchiveRun()
        done: list[str] = []
        for start in range(0, len(waiting), BATCH_COUNT_MAX):
            batch = waiting[start : start + BATCH_COUNT_MAX]
            await _keep_ops(cluster, archive, batch)
            done += batch
        return ArchiveRun(archived=tuple(done))
    except (ArchiveError, BackendError, LedgerError) as failure:
        left = await _left(cluster)
        return ArchiveRun(pending=left, trouble=archive_trouble(failure))


def archive_trouble(failure: Exception) -> Diagnostic:
    """Returns what is told of an archive that did not do what it was asked."""
    code = failure.code if isinstance(failure, ArchiveError) else "archive_unavailable"
    return warning(
        code,
        OPS,
        f"nothing was archived: {failure}",
        detail="What is to be archived waits, and a later apply, refresh or `agentctl archive run` "
        "tries again.",
        remedy="agentctl archive run",
    )


async def bundled(
    cluster: Cluster, root: str, incarnation: str, tombstone: int
) -> Diagnostic | None:
    """Makes sure that an archive holds a graph's data before it is purged; returns why it does not.

    Where no archive is configured, none has to. A bundle is of one tombstone, by its number: one
    that was made before the graph was restored, written to and deleted again is not enough.
    """
    name = f"{root}.{incarnation}"
    key = f"__cluster/archive/{name}.{tombstone}.json"
    try:
        archive = await archive_of(cluster, await cluster.ledger.head())
        if archive is None or await _is_held(
            cluster, (key, f"__cluster/archive/{name}.json"), root, tombstone
        ):
            return None
        kept = await _keep_graph(cluster, archive, root, incarnation, {BUNDLE_TAG: (name,)})
        await cluster.store.create(key, _text(kept))
    except (ArchiveError, BackendError, LedgerError) as failure:
        told = archive_trouble(failure)
        return msgspec.structs.replace(
            told,
            path=graph_address(root),
            message=f"graph {root} is not purged: {failure}",
        )
    return None


async def _is_held(cluster: Cluster, keys: Iterable[str], root: str, tombstone: int) -> bool:
    """Returns whether one of the claims says that the archive holds the graph up to its tombstone."""
    for key in keys:
        stored = await cluster.store.read(key)
        if stored is not None and commit_key(root, tombstone) in _claim(stored.data):
            return True
    return False


def _claim(data: bytes) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(data, type=Archived).objects
    except msgspec.DecodeError:
        return {}


async def backed_up(cluster: Cluster, op: Op, one: Constraint, head: Head | None) -> GateOutcome:
    """Returns the outcome of a backup gate that asks for the archive: passed only with an id."""
    graph = graph_named(one.resource)
    if graph is None:
        return _no(one, "only graphs go into an archive")
    live = await observe_graph(cluster, graph)
    if live.presence != "live" or live.incarnation is None:
        return _no(one, f"graph {graph} is {live.presence}")
    try:
        archive = await archive_of(cluster, head)
        if archive is None:
            return _no(one, "no archive is configured")
        root = await cluster.graphs.root_of(graph)
        bundle = f"{root}.{live.incarnation}"
        young = await _young(cluster, archive, bundle, seconds(one, "max_age", 0))
        if young is not None:
            return GateOutcome(kind=one.kind, resource=one.resource, passed=True, artifact=young)
        tags = {OP_TAG: (op.id,), BUNDLE_TAG: (bundle,)}
        kept = await _keep_graph(cluster, archive, root, live.incarnation, tags)
    except ArchiveError as failure:
        return _no(one, str(failure))
    return GateOutcome(kind=one.kind, resource=one.resource, passed=True, artifact=kept.snapshot)


async def _young(cluster: Cluster, archive: Archive, bundle: str, age_s: float) -> str | None:
    """Returns the newest snapshot of *bundle* that is not older than so many seconds and can be read."""
    since = cluster.world.now() - timedelta(seconds=age_s)
    for held in reversed(await archive.held() if age_s else ()):
        if bundle in held.tags.get(BUNDLE_TAG, ()) and parse_instant(held.at) >= since:
            return held.id if await archive.bring(held.id) else None
    return None


async def provable(
    cluster: Cluster, one: Constraint, snapshot: str, head: Head | None
) -> GateOutcome:
    """Returns the outcome of a restore gate that names a snapshot: it was restored, into nowhere."""
    try:
        archive = await archive_of(cluster, head)
        if archive is None:
            return _no(one, "no archive is configured")
        objects = await archive.bring(snapshot)
    except ArchiveError as failure:
        return _no(one, str(failure))
    if not objects:
        return _no(one, f"snapshot {snapshot} holds nothing")
    return GateOutcome(kind=one.kind, resource=one.resource, passed=True)


async def _keep_ops(cluster: Cluster, archive: Archive, ops: Iterable[str]) -> None:
    by_op: dict[str, dict[str, bytes]] = {}
    for op in ops:
        keys = await cluster.store.list(f"ops/{op}/")
        by_op[op] = await _read(cluster, (k for k in keys if k != archived_key(op)))
    name = cluster.name or cluster.folder.path.name
    whole = {key: data for objects in by_op.values() for key, data in objects.items()}
    snapshot = await _kept(archive, whole, {OP_TAG: tuple(by_op), WORKSPACE_TAG: (name,)})
    at = stamp_now(cluster.world)
    for op, objects in by_op.items():
        digests = {key: sha256_hex(data) for key, data in objects.items()}
        claim = Archived(snapshot=snapshot, tool=archive.tool, at=at, objects=digests)
        await cluster.store.create(archived_key(op), _text(claim))


async def _keep_graph(
    cluster: Cluster,
    archive: Archive,
    root: str,
    incarnation: str,
    tags: Mapping[str, tuple[str, ...]],
) -> Archived:
    base = f"graphs/{root}.omni/"
    keys = [
        key
        for key in await cluster.store.list(base)
        if not key.startswith(f"{base}data/") or key.startswith(f"{base}data/{incarnation}/")
    ]
    objects = await _read(cluster, keys)
    snapshot = await _kept(archive, objects, tags)
    digests = {key: sha256_hex(data) for key, data in objects.items()}
    at = stamp_now(cluster.world)
    return Archived(snapshot=snapshot, tool=archive.tool, at=at, objects=digests)


async def _kept(
    archive: Archive, objects: Mapping[str, bytes], tags: Mapping[str, tuple[str, ...]]
) -> str:
    """Returns the id of a snapshot that was read back and is what went in."""
    snapshot = await archive.keep(objects, tags)
    if dict(await archive.bring(snapshot)) != dict(objects):
        msg = f"snapshot {snapshot} does not give back what went in"
        raise ArchiveError(msg, code="archive_unverified")
    return snapshot


async def _read(cluster: Cluster, keys: Iterable[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key in keys:
        stored = await cluster.store.read(key)
        if stored is not None:
            found[key] = stored.data
    return found


async def _left(cluster: Cluster) -> int:
    try:
        return len(await cluster.journal.unarchived())
    except BackendError:
        return 0


def _no(one: Constraint, why: str) -> GateOutcome:
    return GateOutcome(kind=one.kind, resource=one.resource, passed=False, reason=why)


def _text(value: Archived) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2) + b"\n"
