"""Evaluates the gates of an op, each of them, before anything is executed. Source: ops 2, 3.

A gate that says no ends the op as `constraint_failed`; what other gates made, a pin for one, stays
named in the record. Locks that were taken are held until the op is over.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ops.constraints import (
    DRY_RUN_LIFE,
    dry_run_reason,
    expanded,
    faults,
    refused,
    report,
    seconds,
)
from agentctl.domain.ops.record import Constraint, ConstraintKind, Constraints, GateOutcome, Op
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.archiving import backed_up, provable
from agentctl.engine.bracket import Begin, new_op
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.health import trouble_of
from agentctl.engine.journal import Told
from agentctl.engine.leases import CLUSTER, Lease, StateLockHeldError
from agentctl.engine.ledger import Head
from agentctl.engine.moving import main_lease
from agentctl.engine.pins import commit_number, graph_named, keep, stamp_of
from agentctl.engine.snapshots import snapshot
from agentctl.graph.port import GraphError

OPS_READ_MAX: Final = 500
"""How many ops are looked through for a dry run."""

Evaluate = Callable[[Constraint], Awaitable[GateOutcome]]


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """An op whose gates were evaluated."""

    op: Op
    """Running, or `constraint_failed`."""
    held: Mapping[str, Lease] = {}
    """By the name of the lease: what the gates locked for the op's own steps."""

    @property
    def refusal(self) -> Diagnostic | None:
        """What to tell where a gate said no: all that did."""
        if self.op.status != "constraint_failed":
            return None
        gates = self.op.gates
        no = refused(gates)
        return error(
            "constraint_failed",
            self.op.component,
            f"{len(no)} of {len(gates)} gates say no; nothing was done",
            detail="\n".join(f"{o.kind} {o.resource}: {o.reason}" for o in no),
            remedy=f"agentctl ops show {self.op.id}",
        )


def constraint_faults(given: Constraints) -> tuple[Diagnostic, ...]:
    """Returns every mistake in constraints that a caller gave."""
    return tuple(
        error("constraint_invalid", fault.path, fault.message, remedy="agentctl explain constraint")
        for fault in faults(given)
    )


def spelled_out(given: Constraints, edges: Iterable[tuple[str, str]], lease: Lease) -> Constraints:
    """Returns the constraints as the op keeps them: the command's own lease first, none indirect."""
    own = Constraint(kind="concurrent_lock", resource=lease.resource)
    pre = tuple(one for one in expanded(given.pre, edges) if one != own)
    return msgspec.structs.replace(given, pre=(own, *pre))


class Gatekeeper:
    """Evaluates the gates of one pending op under the cluster's lease."""

    def __init__(
        self, cluster: Cluster, caller: Caller, op: Op, lease: Lease, head: Head | None
    ) -> None:
        self._cluster = cluster
        self._caller = caller
        self._op = op
        self._lease = lease
        self._head = head
        self._stack: AsyncExitStack | None = None
        self._held: dict[str, Lease] = {}

    async def open(self, stack: AsyncExitStack) -> Gated:
        """Evaluates every gate and moves the op; *stack* gives locks back when the op is over."""
        self._stack = stack
        outcomes = [await self._evaluated(one) for one in self._op.constraints.pre]
        told = Told(gates=tuple(outcomes))
        no = report(outcomes)
        op = await self._cluster.journal.move(
            self._op.id,
            "constraint_failed" if no else "running",
            epoch=self._lease.epoch,
            reason=no or None,
            told=told,
        )
        return Gated(op=op, held=dict(self._held))

    async def _evaluated(self, one: Constraint) -> GateOutcome:
        kinds: dict[ConstraintKind, Evaluate] = {
            "concurrent_lock": self._lock,
            "dry_run_check": self._dry_run,
            "health_check": self._health,
            "backup": self._backup,
            "restore": self._restore,
        }
        try:
            return await kinds[one.kind](one)
        except (BackendError, GraphError) as failure:
            return _no(one, str(failure))

    async def _lock(self, one: Constraint) -> GateOutcome:
        if one.resource == CLUSTER:
            return _yes(one)
        graph = graph_named(one.resource)
        if graph is None:
            return _no(one, "only the cluster and graphs have a lease")
        name = main_lease(await self._cluster.graphs.root_of(graph))
        if name in self._held:
            return _yes(one)
        assert self._stack is not None
        try:
            self._held[name] = await self._stack.enter_async_context(
                self._cluster.leases.hold(
                    name,
                    principal=self._caller.id,
                    operation=self._op.action,
                    wait_s=seconds(one, "wait", 0),
                )
            )
        except StateLockHeldError as held:
            return _no(one, held.diagnostic.message)
        return _yes(one)

    async def _dry_run(self, one: Constraint) -> GateOutcome:
        journal = self._cluster.journal
        life = timedelta(seconds=seconds(one, "max_age", DRY_RUN_LIFE.total_seconds()))
        why = dry_run_reason(
            await journal.list(OPS_READ_MAX),
            self._op,
            inputs=str(one.params.get("inputs_digest") or self._op.inputs_digest or ""),
            now=self._cluster.world.now(),
            life=life,
        )
        return _yes(one) if why is None else _no(one, why)

    async def _health(self, one: Constraint) -> GateOutcome:
        why = await trouble_of(self._cluster, one.resource, one.params)
        return _yes(one) if why is None else _no(one, why)

    async def _backup(self, one: Constraint) -> GateOutcome:
        if one.params.get("tool") == "archive":
            return await backed_up(self._cluster, self._op, one, self._head)
        epoch = self._lease.epoch
        return await keep(self._cluster, self._op, one.resource, epoch=epoch, head=self._head)

    async def _restore(self, one: Constraint) -> GateOutcome:
        """Proves that a graph can go back: all the data of the commit can be read, and is kept."""
        graph = graph_named(one.resource)
        if graph is None:
            return _no(one, "only graphs go back to a commit")
        named = one.params.get("snapshot")
        if named is not None and not str(named).startswith("main:"):
            return await provable(self._cluster, one, str(named), self._head)
        if named is None:
            number = (await observe_graph(self._cluster, graph)).commit
        else:
            number = commit_number(str(named))
        if number is None:
            return _no(one, f"{named or 'nothing'} is no commit of it")
        stamp = stamp_of(self._cluster, self._op, self._lease.epoch)
        await self._cluster.graphs.pin(graph, number, stamp=stamp)
        return _yes(one)


async def begin_gated(  # noqa: PLR0913  # what an op begins from
    cluster: Cluster,
    caller: Caller,
    begin: Begin,
    *,
    lease: Lease,
    head: Head | None,
    live: Mapping[str, LiveGraph],
    stack: AsyncExitStack,
) -> Gated:
    """Records an op and evaluates its gates; nothing of it may be done before this returns.

    *stack* gives what was locked back, once the op is over.
    """
    op = await cluster.journal.begin(
        new_op(cluster, caller, begin, lease), pre=snapshot(head, live.values())
    )
    return await Gatekeeper(cluster, caller, op, lease, head).open(stack)


def _yes(one: Constraint) -> GateOutcome:
    return GateOutcome(kind=one.kind, resource=one.resource, passed=True)


def _no(one: Constraint, why: str) -> GateOutcome:
    return GateOutcome(kind=one.kind, resource=one.resource, passed=False, reason=why)
