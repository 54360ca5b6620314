"""Gathers what the planner needs: the desired cluster, the ledger, and the live graphs. Writes nothing."""

from collections.abc import Iterable, Mapping

import anyio
import msgspec
from anyio import to_thread

from agentctl.adapters.sources.committed import is_commit, load_commit
from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.ledger.state import State
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import sandbox_of
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.approval_rules import applied_rules
from agentctl.engine.cluster import Cluster, moved_from
from agentctl.engine.disposals import standing
from agentctl.engine.finding import roots_named
from agentctl.engine.going_back import reverts_of
from agentctl.engine.graph_data import place_of
from agentctl.engine.keeping import retention_s
from agentctl.engine.ledger import Head
from agentctl.engine.policies import Wanted, impact, lent
from agentctl.engine.proposals import undecided_merges
from agentctl.engine.referred import referred_by
from agentctl.engine.revisions import data_before, load_revision, revision_of
from agentctl.graph.layout import MAIN
from agentctl.ids import split_branch

FOLDER = "folder"
DRAFT_PREFIX = "draft:"
COMMIT_PREFIX = "commit:"
"""Of the folder as a commit of its git repository has it."""
OBSERVERS_MAX = 4
"""How many graphs are observed at a time."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The folder, or a draft over it, as a command found it."""

    name: str
    """``folder``, ``draft:<id>``, ``sandbox:<id>``, ``revision:<seq>`` or ``commit:<id>``."""
    desired: DesiredCluster | None
    """None exactly where the diagnostics have an error."""
    diagnostics: tuple[Diagnostic, ...]
    remarks: tuple[Diagnostic, ...] = ()
    """What only `validate` tells."""

    @property
    def draft_id(self) -> str | None:
        """The draft, or None for the folder."""
        return draft_of(self.name)

    @property
    def commit(self) -> str | None:
        """The git commit, where it is one."""
        return commit_named(self.name)


def commit_named(target: str) -> str | None:
    """Returns the git commit that a target names; None for any other."""
    commit = target.removeprefix(COMMIT_PREFIX)
    return commit if commit != target and is_commit(commit) else None


def draft_of(target: str) -> str | None:
    """Returns the id of the draft that a target names, or None for the folder."""
    return target.removeprefix(DRAFT_PREFIX) if target.startswith(DRAFT_PREFIX) else None


async def load_target(
    cluster: Cluster, caller: Caller, name: str, *, remembered: bool = False
) -> Target:
    """Returns what *name* declares, checked whole; a draft is loaded as an overlay of the folder.

    Args:
        cluster: the opened cluster.
        caller: whom it is for.
        name: ``folder`` or ``draft:<id>``; ``sandbox:<id>`` is the folder of that sandbox's cluster.
        remembered: whether the cache may answer for files that did not change; only for a look.
    """
    seq = revision_of(name)
    if seq is not None:
        found_then = await load_revision(cluster.store, cluster.ledger, seq)
        return Target(name=name, desired=found_then.desired, diagnostics=found_then.diagnostics)
    commit = commit_named(name)
    if commit is not None:
        loaded = await to_thread.run_sync(load_commit, cluster.folder.path, commit)
        return _judged(cluster, name, loaded)
    overlay: Mapping[str, bytes | None] | None = None
    confined = not caller.at_terminal or cluster.sandbox is not None
    assert sandbox_of(name) in {None, cluster.sandbox}, "a sandbox is planned in its own cluster"
    draft_id = draft_of(name)
    if draft_id is not None:
        found = await cluster.drafts.overlay(draft_id)
        if isinstance(found, Diagnostic):
            return Target(name=name, desired=None, diagnostics=(found,))
        overlay = found
        confined = confined or await is_of_another(cluster, caller, draft_id)
    loaded = await cluster.folder.load(overlay=overlay, confined=confined, remembered=remembered)
    return _judged(cluster, name, loaded)


def _judged(cluster: Cluster, name: str, loaded: LoadedCluster) -> Target:
    """Returns what was loaded as a target; one that names another storage root is refused."""
    diagnostics = loaded.diagnostics
    if loaded.desired is not None:
        written = loaded.desired.storage
        moved = moved_from(cluster.store, cluster.make_store, written, cluster.folder)
        diagnostics = (*diagnostics, moved) if moved is not None else diagnostics
    failed = has_errors(diagnostics) or loaded.desired is None
    return Target(
        name=name,
        desired=None if failed else loaded.desired,
        diagnostics=diagnostics,
        remarks=loaded.remarks,
    )


async def is_of_another(cluster: Cluster, caller: Caller, draft_id: str) -> bool:
    """Returns whether somebody else than *caller* wrote the draft: it may name no path outside then.

    Else a person who looks at an agent's draft would read, for the agent, what only they may read.
    """
    draft = await cluster.drafts.show(draft_id)
    return isinstance(draft, Diagnostic) or draft.owner != caller.id


async def observe_graphs(cluster: Cluster, graph_ids: Iterable[str]) -> dict[str, LiveGraph]:
    """Returns what the root of each graph holds now, by id; a few at a time."""
    wanted = sorted(set(graph_ids))
    seen: dict[str, LiveGraph] = {}
    limiter = anyio.CapacityLimiter(OBSERVERS_MAX)

    async def observe(graph_id: str) -> None:
        async with limiter:
            seen[graph_id] = await observe_graph(cluster, graph_id)

    async with anyio.create_task_group() as tasks:
        for graph_id in wanted:
            tasks.start_soon(observe, graph_id)
    return {graph_id: seen[graph_id] for graph_id in wanted}


async def observe_graph(cluster: Cluster, graph_id: str) -> LiveGraph:
    """Returns what one root holds; a root that the storage does not give is `unreadable`.

    Of ``<graph>@<branch>`` what that branch holds.
    """
    graph, branch = split_branch(graph_id)
    try:
        if branch == MAIN:
            return await cluster.graphs.observe(graph_id)
        place = await place_of(cluster, graph)
        seen = await place.data.observe_branch(place.root, branch)
        return msgspec.structs.replace(seen, graph_id=graph_id)
    except BackendError as failure:
        return LiveGraph(
            graph_id=graph_id,
            uri=cluster.graphs.uri(graph),
            presence="unreadable",
            error=str(failure),
        )


def known_graphs(desired: DesiredCluster | None, state: State | None) -> frozenset[str]:
    """Returns the ids of all graphs that are declared or recorded."""
    ids = {g.id for g in desired.graphs} if desired is not None else set[str]()
    recorded = state.applied_revision.resources if state is not None else {}
    # The ledger holds no address that is none, and there may be many: they are not parsed whole.
    for address in recorded:
        kind, _, rest = address.partition(".")
        if kind in {"graph", "schema", "query"}:
            ids.add(rest.partition(".")[0])
    return frozenset(ids)


async def plan_inputs(  # noqa: PLR0913  # what a plan depends on
    cluster: Cluster,
    caller: Caller,
    *,
    target: str,
    desired: DesiredCluster,
    head: Head | None,
    state: State | None = None,
    state_cas: str | None = None,
    pending: Mapping[str, Sidecar | None] | None = None,
) -> PlanInputs:
    """Returns everything that the plan depends on, the live graphs freshly observed.

    Args:
        cluster: the opened cluster.
        caller: whom the plan is for.
        target: ``folder`` or ``draft:<id>``.
        desired: what the target declares.
        head: the newest ledger object.
        state: the recorded state where a sweep moved it since *head*.
        state_cas: of that state.
        pending: sidecars that the sweep kept; none for a command that only looks.
    """
    recorded = state if state is not None else head.envelope.state if head is not None else None
    cas = state_cas if state_cas is not None else head.state_cas if head is not None else None
    registry = await cluster.principals.registry()
    policies = Wanted.over(head, desired, registry, recorded)
    reverts = await reverts_of(cluster, data_before(target))
    observed = known_graphs(desired, recorded) | {revert.key for revert in reverts}
    return PlanInputs(
        desired=desired,
        state=recorded,
        cluster_id=registry.cluster_id,
        principal=caller.id,
        now=cluster.world.now(),
        target=target,
        state_cas=cas,
        state_revision=recorded.state_revision if recorded is not None else 0,
        principals_head=registry.head.head,
        protected=head.envelope.protected if head is not None else (),
        approval_rules=await applied_rules(
            cluster.catalog, recorded.applied_revision.resources if recorded is not None else {}
        ),
        referred=await referred_by(cluster.catalog, recorded, desired),
        disposals=await standing(cluster.store),
        merges=await undecided_merges(cluster, recorded),
        reverts=reverts,
        settings=head.envelope.settings if head is not None else AppliedSettings(),
        live=await observe_graphs(cluster, observed),
        renamed_roots=await _renamed_roots(cluster, desired, recorded),
        pending=pending or {},
        retention_s=await retention_s(cluster.catalog, recorded),
        policy_impact=await impact(cluster, policies),
        borrowers=await lent(cluster, policies),
        # Who comes with a token is at no terminal: what it widens is judged, a first policy too.
        by_operator=caller.kind == "human" and caller.scopes is None,
    )


async def _renamed_roots(
    cluster: Cluster, desired: DesiredCluster, state: State | None
) -> dict[str, str]:
    """Returns where declared graphs lie that the ledger does not record; one root of each is told.

    What cannot be read stops the step, not the plan.
    """
    ids = (graph.id for graph in desired.graphs)
    found = await roots_named(cluster, ids, state or State(), told=[])
    return {g: cluster.graphs.port.uri(roots[0]) for g, roots in found.items()}
