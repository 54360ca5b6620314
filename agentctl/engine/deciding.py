"""Gathers what a person decides by: the facts of one request, measured now. Writes nothing.

What can be recomputed is recomputed here, on the machine of the person who looks, and a difference
is shown as such. Source: terminal 1, access-and-faces 3.5.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.facts import Check, DecisionFacts, TrialTold
from agentctl.domain.approval.machine import Review
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.approval.refusals import Wanted, not_found
from agentctl.domain.approval.refusals import unfit as unfit_of
from agentctl.domain.approval.tolerance import compare_effect
from agentctl.domain.approval.words import compare_words
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import Tombstone
from agentctl.domain.plan.approval_rules import rules_digest
from agentctl.domain.plan.codec import KeptPlan
from agentctl.domain.plan.model import Change, Plan
from agentctl.domain.plan.statement import Gate, gate_digest
from agentctl.domain.plan.trials import Trial, better
from agentctl.domain.policy.caller import Caller
from agentctl.engine import trust
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import FOLDER, draft_of, observe_graph
from agentctl.engine.keeping import retention_s
from agentctl.engine.planning import BEFORE_DECIDING, make_plan, plan_for
from agentctl.engine.trying import TrialsUnknownError, tried
from agentctl.ids import parse_address
from agentctl.instants import format_instant

FIRST_COMMIT: Final = 1
"""Of a graph's ``main``; it creates the graph and holds no rows."""


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh look at the cluster says of the gate that was asked for."""

    plan: Plan | None
    gate: Gate | None
    live: LiveGraph | None
    target: str


async def decision_facts(
    cluster: Cluster, caller: Caller, request_id: str
) -> DecisionFacts | Diagnostic:
    """Returns the facts of one request, or that there is none of that id."""
    snapshot = await cluster.approvals.snapshot()
    reviews, review = snapshot.reviews, snapshot.review(request_id)
    if review is None:
        return not_found(request_id)
    request = review.request
    kept = await plan_for(cluster, caller, request.plan_digest)
    seen = await _look_again(cluster, caller, request, kept)
    told = await trust.trust(cluster, caller)
    registry = snapshot.registry
    asker = registry.principals.get(request.requester)
    human = registry.human(caller.id) if caller.enrolled else None
    waiting = [r.request.request_id for r in reviews if r.state == "waiting"]
    now = snapshot.now
    wanted = Wanted(verdict="approve", approver=caller.id, reason=None)
    unfit = unfit_of(review, human, wanted, registry, now) if human is not None else None
    trial, trial_told = await _tried(cluster, request)
    return DecisionFacts(
        request=request,
        cluster_name=cluster.name or cluster.folder.path.resolve().name,
        trust_column=told.column,
        trust_line=told.line,
        waiting_index=waiting.index(request.request_id) + 1 if request.request_id in waiting else 0,
        waiting_count=len(waiting),
        standing=review.state,
        standing_why=_moved(review, seen.gate),
        rows_now=seen.live.rows if seen.live is not None else {},
        node_types=_node_types(seen.live),
        bytes_now=seen.live.bytes if seen.live is not None else 0,
        last_write=_last_write(seen.live),
        queries=seen.gate.readers if seen.gate is not None else request.statement.readers,
        restore_until=await _restore_until(cluster, request, seen.live),
        archives=request.statement.effect.archives,
        requester_enrolled=asker is not None and not asker.revoked,
        deletes_asked_before=_asked_before(reviews, request),
        source_in_folder=draft_of(seen.target) is None,
        other_reversible=_others(seen.plan, request, gated=False),
        other_gated=_others(seen.plan, request, gated=True),
        checks=_checks(request, kept, seen, rules_digest(snapshot.rules)),
        approvals_so_far=len(review.approvals),
        compare=compare_words(request.gate_digest),
        assurance=human.assurance if human is not None else None,
        now=format_instant(now),
        why=seen.gate.reason if seen.gate is not None else None,
        change=_change(seen, request),
        asked=review.asked,
        approvers=tuple(a.approver for a in review.approvals),
        unfit=unfit.message if unfit is not None else None,
        tried=trial,
        tried_told=trial_told,
    )


async def _tried(cluster: Cluster, request: ApprovalRequest) -> tuple[Trial | None, TrialTold]:
    """Returns the trial that tells most of the change, and who says so.

    The asker's side may have had another history than this process, or this one none at all.
    """
    then = request.tried
    try:
        here = await tried(cluster, request.statement)
    except TrialsUnknownError:
        return (None, "nowhere") if then is msgspec.UNSET else (then, "request")
    if isinstance(then, Trial) and then != here and better(then, here):
        return then, "request"
    return here, "history"


async def _look_again(
    cluster: Cluster, caller: Caller, request: ApprovalRequest, kept: KeptPlan | Diagnostic
) -> _Seen:
    target = kept.plan.target if isinstance(kept, KeptPlan) else FOLDER
    planned = await make_plan(cluster, caller, target=target, look=BEFORE_DECIDING)
    if planned.plan is None and target != FOLDER:
        # The draft may be gone; the folder may hold what it brought.
        target = FOLDER
        planned = await make_plan(cluster, caller, target=target, look=BEFORE_DECIDING)
    gate = next((g for g in planned.gates if g.key == request.gate_key), None)
    address = parse_address(request.statement.resource)
    live = None
    if address is not None and address.graph is not None:
        live = await observe_graph(cluster, address.graph)
    return _Seen(plan=planned.plan, gate=gate, live=live, target=target)


def _change(seen: _Seen, request: ApprovalRequest) -> Change | None:
    """Returns the change that waits under the gate, as a fresh plan makes it."""
    changes = seen.plan.changes if seen.plan is not None and seen.gate is not None else ()
    resource = request.statement.resource
    return next((c for c in changes if c.resource == resource and c.gate == request.gate_key), None)


def _last_write(live: LiveGraph | None) -> str | None:
    """Returns when its newest commit was made; its first one only creates it."""
    if live is None or live.commit is None or live.commit <= FIRST_COMMIT:
        return None
    return live.last_write


async def _restore_until(
    cluster: Cluster, request: ApprovalRequest, live: LiveGraph | None
) -> str | None:
    """Returns until when the graph could be restored: after a deletion now, or the one that was."""
    statement = request.statement
    if live is None or statement.operation != "delete" or statement.incarnation is None:
        return None
    head = await cluster.ledger.head()
    state = head.envelope.state if head is not None else None
    if live.presence == "live":
        kept_s = await retention_s(cluster.catalog, state)
        return format_instant(cluster.world.now() + timedelta(seconds=kept_s)) if kept_s else None
    observed = state.observations if state is not None else {}
    tombstone = observed.get(statement.resource)
    if not isinstance(tombstone, Tombstone) or tombstone.incarnation != statement.incarnation:
        return None
    return tombstone.purge_after


def _moved(review: Review, gate: Gate | None) -> tuple[str, ...]:
    """Returns what is not as it was asked: for a stale request why, for a waiting one what grew."""
    if review.why is not None:
        return (f"{review.why.field}: {review.why.old} → {review.why.new}",)
    if review.state not in {"waiting", "approved"}:
        return ()
    if gate is None:
        return ("the plan has no such change any more",)
    beyond = compare_effect(review.request.statement, gate).beyond
    return tuple(f"{m.field}: {m.old} → {m.new}" for m in beyond)


def _node_types(live: LiveGraph | None) -> tuple[str, ...]:
    if live is None or live.ir is None:
        return ()
    return tuple(t.name for t in live.ir.types if t.kind == "node")


def _asked_before(reviews: Iterable[Review], request: ApprovalRequest) -> int:
    return sum(
        r.request.requester == request.requester
        and r.request.statement.operation == request.statement.operation
        and r.request.request_id < request.request_id
        for r in reviews
    )


def _others(plan: Plan | None, request: ApprovalRequest, *, gated: bool) -> int:
    """Counts the plan's other changes; of the gated ones each gate once."""
    if plan is None:
        return 0
    if gated:
        return len({c.gate for c in plan.changes if c.gate not in {None, request.gate_key}})
    return sum(c.gate is None and c.disposition == "applied" for c in plan.changes)


def _checks(
    request: ApprovalRequest, kept: KeptPlan | Diagnostic, seen: _Seen, rules: str
) -> tuple[Check, ...]:
    statement = request.statement
    plans = [seen.plan, *([kept.plan] if isinstance(kept, KeptPlan) else [])]
    config_ok = all(p is not None and p.config_digest == request.config_digest for p in plans)
    return (
        Check(
            what="statement",
            ok=gate_digest(statement) == request.gate_digest,
            why="its digest is not the one that the request names",
        ),
        Check(
            what="config",
            ok=config_ok,
            why="the configuration is not the one from which it was asked",
        ),
        Check(
            what="rules",
            ok=statement.rules == rules,
            why="it was asked under other approval rules than the applied ones",
        ),
    )
