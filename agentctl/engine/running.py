"""One apply in progress: what it works on, what it has done so far, and what it tells.

The steps and the seal change it; `apply` makes it and records what came of it. It never writes to
storage itself. Steps run concurrently, so nothing here is awaited between reading and changing.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import warning
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.sidecar import Sidecar  # noqa: TC001  # beside run-time types
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.record import Op
from agentctl.domain.plan.dispositions import FailedStep, demote
from agentctl.domain.plan.groups import hold_groups
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.model import Change, Plan
from agentctl.domain.policy.caller import Caller
from agentctl.engine.bounded import CONCURRENCY_DEFAULT
from agentctl.engine.cluster import Cluster
from agentctl.engine.events import ApplyEvent, EventKind, EventStream
from agentctl.engine.leases import Lease
from agentctl.engine.results import StepOutcome
from agentctl.engine.world import mint_nonce, stamp_now
from agentctl.graph.port import Stamp
from agentctl.ids import graph_address, policy_address, query_address, schema_address

How = Literal["done", "not_done", "unknown", "waiting"]

SKIPPED: Mapping[FailedStep, str] = {
    "graph_create_failed": "graph_create_skipped",
    "schema_apply_failed": "schema_apply_skipped",
    "graph_delete_failed": "graph_delete_skipped",
}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply was given and does not change while it runs."""

    cluster: Cluster
    caller: Caller
    op: Op
    lease: Lease
    """Of the cluster."""
    intent: str
    graph_wait_s: float
    desired: DesiredCluster
    inputs: PlanInputs
    plan: Plan
    steps_total: int
    concurrency: int = CONCURRENCY_DEFAULT
    """How many steps run at a time."""
    held: Mapping[str, Lease] = msgspec.field(default_factory=dict)
    """Leases of graphs that the gates of the op took for all its steps, by name."""
    is_interrupted: Callable[[], bool] = bool
    """Asked before each step: whether whoever runs the apply wants it to end."""


WAITING: Final = frozenset({"frozen", "graph_busy", "interrupted"})
"""Why a step is left for another apply, which is no failure."""


class Running:
    """The moving part of one apply."""

    def __init__(self, task: Task, state: State, events: EventStream | None) -> None:
        self.task = task
        self.state = state
        self.changes = task.plan.changes
        self._contents: Mapping[str, Callable[[], bytes | None]] | None = None
        self.told = Bag()
        self.outcomes: list[StepOutcome] = []
        self.settled: list[Sidecar] = []
        """Sidecars to be removed once the ledger has recorded `state`."""
        self.used: list[str] = []
        self.carried_out: list[str] = []
        """Keys of proposals that are done; they go once the ledger has recorded `state`."""
        self.companions: dict[str, tuple[str, ...]] = {}
        """By the id of a deciding approval: those of all that count beside it, used up with it."""
        self.decided: dict[str, str] = {}
        """By resource: the approval that opened its gate."""
        self.stopped = False
        """Set by the first graph-moving failure; the rest is skipped."""
        self.interrupted = False
        """Set where a step was left because the apply is to end."""
        self._events = events

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of the plan, as they stand now."""
        return self._changes

    @changes.setter
    def changes(self, changes: tuple[Change, ...]) -> None:
        self._changes = changes
        self._to_do = frozenset(c.resource for c in changes if c.disposition == "applied")

    @property
    def failed(self) -> bool:
        """Whether a step failed, or may have been done: more than one that has to wait."""
        return self.stopped or any(
            o.outcome == "unknown" or (o.outcome == "not_done" and o.reason not in WAITING)
            for o in self.outcomes
        )

    @property
    def fell_short(self) -> bool:
        """Whether a step that was to be done was not: the same request may do more another time."""
        return self.failed or any(o.outcome != "done" for o in self.outcomes)

    @property
    def at(self) -> str:
        """The time, as records write it."""
        return stamp_now(self.task.cluster.world)

    def stamp(self, *, epoch: int, nonce: str) -> Stamp:
        """Returns what a commit of this apply carries."""
        caller = self.task.caller
        return Stamp(
            op=self.task.op.id,
            actor=caller.id,
            on_behalf_of=caller.on_behalf_of,
            intent=self.task.intent,
            epoch=epoch,
            nonce=nonce,
            at=self.at,
        )

    def mint_nonce(self) -> str:
        """Returns a fresh nonce."""
        return mint_nonce(self.task.cluster.world)

    def does(self, resource: str) -> bool:
        """Returns whether the change of *resource* is still to be carried out."""
        return resource in self._to_do

    def content(self, resource: str) -> bytes | None:
        """Returns what the catalog is to hold of *resource*; None where the folder declares no such."""
        if self._contents is None:  # once for an apply: there may be thousands
            self._contents = _contents_of(self.task.desired)
        made = self._contents.get(resource)
        return made() if made is not None else None

    def fail(self, graph_id: str, step: FailedStep) -> None:
        """Demotes what hangs on a failed step, and stops the steps that move graphs."""
        self._change_to(demote(self.changes, {graph_id: step}))
        self.stopped = True

    def skip(self, change: Change, graph_id: str, step: FailedStep) -> None:
        """Demotes what hangs on a step that is not begun because an earlier one failed."""
        self._change_to(demote(self.changes, {graph_id: step}))
        self.told.add(
            warning(
                SKIPPED[step],
                change.resource,
                f"the {change.operation} of {change.resource} was skipped: an earlier step failed",
            )
        )
        self.outcomes.append(_outcome(change, "not_done", SKIPPED[step]))

    def leave(self, change: Change) -> bool:
        """Returns whether the apply is to end; then what is left of the change's graph is held back."""
        if not self.task.is_interrupted():
            return False
        self.interrupted = True
        self.hold_back_one(change.resource, "interrupted")
        graph_id = change.resource.partition(".")[2]
        if change.resource in {graph_address(graph_id), schema_address(graph_id)}:
            self.hold_back(graph_id, "interrupted")
        self.outcomes.append(_outcome(change, "not_done", "interrupted"))
        return True

    def has_effects(self, before: State) -> bool:
        """Returns whether anything was done, or may have been, since the state was *before*."""
        made = any(o.outcome in {"done", "unknown"} for o in self.outcomes)
        return made or self.state != before

    def in_order(self, resources: Iterable[str]) -> tuple[StepOutcome, ...]:
        """Returns the outcomes in the order of *resources*, whichever step ended first."""
        places = {resource: n for n, resource in enumerate(resources)}
        return tuple(sorted(self.outcomes, key=lambda o: places.get(o.resource, len(places))))

    def hold_back_one(self, resource: str, reason: str) -> None:
        """Blocks one change with *reason*."""
        self._change_to(
            tuple(
                msgspec.structs.replace(c, disposition="blocked", reason=reason)
                if c.resource == resource and c.disposition == "applied"
                else c
                for c in self.changes
            )
        )

    def hold_back(self, graph_id: str, reason: str) -> None:
        """Blocks what is left of one graph with *reason*; other graphs go on."""
        own = graph_address(graph_id)
        self._change_to(
            tuple(
                msgspec.structs.replace(c, disposition="blocked", reason=reason)
                if c.disposition == "applied" and _of_graph(c, own, graph_id)
                else c
                for c in self.changes
            )
        )

    async def started(self, change: Change) -> None:
        """Tells that a step begins."""
        await self._tell("step_started", change, None, None)

    async def finished(self, change: Change, how: How, reason: str | None = None) -> None:
        """Records and tells how a step ended."""
        self.outcomes.append(_outcome(change, how, reason))
        await self._tell("step_finished", change, how, reason)

    def _change_to(self, changes: tuple[Change, ...]) -> None:
        """Takes over *changes*; a group of which one is held back is held back as a whole.

        What was done by then is withheld from the ledger at the end (`withholding`).
        """
        self.changes = hold_groups(changes)

    def progress(self, change: Change, phase: str, rows_done: int, rows_total: int | None) -> None:
        """Tells how far a long step is; left out where nobody keeps up with it."""
        if self._events is not None:
            event = self._event("step_progress", change)
            self._events.note(
                msgspec.structs.replace(
                    event, phase=phase, rows_done=rows_done, rows_total=rows_total
                )
            )

    async def _tell(
        self,
        kind: Literal["step_started", "step_finished"],
        change: Change,
        how: How | None,
        reason: str | None,
    ) -> None:
        if self._events is not None:
            event = self._event(kind, change)
            await self._events.tell(msgspec.structs.replace(event, outcome=how, reason=reason))

    def _event(self, kind: EventKind, change: Change) -> ApplyEvent:
        return ApplyEvent(
            kind=kind,
            steps_done=len(self.outcomes),
            steps_total=self.task.steps_total,
            resource=change.resource,
            operation=change.operation,
            op=self.task.op.id,
        )


def _outcome(change: Change, how: How, reason: str | None) -> StepOutcome:
    return StepOutcome(
        resource=change.resource, operation=change.operation, outcome=how, reason=reason
    )


def _contents_of(desired: DesiredCluster) -> dict[str, Callable[[], bytes | None]]:
    """Returns by address what the catalog is to hold of a resource, made when it is asked for."""
    found: dict[str, Callable[[], bytes | None]] = {}
    for graph in desired.graphs:
        for query in graph.queries:
            found[query_address(graph.id, query.name)] = partial(desired.files.get, query.file)
    for policy in desired.policies:
        found[policy_address(policy.name)] = partial(desired.files.get, policy.file)
    for other in desired.others:
        found[other.address] = partial(canonical_bytes, other.fields)
    return found


def _of_graph(change: Change, own: str, graph_id: str) -> bool:
    if change.resource == own or change.resource.startswith(f"{own}@"):
        return True
    parts = change.resource.split(".")
    if parts[0] in {"schema", "query"}:
        return parts[1] == graph_id
    bound = (change.bindings.after if change.bindings else None) or ()
    return own in bound
