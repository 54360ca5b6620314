"""`plan`: what an apply would do now, as one value; and the plans that are kept. Source: control-plane 3.3.

Takes no lease: ledger objects are immutable, and a held lease is a warning that names its holder.
"""

from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.approval.meetable import unmeetable
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.plan.codec import KeptPlan, decode_kept, encode_kept
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.inputs import PlanDraft, PlanInputs
from agentctl.domain.plan.model import Plan
from agentctl.domain.plan.removed import removed_references
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent import for_plan, standings_of
from agentctl.engine.draft_commit import not_merged
from agentctl.engine.dry_runs import record_dry_run
from agentctl.engine.freeze_ops import frozen_warnings
from agentctl.engine.gather import FOLDER, Target, load_target, plan_inputs
from agentctl.engine.ledger import Head
from agentctl.engine.looking import look as look_anew
from agentctl.engine.observe import state_seen
from agentctl.engine.peeking import peek
from agentctl.engine.results import DesiredRevision, PlanResult
from agentctl.engine.sidecars import pending_warnings, read_sidecars
from agentctl.engine.world import stamp_now


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How closely a plan looks at what is there."""

    refresh: bool = False
    """Whether payloads and live graphs are held against the ledger, and drift is shown."""
    peek: bool = False
    """Whether rows are counted that a wanted schema would not permit."""


GLANCE: Final = Look()
"""The ledger is taken at its word."""
BEFORE_DECIDING: Final = Look(peek=True)
"""What a person should know before they decide."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A plan, how it is told, and the gates that it has."""

    result: PlanResult
    plan: Plan | None
    """None where the configuration or the ledger has errors."""
    gates: tuple[Gate, ...]


async def make_plan(
    cluster: Cluster,
    caller: Caller,
    target: str = FOLDER,
    keep: bool = False,  # noqa: FBT001, FBT002
    look: Look = GLANCE,
) -> Planned:
    """Returns what an apply of *target* would do now; *keep* stores the plan under its digest.

    The cache may answer for a plan that is looked at; one that is kept, and may be approved, is made
    of files that were read anew.
    """
    head = await cluster.ledger.head()
    found = await load_target(cluster, caller, target, remembered=not keep)
    sidecars = await read_sidecars(cluster.store)
    recorded = head.envelope.state.applied_revision.resources if head is not None else {}
    missing = removed_references(found.diagnostics, recorded)
    told = [*missing, *pending_warnings(sidecars), *await _around(cluster, found)]
    if found.desired is None or has_errors(told):
        return Planned(result=await _result(cluster, head, found, None, told), plan=None, gates=())
    inputs = await plan_inputs(cluster, caller, target=target, desired=found.desired, head=head)
    looked = None
    if look.refresh and inputs.state is not None:
        pending = frozenset(s.graph_id for s in sidecars.sidecars)
        looked = await look_anew(cluster, found.desired, inputs.state, pending=pending)
        inputs = msgspec.structs.replace(
            inputs, state=looked.state, live={**inputs.live, **looked.live}
        )
        told.extend(d for d in looked.diagnostics if d.severity == "error")
    if look.peek:
        peeked = await peek(cluster, inputs)
        inputs = peeked.inputs
        told.extend(peeked.diagnostics)
    draft = draft_plan(inputs)
    plan = finish(draft, for_plan(await standings_of(cluster, draft.gates)))
    if keep:
        await _keep(cluster, caller, plan, found)
        await record_dry_run(cluster, caller, plan, inputs, head)
    told.extend(plan.diagnostics)
    told.extend(await _unmeetable(cluster, found.desired, inputs, draft))
    result = await _result(cluster, head, found, plan, told)
    result = msgspec.structs.replace(
        result, drift=looked.drift if looked else None, policy_impact=inputs.policy_impact
    )
    return Planned(result=result, plan=plan, gates=draft.gates)


async def plan_for(cluster: Cluster, caller: Caller, plan_id: str) -> KeptPlan | Diagnostic:
    """Returns a kept plan that *caller* may read: its own, and to a human any."""
    unknown = error(
        "plan_not_found",
        plan_id,
        "there is no kept plan of that id that you may read",
        remedy="agentctl plan",
    )
    if len(plan_id) != 64 or not set(plan_id) <= set("0123456789abcdef"):
        return unknown
    key = plan_key(plan_id)
    stored = await cluster.store.read(key)
    if stored is None:
        return unknown
    kept = decode_kept(stored.data, path=key)
    if isinstance(kept, Diagnostic):
        return kept
    if kept.digest != plan_id or (caller.kind != "human" and kept.plan.principal != caller.id):
        return unknown
    return kept


async def plan_of_file(cluster: Cluster, data: bytes, *, path: str) -> KeptPlan | Diagnostic:
    """Returns the plan that a file holds, where it is one of this cluster.

    It is not kept: what a plan shows besides what is sealed is whatever the file says, and others
    would read it under a digest that they trust.
    """
    kept = decode_kept(data, path=path)
    if isinstance(kept, Diagnostic):
        return kept
    registry = await cluster.principals.registry()
    if kept.plan.cluster_id != registry.cluster_id:
        return error(
            "invalid_plan_file",
            path,
            f"this is a plan of another cluster, {kept.plan.cluster_id[:12]}, and this one is"
            f" {registry.cluster_id[:12]}",
            remedy="agentctl plan --out FILE",
        )
    return kept


def plan_key(plan_id: str) -> str:
    """Returns where the plan of that digest is kept."""
    return f"__cluster/plans/{plan_id}.json"


async def base_moved(cluster: Cluster, target: Target) -> Diagnostic | None:
    """Returns an error where the folder changed since the draft of *target* was opened."""
    if target.draft_id is None:
        return None
    draft = await cluster.drafts.show(target.draft_id)
    if isinstance(draft, Diagnostic):
        return draft
    return await cluster.drafts.check_base(draft)


async def _around(cluster: Cluster, target: Target) -> list[Diagnostic]:
    """Returns what stands around a plan: a freeze, a held lease, a draft whose base moved."""
    told: list[Diagnostic] = [*await frozen_warnings(cluster, None)]
    holder = await cluster.leases.holder()
    if holder is not None:
        told.append(
            warning(
                "state_lock_held",
                holder.resource,
                f"`{holder.operation}` by {holder.principal} holds the cluster's lease now; the"
                " plan may be old before it is applied",
                detail=holder.safe_action,
            )
        )
    if target.name == FOLDER and target.desired is not None:
        digest = target.desired.source_digest
        unmerged = await not_merged(cluster, await cluster.ledger.head(), digest)
        told.extend([unmerged] if unmerged is not None else [])
    if target.desired is not None:
        moved = await base_moved(cluster, target)
        if moved is not None:
            told.append(moved)
    return told


async def _unmeetable(
    cluster: Cluster, desired: DesiredCluster, inputs: PlanInputs, draft: PlanDraft
) -> tuple[Diagnostic, ...]:
    """Returns a warning for each approval rule that the enrolled humans cannot meet."""
    brought = [o for o in desired.others if o.address.startswith("approval.")]
    if not brought and not inputs.approval_rules:
        return ()
    registry = await cluster.principals.registry()
    return unmeetable(brought, inputs.approval_rules, draft.gates, registry)


async def _keep(cluster: Cluster, caller: Caller, plan: Plan, target: Target) -> None:
    assert target.desired is not None
    sources = {path: sha256_hex(data) for path, data in target.desired.files.items()}
    made_at = stamp_now(cluster.world)
    data = encode_kept(plan, sources=sources, made_at=made_at, made_by=caller.id)
    await cluster.store.create(plan_key(plan.digest), data)


async def _result(
    cluster: Cluster, head: Head | None, target: Target, plan: Plan | None, told: list[Diagnostic]
) -> PlanResult:
    desired = target.desired
    return PlanResult(
        ok=plan is not None and not has_errors(told),
        config_dir=cluster.config_dir,
        desired_revision=DesiredRevision(
            config_digest=desired.config_digest if desired is not None else None
        ),
        state_observations=await state_seen(cluster, head),
        resource_digests=plan.resource_digests if plan is not None else {},
        dependencies=plan.dependencies if plan is not None else (),
        changes=plan.changes if plan is not None else (),
        blast_radius=plan.blast_radius if plan is not None else (),
        approvals_required=plan.approvals_required if plan is not None else (),
        diagnostics=sort_diagnostics(told),
        target=target.name,
        plan_digest=plan.digest if plan is not None else None,
    )
