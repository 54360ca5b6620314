"""What `import` makes of a storage root that has no ledger, and how a lost rule is mended.

The graphs hold the definition of themselves, so graphs and schemas are recorded as they are, and a
renamed graph under the name that its root has on record; nothing else is invented: queries, policies, providers and settings come with the next apply, behind their
gates. What is on record beside the ledger is kept true: interrupted steps are settled, and an
approval that was consumed stays consumed. What cannot be made again is told. Source: control-plane
3, seeds/001.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import ApprovalUse, State
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import recorded_digests
from agentctl.engine.catalog import payload_digest
from agentctl.engine.cluster import Cluster
from agentctl.engine.drift import KEPT_KINDS, roots_seen
from agentctl.engine.finding import found_by_name
from agentctl.engine.looking import look, other_roots
from agentctl.engine.sweep import Swept, sweep
from agentctl.engine.world import stamp_now
from agentctl.ids import policy_address


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What the first revision says."""

    state: State
    swept: Swept
    diagnostics: tuple[Diagnostic, ...]


async def rebuild(cluster: Cluster, caller: Caller, desired: DesiredCluster, *, op: str) -> Rebuilt:
    """Returns the state that the storage root shows; writes nothing.

    Args:
        cluster: the opened cluster, which has no ledger, its lease held.
        caller: who imports.
        desired: what the folder declares.
        op: the op that will record it.
    """
    records = await cluster.approvals.records()
    used = {
        c.approval_id: ApprovalUse(
            consumed_at=c.consumed_at, consumed_by_operation=c.consumed_by_operation
        )
        for c in sorted(records.consumptions, key=lambda c: c.approval_id)
    }
    named = await found_by_name(cluster, desired, State(approval_records=used))
    cluster = named.cluster
    swept = await sweep(cluster, caller, named.state, op=op)
    pending = frozenset(swept.pending_among(graph.id for graph in desired.graphs))
    looked = await look(cluster, desired, swept.state, pending=pending)
    others = await other_roots(cluster, desired, looked.state)
    strange = roots_seen(looked.state, others, at=stamp_now(cluster.world))
    told = [*named.diagnostics, *swept.diagnostics, *looked.diagnostics, *strange.diagnostics]
    found = _lived((*looked.live.values(), *others))
    if found:
        told.append(await _what_is_left(cluster, found, used))
    return Rebuilt(state=strange.state, swept=swept, diagnostics=tuple(told))


async def heal_rules(cluster: Cluster, desired: DesiredCluster, state: State) -> None:
    """Writes again what the catalog lost of policies, approval rules and ops, where the folder has the same.

    The digest is the recorded one, so nothing is changed by it; what the folder has otherwise is a
    change, and waits for its gate.
    """
    recorded = recorded_digests(state)
    for address, data in _rules(desired):
        digest = recorded.get(address)
        if digest is None or payload_digest(address, data) != digest:
            continue
        check = await cluster.catalog.check(address, digest)
        if check is not None and check.standing in {"missing", "mismatch"}:
            await cluster.catalog.publish(check.key, data)


def _rules(desired: DesiredCluster) -> Iterator[tuple[str, bytes]]:
    """Yields what the folder has of the kinds that hold without their payload, with its content."""
    for policy in desired.policies:
        yield policy_address(policy.name), desired.files[policy.file]
    for other in desired.others:
        if other.kind in KEPT_KINDS:
            yield other.address, canonical_bytes(other.fields)


def _lived(seen: Iterable[LiveGraph]) -> tuple[str, ...]:
    """Returns the graphs that were there before this ledger."""
    return tuple(sorted(g.graph_id for g in seen if g.presence in {"live", "detached", "purged"}))


async def _what_is_left(
    cluster: Cluster, found: tuple[str, ...], used: Mapping[str, ApprovalUse]
) -> Diagnostic:
    """Returns what of the cluster's former life is on record, and what is not."""
    registry = await cluster.principals.registry()
    audit = (await cluster.audit.head()).length
    records = await cluster.approvals.records()
    decisions = len(records.artifacts)
    lines = [
        f"principals: {'on record' if registry.exists else 'none; a new chain begins'}",
        f"audit: {audit:,} on record" if audit > 1 else "audit: nothing from before",
        f"decisions: {decisions:,} on record, {len(used):,} of them consumed"
        if decisions
        else "decisions: none on record",
        "queries, policies, providers, settings, protection: not recorded; the next apply proposes"
        " those that the folder declares, behind their gates",
    ]
    names = ", ".join(found[:_NAMED_MAX]) + (", ..." if len(found) > _NAMED_MAX else "")
    return warning(
        "ledger_rebuilt",
        "cluster",
        f"there were graphs before this ledger ({names}); it was made again from them",
        detail="\n".join(lines),
        remedy="Restore what is missing from a backup of the storage root before you go on, if you"
        " have one; else: agentctl plan",
    )


_NAMED_MAX = 5
