"""The rows of a sandbox for a protected graph: proposed, consented to, and merged by an apply.

What a person consents to is one commit of the sandbox's branch, by the digest of what it names; rows
that were written later are not merged. The merge is decided anew on whatever `main` is then, and in
a conflict nothing is merged. The step is like that of a revert: behind the lease of `main`, a sidecar
and a decision that is held against the graph once more. Source: sandboxes 4, ChangeSet; ADR 27.
"""

from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.merges import ProposedMerge, RowsHome
from agentctl.domain.plan.model import Change
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import Lending, trunk_of
from agentctl.engine.advance import graph_moved
from agentctl.engine.branches import Call
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import Place, named, place_of
from agentctl.engine.leases import CLUSTER, StateLockHeldError
from agentctl.engine.lending import SandboxError
from agentctl.engine.moving import Held, Move, graph_busy, hold_graph, make, sidecar_of
from agentctl.engine.proposals import (
    drop_merges,
    forget_merges,
    merge_key,
    put_merge,
    standing_merges,
)
from agentctl.engine.running import Running
from agentctl.engine.sandbox_merging import refusal, waits
from agentctl.engine.sandboxed import inside, require_open
from agentctl.engine.sidecars import read_sidecars
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.branching.told import MergeReport
from agentctl.graph.port import GraphError, Stamp
from agentctl.ids import graph_address, schema_address

FAILED: Final = "sandbox_merge_refused"


class Proposing(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a proposal."""

    proposed: ProposedMerge | None = None
    report: MergeReport | None = None
    """What a merge would do now; None where it was refused before that was known."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def propose_merge(
    cluster: Cluster, inner: Cluster, caller: Caller, call: Call, lending: Lending
) -> Proposing:
    """Puts the rows of a sandbox before those who decide; the same rows are proposed once.

    Args:
        cluster: the real one.
        inner: the sandbox's.
        caller: proposes.
        call: which graph, and why.
        lending: what the sandbox was lent.
    """
    place = await place_of(cluster, call.graph)
    refused = _no_intent(call) or await refusal(cluster, inner, place, lending, call.graph)
    if refused is not None:
        return Proposing(diagnostics=(refused,))
    try:
        with named(call.graph, place.root):
            report = await place.data.merge_preview(place.root, trunk_of(lending.sandbox))
            if report.outcome == "conflicts":
                return Proposing(report=report, diagnostics=report.diagnostics)
            if report.outcome == "already_up_to_date" or not report.counts:
                told = msgspec.structs.replace(report, outcome="already_up_to_date")
                return Proposing(report=told)
            made = await _proposal(cluster, caller, call, lending, place, report)
            refused = await waits(inner, place, lending, call.graph, at=made.commit)
            proposed = None if refused is not None else await put_merge(cluster.store, made)
            await _require_still_open(cluster, lending.sandbox)
    except (GraphError, SandboxError) as failure:
        return Proposing(diagnostics=(failure.diagnostic,))
    waiting = () if refused is None else (refused,)
    return Proposing(proposed=proposed, report=report, diagnostics=waiting)


def _no_intent(call: Call) -> Diagnostic | None:
    if call.intent.strip():
        return None
    return error("intent_required", "intent", "`sandbox_merge` needs an intent: why it is wanted")


async def withdraw_merge(
    cluster: Cluster, sandbox_id: str, graph: str, *, by: str = ""
) -> ProposedMerge | Diagnostic | None:
    """Takes back what was proposed of a sandbox for a graph; returns it, or why it cannot be.

    Raises:
        StateLockHeldError: another command is at work, which may be carrying it out.
    """
    async with cluster.leases.hold(CLUSTER, principal=by, operation="sandbox_merge"):
        begun = await read_sidecars(cluster.store)
        if any(sidecar.graph_id == graph for sidecar in begun.sidecars) or begun.strange:
            return error(
                "cluster_recovery_pending",
                graph_address(graph),
                f"an apply that was interrupted may have merged into graph {graph}",
                remedy="agentctl refresh",
            )
        found = await drop_merges(cluster.store, sandbox_id, graph)
        return found[-1] if found else None


async def _require_still_open(cluster: Cluster, sandbox_id: str) -> None:
    """Leaves no proposal of a sandbox that ended while it was made."""
    try:
        await require_open(cluster, sandbox_id)
    except SandboxError:
        await forget_merges(cluster.store, sandbox_id)
        raise


async def _proposal(
    cluster: Cluster,
    caller: Caller,
    call: Call,
    lending: Lending,
    place: Place,
    report: MergeReport,
) -> ProposedMerge:
    head = parse_commit_id(report.theirs)
    assert head is not None, report.theirs
    content = await place.data.content_at(place.root, head.n, branch=head.branch)
    assert content is not None, "the head names something"
    return ProposedMerge(
        id=mint_ulid(cluster.world),
        sandbox=lending.sandbox,
        name=lending.name,
        graph=call.graph,
        incarnation=lending.graphs[place.root].incarnation,
        branch=head.branch,
        commit=head.n,
        content=content,
        rows=tuple(
            RowsHome(type=c.type, inserted=c.inserted, updated=c.updated, deleted=c.deleted)
            for c in report.counts
        ),
        by=caller.id,
        intent=call.intent,
        at=stamp_now(cluster.world),
    )


async def merge_proposed(running: Running, change: Change) -> None:
    """Carries an approved merge out."""
    standing = await standing_merges(running.task.cluster)
    proposed = next((p for p in standing if p.digest == change.before_digest), None)
    await running.started(change)
    if proposed is None:
        await _failed(
            running, change, _refused(change, "its sandbox has ended, or another was proposed")
        )
        return
    try:
        async with hold_graph(running, proposed.graph, "sandbox_merge") as held:
            await _merge_held(running, change, proposed, held)
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, proposed.graph, busy)


async def _merge_held(
    running: Running, change: Change, proposed: ProposedMerge, held: Held
) -> None:
    told = await _why_not(running.task.cluster, change, proposed)
    applied = running.state.applied_revision.resources.get(schema_address(proposed.graph))
    if applied is None or applied.digest != held.live.source_digest:
        told = (_refused(change, "the graph is gone, or has another schema than is recorded"),)
    if told:
        await _failed(running, change, *told)
        return
    approval_id = await consented(running, change, fresh_gate(running, change, held.live))
    if approval_id is None:
        return
    live, cluster = held.live, running.task.cluster
    assert live.incarnation is not None
    assert live.source_digest is not None
    place = await place_of(cluster, proposed.graph)

    async def act(stamp: Stamp) -> int:
        stamp = msgspec.structs.replace(stamp, intent=proposed.intent)
        with named(proposed.graph, place.root):
            report = await place.data.merge(
                place.root, proposed.branch, at=proposed.commit, stamp=stamp
            )
        made = parse_commit_id(report.commit or report.ours)
        assert made is not None
        return made.n

    sidecar = sidecar_of(
        running,
        held,
        "schema_apply",
        live.incarnation,
        schema_digest=live.source_digest,
        approval_id=approval_id,
    )
    seen = await make(running, Move(change=change, sidecar=sidecar, act=act))
    if seen is None:
        running.hold_back_one(change.resource, FAILED)
        return
    running.carried_out.append(merge_key(proposed))
    running.state = graph_moved(
        running.state, live=seen, schema_digest=live.source_digest, at=running.at
    )
    spend(running, approval_id)
    await running.finished(change, "done")


async def _why_not(
    cluster: Cluster, change: Change, proposed: ProposedMerge
) -> tuple[Diagnostic, ...]:
    """Returns why it cannot be merged now, looking at everything again; nothing where it can.

    A conflict is found here, before there is a sidecar, so that nothing has to be recovered from it.
    """
    try:
        lending = await require_open(cluster, proposed.sandbox)
        place = await place_of(cluster, proposed.graph)
        async with inside(cluster, proposed.sandbox) as inner:
            graph, at = proposed.graph, proposed.commit
            found = await refusal(cluster, inner, place, lending, graph, at=at)
        if found is not None:
            return (found,)
        content = await place.data.content_at(place.root, proposed.commit, branch=proposed.branch)
        live = await observe_graph(cluster, proposed.graph)
        if (content, live.incarnation) != (proposed.content, proposed.incarnation):
            return (_refused(change, "the sandbox or the graph is another than then"),)
        with named(proposed.graph, place.root):
            report = await place.data.merge_preview(place.root, proposed.branch, at=proposed.commit)
    except (SandboxError, GraphError) as failure:
        return (failure.diagnostic,)
    if report.outcome == "conflicts":
        why = f"the rows are in conflict ({report.conflict_count}); nothing was merged"
        return (*report.diagnostics, _refused(change, why))
    if report.outcome == "already_up_to_date":
        why = "`main` took these rows over before; what was taken back since does not come again"
        return (_refused(change, why),)
    return ()


async def _failed(running: Running, change: Change, *told: Diagnostic) -> None:
    running.told.add(*told[:-1])
    running.told.add(msgspec.structs.replace(told[-1], path=change.resource))
    running.hold_back_one(change.resource, FAILED)
    await running.finished(change, "not_done", FAILED)


def _refused(change: Change, why: str) -> Diagnostic:
    sandbox, graph = change.resource.partition("@")[2], change.resource.partition("@")[0]
    graph_id = graph.removeprefix("graph.")
    return error(
        FAILED,
        change.resource,
        f"the merge that was proposed cannot be carried out: {why}",
        remedy=f"Propose it anew: agentctl changeset merge {sandbox} {graph_id}; or take it back"
        " with --withdraw.",
    )
