"""Forgets snapshots that no rule keeps and nothing needs, then prunes and checks. Source: ops 4, 5."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.archive import Archive, ArchiveError, kept
from agentctl.engine.archiving import archive_of, retention_of
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import known_graphs
from agentctl.engine.ledger import Head

OPS_READ_MAX = 10_000


class RetentionRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was forgotten, or would be."""

    kept: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    """Ops whose snapshots stay whatever the rules say."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def retain(cluster: Cluster, *, dry_run: bool) -> RetentionRun:
    """Applies the applied retention to the archive; with *dry_run* only tells.

    Two phases of the tool: forget, then prune and check.
    """
    head = await cluster.ledger.head()
    try:
        archive = await archive_of(cluster, head)
        if archive is None:
            told = error("archive_not_configured", "ops", "no archive is configured")
            return RetentionRun(diagnostics=(told,))
        return await _retain(cluster, archive, head, dry_run=dry_run)
    except ArchiveError as failure:
        told = error(failure.code, "ops", str(failure), remedy="agentctl archive status")
        return RetentionRun(diagnostics=(told,))


async def pinned_ops(cluster: Cluster, head: Head | None) -> frozenset[str]:
    """Returns the ops whose archives something still needs.

    What a rollback undid and what it came to; what an approval that is not used up rests on; whose
    commits graphs keep; what the newest revision was made by.
    """
    needed: set[str] = set()
    if head is not None and head.envelope.op is not None:
        needed.add(head.envelope.op)
    records = await cluster.approvals.records()
    used = {c.approval_id for c in records.consumptions}
    for op in await cluster.journal.list(OPS_READ_MAX):
        if op.lineage.rollback_of is not None:
            needed |= {op.id, op.lineage.rollback_of}
        named = {t.removeprefix("approval:") for t in op.targets if t.startswith("approval:")}
        if named - used:
            needed.add(op.id)
    state = head.envelope.state if head is not None else None
    for graph in sorted(known_graphs(None, state)):
        needed |= {pin.op for pin in await cluster.graphs.pins(graph)}
    return frozenset(needed)


async def _retain(
    cluster: Cluster, archive: Archive, head: Head | None, *, dry_run: bool
) -> RetentionRun:
    pinned = await pinned_ops(cluster, head)
    held = await archive.held()
    stay = kept(held, await retention_of(cluster, head), pinned)
    gone = tuple(one.id for one in held if one.id not in stay)
    if gone and not dry_run:
        await archive.forget(gone)
    return RetentionRun(
        kept=tuple(one.id for one in held if one.id in stay),
        forgotten=gone,
        pinned=tuple(sorted(pinned & {op for one in held for op in one.ops})),
    )
