"""`refresh` and `import`: the ledger learns what is there. Source: control-plane 1.7, 1.11.

Both run under the cluster's lease and look, in this order, at interrupted steps, payloads and
graphs. `import` makes the first revision, and records only what it sees: live graphs with their
schemas, no query and no policy; an error prevents it. Neither touches a graph, but for the purge of
what is past its time. Where a ledger was lost, `import` is how it is made again: definition comes
from the graphs, consumed approvals stay consumed, and what cannot be made again is told.
"""

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.envelope import AppliedSource
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.record import Op, OpVerb
from agentctl.domain.policy.caller import Caller
from agentctl.engine.advance import (
    graph_purged,
    recorded_digests,
    with_config_digest,
)
from agentctl.engine.archiving import archive_pending
from agentctl.engine.binding import bind
from agentctl.engine.bracket import Begin, abandon_op, begin_op, end_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.drift import roots_seen
from agentctl.engine.finding import found_by_name, name_roots
from agentctl.engine.gather import FOLDER, known_graphs, load_target
from agentctl.engine.leases import CLUSTER, Lease
from agentctl.engine.ledger import Head
from agentctl.engine.left_writes import settle_ops
from agentctl.engine.looking import look, other_roots
from agentctl.engine.observe import state_seen
from agentctl.engine.proving import unsafe_root
from agentctl.engine.ready import settled_head
from agentctl.engine.rebuilding import heal_rules, rebuild
from agentctl.engine.record import commit_revision, consume
from agentctl.engine.results import RefreshResult
from agentctl.engine.sweep import Swept, due_purges, purge, remove_settled, sweep
from agentctl.engine.withholding import withheld_of_refresh
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.port import Stamp


async def refresh(
    cluster: Cluster, caller: Caller, intent: str, *, wait_s: float = 0
) -> RefreshResult:
    """Returns what the ledger records after it learned what is there.

    Raises:
        StateLockHeldError: another command holds the cluster's lease.
        LeaseLostError: the lease was taken over.
        BackendError: the storage failed.
    """
    async with cluster.leases.hold(
        CLUSTER, principal=caller.id, operation="refresh", wait_s=wait_s
    ) as lease:
        result = await _Look(cluster, caller, intent, lease).refresh()
    swept = await archive_pending(cluster)
    if swept.trouble is None:
        return result
    told = sort_diagnostics((*result.diagnostics, swept.trouble))
    return msgspec.structs.replace(result, diagnostics=told)


async def import_(
    cluster: Cluster, caller: Caller, intent: str, *, wait_s: float = 0
) -> RefreshResult:
    """Makes the ledger's first revision from the graphs that are there.

    Raises:
        StateLockHeldError: another command holds the cluster's lease.
        LeaseLostError: the lease was taken over.
        BackendError: the storage failed.
    """
    async with cluster.leases.hold(
        CLUSTER, principal=caller.id, operation="import", wait_s=wait_s
    ) as lease:
        return await _Look(cluster, caller, intent, lease).first()


class _Look:
    """One refresh or import under its lease."""

    def __init__(self, cluster: Cluster, caller: Caller, intent: str, lease: Lease) -> None:
        self._cluster = cluster
        self._caller = caller
        self._intent = intent
        self._lease = lease
        self._told = Bag()

    async def refresh(self) -> RefreshResult:
        """Looks, and records what was seen above the newest revision."""
        cluster, lease = self._cluster, self._lease
        head = await settled_head(cluster, lease, self._told)
        desired = await self._desired() if head is not None else None
        if head is None or desired is None:
            return await self._answer("refresh", head)
        op = await self._begin("refresh", head)
        try:
            head = await self._refreshed(head, desired, op)
        except Exception as failure:
            await abandon_op(cluster, op, lease, str(failure))
            raise
        await end_op(cluster, op, lease, head)
        return await self._answer("refresh", head, op)

    async def first(self) -> RefreshResult:
        """Looks, and records what was seen as revision 1."""
        cluster, lease = self._cluster, self._lease
        head = await cluster.ledger.head()
        if head is not None:
            self._told.add(
                error(
                    "state_already_exists",
                    "cluster",
                    f"the cluster has a ledger; its newest object is {head.seq}",
                    remedy="agentctl refresh",
                )
            )
            return await self._answer("import", head)
        desired = await self._desired()
        unsafe = await unsafe_root(cluster)
        if unsafe is not None:
            self._told.add(unsafe)
        if desired is None or unsafe is not None:
            return await self._answer("import", None)
        op_id = cluster.journal.mint_id(self._caller.nid)
        rebuilt = await rebuild(cluster, self._caller, desired, op=op_id)
        self._told.add(*rebuilt.diagnostics)
        if has_errors(self._told):
            return await self._answer("import", None)
        await settle_ops(cluster, lease)
        op = await self._begin("import", None, op_id=op_id)
        try:
            state = with_config_digest(rebuilt.state, desired.config_digest)
            head = await self._commit_first(state, desired, op)
        except Exception as failure:
            await abandon_op(cluster, op, lease, str(failure))
            raise
        await self._settle(rebuilt.swept, op, head)
        await end_op(cluster, op, lease, head)
        return await self._answer("import", head, op)

    async def _desired(self) -> DesiredCluster | None:
        target = await load_target(self._cluster, self._caller, FOLDER)
        self._told.add(*target.diagnostics)
        return target.desired

    async def _begin(self, action: str, head: Head | None, op_id: str | None = None) -> Op:
        verb: OpVerb = "install" if action == "import" else "update"
        begin = Begin(action=action, verb=verb, intent=self._intent, op_id=op_id)
        return await begin_op(
            self._cluster, self._caller, begin, lease=self._lease, head=head, live={}
        )

    async def _refreshed(self, head: Head, desired: DesiredCluster, op: Op) -> Head:
        cluster = self._cluster
        swept = await sweep(cluster, self._caller, head.envelope.state, op=op.id)
        swept, split = withheld_of_refresh(
            swept, head.envelope.state, desired, head.envelope.settings
        )
        self._told.add(*swept.diagnostics, *split)
        state = await self._purged(swept.state, op)
        await heal_rules(cluster, desired, state)
        named = await found_by_name(cluster, desired, state)
        pending = frozenset(swept.pending_among(known_graphs(desired, named.state)))
        looked = await look(named.cluster, desired, named.state, pending=pending)
        at = stamp_now(cluster.world)
        strange = await other_roots(named.cluster, desired, looked.state)
        others = roots_seen(looked.state, strange, at=at)
        self._told.add(*named.diagnostics, *looked.diagnostics, *others.diagnostics)
        self._told.add(*await name_roots(cluster, others.state, looked.live, op=op.id, at=at))
        new_head = await commit_revision(
            cluster,
            base=head,
            kind="refresh",
            op=op.id,
            lease=self._lease,
            state=others.state,
            source=head.envelope.source,
            always=True,
        )
        await self._settle(swept, op, new_head)
        return new_head

    async def _settle(self, swept: Swept, op: Op, head: Head) -> None:
        """Takes away what the ledger has made superfluous by recording it."""
        self._told.add(*await remove_settled(self._cluster, swept.settled))
        for approval_id in swept.used:
            await consume(self._cluster, approval_id, op=op.id, seq=head.seq)

    async def _purged(self, state: State, op: Op) -> State:
        for due in due_purges(state, stamp_now(self._cluster.world)):
            trouble: Diagnostic | None = await purge(
                self._cluster, due, lease=self._lease, stamp=self._stamp(op)
            )
            if trouble is not None:
                self._told.add(trouble)
            else:
                state = graph_purged(state, due.key, at=stamp_now(self._cluster.world))
        return state

    def _stamp(self, op: Op) -> Stamp:
        # The tombstone's epoch takes the place of this one: no lease of the graph is held.
        return Stamp(
            op=op.id,
            actor=self._caller.id,
            on_behalf_of=self._caller.on_behalf_of,
            intent=self._intent,
            epoch=0,
            nonce=mint_nonce(self._cluster.world),
            at=stamp_now(self._cluster.world),
        )

    async def _commit_first(self, state: State, desired: DesiredCluster, op: Op) -> Head:
        cluster = self._cluster
        await cluster.catalog.publish_source(desired.files, desired.source_digest)
        registry = await cluster.principals.registry()
        if not registry.exists:
            registry = await cluster.principals.genesis()
        await bind(cluster.home, cluster_id=registry.cluster_id, storage=cluster.storage)
        return await commit_revision(
            cluster,
            base=None,
            kind="import",
            op=op.id,
            lease=self._lease,
            state=state,
            source=AppliedSource(digest=desired.source_digest),
        )

    async def _answer(self, kind: str, head: Head | None, op: Op | None = None) -> RefreshResult:
        state = head.envelope.state if head is not None else State()
        return RefreshResult(
            ok=not has_errors(self._told),
            operation="import" if kind == "import" else "refresh",
            config_dir=self._cluster.config_dir,
            state_observations=await state_seen(self._cluster, head, lease=self._lease),
            resource_digests=recorded_digests(state),
            resource_statuses=state.resource_statuses,
            observations=state.observations,
            diagnostics=sort_diagnostics(self._told),
            op=op.id if op is not None else None,
        )
