"""What an apply decides before it does anything: the sweep, the plan, and whether it is the one asked for.

Runs under the cluster's lease. It writes nothing but the claim of an idempotency key.
"""

from collections.abc import Awaitable, Callable

import msgspec

from agentctl.canonical import digest_of
from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.codec import state_cas, state_text
from agentctl.domain.ops.record import Constraints, Op
from agentctl.domain.plan.codec import Difference, KeptPlan, same_effects, what_moved
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.groups import groups_in_force
from agentctl.domain.plan.inputs import PlanDraft, PlanInputs
from agentctl.domain.plan.model import Plan
from agentctl.domain.plan.unheld import stopping
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent import for_plan, standings_of
from agentctl.engine.gather import FOLDER, Target, known_graphs, load_target, plan_inputs
from agentctl.engine.keys_once import Claimed, Conflicting, Repeated, key_of
from agentctl.engine.ledger import Head
from agentctl.engine.looking import look
from agentctl.engine.moving import GRAPH_WAIT_S
from agentctl.engine.planning import base_moved, plan_for
from agentctl.engine.rebuilding import heal_rules
from agentctl.engine.revisions import BEFORE, RollbackOf
from agentctl.engine.sweep import Swept, sweep
from agentctl.engine.withholding import withheld_of_sweep


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply is asked to do."""

    target: str = FOLDER
    """``folder``, ``draft:<id>`` or ``revision:<seq>``."""
    intent: str
    """Why; never blank."""
    plan_id: str | None = None
    """A kept plan; the apply goes on only if a fresh plan has the same effects."""
    plan: KeptPlan | None = None
    """The plan of that id, where it is not a kept one but came as a file."""
    exact: bool = False
    """Whether the fresh plan must have the very digest of `plan_id`."""
    without_gated: bool = True
    """Whether to do what needs no decision while gates are open; else open gates stop it all."""
    refresh: bool = False
    """Whether live graphs and payloads are looked at first, so that drift is corrected as well."""
    idempotency_key: str | None = None
    wait_s: float = 0
    """How long to wait for the cluster's lease."""
    graph_wait_s: float = GRAPH_WAIT_S
    """How long each step waits for a graph that another writer holds."""
    constraints: Constraints = Constraints()
    """Gates before anything is done, and actions where it fails."""
    rollback: RollbackOf | None = None
    """What is undone, where the target is an earlier revision."""
    data_alone: bool = False
    """Whether a rollback leaves definitions as they are once the lease is held, whatever its target
    says: that was looked up before, and somebody may have applied something since."""

    admits: Callable[[Plan], Awaitable[Diagnostic | None]] | None = None
    """Says why policy does not let the plan be carried out, now that its classes are known."""

    @property
    def action(self) -> str:
        """The registry name of what is asked: an apply, or one that goes back."""
        return "apply" if self.rollback is None else "rollback"

    @property
    def digest(self) -> str:
        """What an idempotency key is bound to: everything but the words and the patience."""
        target = self.target
        if self.data_alone and self.rollback is not None:
            target = f"{BEFORE}{self.rollback.op}"  # The ledger moves, the same request does not.
        asked: list[object] = [target, self.plan_id, self.exact, self.without_gated]
        asked += ["refresh"] if self.refresh else []
        asked += [self.constraints] if self.constraints != Constraints() else []
        return digest_of(asked)

    def standing_on(self, head: Head) -> "ApplyRequest":
        """Returns the request as it is meant above *head*, the newest object under the lease."""
        if not self.data_alone or self.rollback is None:
            return self
        undone = msgspec.structs.replace(self.rollback, seq=head.seq)
        return msgspec.structs.replace(self, target=undone.target, rollback=undone)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was decided."""

    target: Target
    desired: DesiredCluster
    swept: Swept
    inputs: PlanInputs
    draft: PlanDraft
    plan: Plan
    op_id: str
    """Of the Op, should there be anything to do."""
    earlier: Op | None
    """The Op that did this very request before."""


class Preparation:
    """Prepares one apply; after a refusal it still knows what it had found."""

    def __init__(self, cluster: Cluster, caller: Caller, request: ApplyRequest, told: Bag) -> None:
        self.target: Target | None = None
        self.plan: Plan | None = None
        self._cluster = cluster
        self._caller = caller
        self._request = request
        self._told = told

    async def run(self, head: Head) -> Prepared | None:
        """Returns what was decided; None where the apply is refused, and then it has been told why."""
        cluster, caller = self._cluster, self._caller
        claim = await self._claim()
        if isinstance(claim, Diagnostic):
            self._told.add(claim)
            return None
        op_id, earlier = claim
        swept = await sweep(cluster, caller, head.envelope.state, op=op_id)
        self._told.add(*swept.diagnostics)
        desired = await self._desired(head)
        if desired is None or self.target is None:
            return None
        # A look is at another time in each plan; what it finds is in the changes, and so is sealed.
        recorded_cas = state_cas(state_text(swept.state))
        if self._request.refresh:
            swept = await self._looked(desired, swept)
        inputs = await plan_inputs(
            cluster,
            caller,
            target=self.target.name,
            desired=desired,
            head=head,
            state=swept.state,
            state_cas=recorded_cas,
            pending=swept.pending_among(known_graphs(desired, swept.state)),
        )
        draft = draft_plan(inputs)
        plan = finish(draft, for_plan(await standings_of(cluster, draft.gates)))
        groups = groups_in_force(inputs.settings, desired.apply)
        swept, plan, split = withheld_of_sweep(swept, plan, head.envelope.state, groups)
        self.plan = plan
        self._told.add(*plan.diagnostics, *split)
        refused = await self._refused(plan) if earlier is None else None
        if refused is not None:
            self._told.add(refused)
        if refused is not None or stopping(plan.diagnostics):
            return None
        return Prepared(
            target=self.target,
            desired=desired,
            swept=swept,
            inputs=inputs,
            draft=draft,
            plan=plan,
            op_id=op_id,
            earlier=earlier,
        )

    async def _looked(self, desired: DesiredCluster, swept: Swept) -> Swept:
        """Returns *swept* with the state that a refresh would record; drift is planned from it."""
        pending = frozenset(swept.pending_among(known_graphs(desired, swept.state)))
        await heal_rules(self._cluster, desired, swept.state)
        looked = await look(self._cluster, desired, swept.state, pending=pending)
        self._told.add(*looked.diagnostics)
        return msgspec.structs.replace(swept, state=looked.state)

    async def _desired(self, head: Head) -> DesiredCluster | None:
        request = self._request.standing_on(head)
        self.target = await load_target(self._cluster, self._caller, request.target)
        self._told.add(*self.target.diagnostics)
        if self.target.desired is None:
            return None
        moved = await base_moved(self._cluster, self.target)
        if moved is not None:
            self._told.add(moved)
        return self.target.desired if moved is None else None

    async def _claim(self) -> tuple[str, Op | None] | Diagnostic:
        """Returns the id that the Op will have, and the earlier Op that did this very request."""
        journal, caller = self._cluster.journal, self._caller
        op_id = journal.mint_id(caller.nid)
        if self._request.idempotency_key is None:
            return op_id, None
        claim = await self._cluster.keys.claim(
            principal=caller.id,
            operation=self._request.action,
            key=self._request.idempotency_key,
            request_digest=self._request.digest,
            op=op_id,
        )
        match claim:
            case Conflicting():
                return claim.diagnostic
            case Claimed():
                return claim.op, None
            case Repeated():
                earlier = await journal.get(claim.op)
                if earlier is None:
                    return claim.op, None
                if earlier.status != "success":
                    # A failed attempt did not do it; what is left is done under an Op of its own.
                    earlier = await self._later_attempt()
                return op_id, earlier

    async def _later_attempt(self) -> Op | None:
        """Returns the Op that did this very request after the one that claimed its key had failed."""
        request = self._request
        assert request.idempotency_key is not None, "its claim was repeated"
        where = key_of(self._caller.id, request.action, request.idempotency_key)
        op_id = await self._cluster.keys.answered_by(where, request_digest=request.digest)
        later = None if op_id is None else await self._cluster.journal.get(op_id)
        return later if later is not None and later.status == "success" else None

    async def _refused(self, fresh: Plan) -> Diagnostic | None:
        """Returns why the plan is not carried out: another was meant, or policy does not let it."""
        stale = await self._stale(fresh)
        admits = self._request.admits
        return stale if stale is not None or admits is None else await admits(fresh)

    async def _stale(self, fresh: Plan) -> Diagnostic | None:
        """Returns why the plan that was asked for is not the one that would be carried out."""
        if self._request.plan_id is None:
            return None
        kept = self._request.plan or await plan_for(
            self._cluster, self._caller, self._request.plan_id
        )
        if isinstance(kept, Diagnostic):
            return kept
        if kept.plan.target != fresh.target:
            return _plan_stale((Difference(what="target", old=kept.plan.target, new=fresh.target),))
        if self._request.exact:
            moved = what_moved(kept.plan, fresh) if kept.digest != fresh.digest else ()
        else:
            moved = same_effects(kept.plan, fresh)
        return _plan_stale(moved) if moved else None


def _plan_stale(moved: tuple[Difference, ...]) -> Diagnostic:
    return error(
        "plan_stale",
        "plan",
        "a plan made now differs from the one that was asked for; nothing was done",
        detail="\n".join(str(difference) for difference in moved),
        remedy="agentctl plan",
    )
