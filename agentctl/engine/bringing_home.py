"""The rows of a sandbox for a protected graph: proposed, consented to, and merged by an apply.

What a person consents to is one commit of the sandbox's branch, by the digest of what it names; rows
that were written later are not merged. The merge is decided anew on whatever `main` is then, and in
a conflict nothing is merged. Its commit bears a nonce that follows from the proposal, so an apply
that died in it is gone on with. Source: sandboxes 4, ChangeSet; ADR 27.
"""

from typing import TYPE_CHECKING, Final, cast

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.plan.merges import ProposedMerge, RowsHome
from agentctl.domain.plan.model import Change
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import Lending, trunk_of
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.branches import Call
from agentctl.engine.cluster import Cluster
from agentctl.engine.consent import consented, fresh_gate, spend
from agentctl.engine.erasure import NONCE_DIGITS, answered, see
from agentctl.engine.freezing import FrozenError
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import Place, named, place_of
from agentctl.engine.leases import StateLockHeldError
from agentctl.engine.lending import SandboxError
from agentctl.engine.moving import Held, graph_busy, hold_graph
from agentctl.engine.proposals import forget_merges, merge_key, put_merge, standing_merges
from agentctl.engine.running import Running
from agentctl.engine.sandbox_merging import FIRST, refusal
from agentctl.engine.sandboxed import inside, require_open
from agentctl.engine.world import mint_ulid, stamp_now
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.branching.told import MergeReport
from agentctl.graph.port import GraphError, Stamp

if TYPE_CHECKING:
    from agentctl.graph.data_port import GraphData

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
    if not call.intent.strip():
        why = "`sandbox_merge` needs an intent: why it is wanted"
        return Proposing(diagnostics=(error("intent_required", "intent", why),))
    place = await place_of(cluster, call.graph)
    refused = await refusal(cluster, inner, place, lending, call.graph)
    if refused is not None:
        return Proposing(diagnostics=(refused,))
    try:
        with named(call.graph, place.root):
            report = await place.data.merge_preview(place.root, trunk_of(lending.sandbox))
            if report.outcome in {"conflicts", "already_up_to_date"}:
                return Proposing(report=report, diagnostics=report.diagnostics)
            made = await _proposal(cluster, inner, caller, call, lending, place, report)
            proposed = await put_merge(cluster.store, made)
            await _require_still_open(cluster, lending.sandbox)
    except (GraphError, SandboxError) as failure:
        return Proposing(diagnostics=(failure.diagnostic,))
    return Proposing(proposed=proposed, report=report)


async def _require_still_open(cluster: Cluster, sandbox_id: str) -> None:
    """Leaves no proposal of a sandbox that ended while it was made."""
    try:
        await require_open(cluster, sandbox_id)
    except SandboxError:
        await forget_merges(cluster.store, sandbox_id)
        raise


async def _proposal(  # noqa: PLR0913  # as of `propose_merge`, and what a merge would do
    cluster: Cluster,
    inner: Cluster,
    caller: Caller,
    call: Call,
    lending: Lending,
    place: Place,
    report: MergeReport,
) -> ProposedMerge:
    head = parse_commit_id(report.theirs)
    assert head is not None, report.theirs
    content = await place.data.content_at(place.root, head.n, branch=head.branch)
    within = cast("GraphData", inner.graphs.port)
    differ = await within.diff(place.root, FIRST, str(head.n), sample=0)
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
            RowsHome(type=t.type, inserted=t.inserted, updated=t.updated, deleted=t.deleted)
            for t in differ.types
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
        await _failed(running, change, _ended(change, "the sandbox has ended, or took it back"))
        return
    try:
        async with hold_graph(running, proposed.graph, "sandbox_merge") as held:
            await _merge_held(running, change, proposed, held)
    except (StateLockHeldError, FrozenError) as busy:
        await graph_busy(running, change, proposed.graph, busy)


async def _merge_held(
    running: Running, change: Change, proposed: ProposedMerge, held: Held
) -> None:
    cluster = running.task.cluster
    refused = await _refused(cluster, change, proposed)
    if refused is not None:
        await _failed(running, change, refused)
        return
    approval_id = await consented(running, change, fresh_gate(running, change, held.live))
    if approval_id is None:
        return
    await cluster.leases.check(running.task.lease)
    stamp = running.stamp(epoch=held.lease.epoch, nonce=proposed.digest[:NONCE_DIGITS])
    stamp = msgspec.structs.replace(stamp, intent=proposed.intent)
    try:
        report = await _merged(cluster, proposed, stamp)
    except GraphError as failure:
        await _failed(running, change, failure.diagnostic)
        return
    except BackendError as failure:
        told = warning(
            "outcome_unknown",
            change.resource,
            f"the merge was begun, and whether it is through could not be seen: {failure}",
            remedy="agentctl apply",
        )
        await _failed(running, change, told, how="unknown")
        return
    if report.outcome == "conflicts":
        running.told.add(*report.diagnostics)
        why = f"the rows are in conflict ({report.conflict_count}); nothing was merged"
        await _failed(running, change, _ended(change, why))
        return
    running.carried_out.append(merge_key(proposed))
    await see(running, proposed.graph)
    spend(running, approval_id)
    await running.finished(change, "done")


async def _merged(cluster: Cluster, proposed: ProposedMerge, stamp: Stamp) -> MergeReport:
    """Merges; what was merged already is so still.

    Raises:
        GraphError: the graph refused it.
        BackendError: nobody answered, or the storage failed.
    """
    place = await place_of(cluster, proposed.graph)
    reports: list[MergeReport] = []

    async def act() -> None:
        report = await place.data.merge(
            place.root, proposed.branch, at=proposed.commit, stamp=stamp
        )
        reports.append(report)

    with named(proposed.graph, place.root):
        await answered(act)
    return reports[-1]


async def _refused(cluster: Cluster, change: Change, proposed: ProposedMerge) -> Diagnostic | None:
    """Returns why it cannot be merged now, looking at everything again."""
    try:
        lending = await require_open(cluster, proposed.sandbox)
        async with inside(cluster, proposed.sandbox) as inner:
            place = await place_of(cluster, proposed.graph)
            found = await refusal(cluster, inner, place, lending, proposed.graph)
        if found is None:
            content = await place.data.content_at(
                place.root, proposed.commit, branch=proposed.branch
            )
            live = await observe_graph(cluster, proposed.graph)
            if (content, live.incarnation) != (proposed.content, proposed.incarnation):
                found = _ended(change, "the sandbox or the graph is another than when it was")
    except (SandboxError, GraphError) as failure:
        return failure.diagnostic
    return found


async def _failed(
    running: Running, change: Change, told: Diagnostic, *, how: str = "not_done"
) -> None:
    running.told.add(msgspec.structs.replace(told, path=change.resource))
    running.hold_back_one(change.resource, FAILED)
    await running.finished(change, "unknown" if how == "unknown" else "not_done", FAILED)


def _ended(change: Change, why: str) -> Diagnostic:
    sandbox, graph = change.resource.partition("@")[2], change.resource.partition("@")[0]
    graph_id = graph.removeprefix("graph.")
    return error(
        FAILED,
        change.resource,
        f"the merge that was proposed cannot be carried out: {why}",
        remedy=f"Propose it anew: agentctl changeset merge {sandbox} {graph_id}; or take it back"
        " with --withdraw.",
    )
