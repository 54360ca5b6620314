"""The rows of a sandbox come home: its branch of a graph is merged into the real `main`, as one op.

Definitions never come this way: where the sandbox has changed a graph's schema, the merge waits until
the real graph has that schema. A sandbox's branch is merged by this operation and by no other; into a
protected graph by an apply, when a person has consented (`bringing_home`). Source: sandboxes 4,
ChangeSet; ADR 27.
"""

from typing import TYPE_CHECKING, cast

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.migrate import plan_migration
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.lending import Lending, target_of, trunk_of
from agentctl.domain.sandbox.merge_plan import step_words
from agentctl.engine.branches import Call
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import Place, place_of
from agentctl.engine.writing import Written, write_branch
from agentctl.graph.branching.told import MergeReport
from agentctl.graph.layout import MAIN
from agentctl.graph.port import Stamp
from agentctl.ids import graph_address, schema_address
from agentctl.languages.schema.ir import catalog_of

if TYPE_CHECKING:
    from agentctl.engine.ledger import Head
    from agentctl.graph.data_port import GraphData

FIRST = "1"
"""The commit by which a sandbox's branch was cut."""
_WORDS_MAX = 5


async def merge_sandbox(
    cluster: Cluster, inner: Cluster, caller: Caller, call: Call, lending: Lending
) -> Written[MergeReport]:
    """Merges what a sandbox holds of a graph into the real one, or tells why not and does nothing.

    Args:
        cluster: the real one.
        inner: the sandbox's.
        caller: merges.
        call: which graph, and why.
        lending: what the sandbox was lent.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds `main`, for longer than it is waited for.
    """
    place = await place_of(cluster, call.graph)
    trunk = trunk_of(lending.sandbox)
    refused = await refusal(cluster, inner, place, lending, call.graph)
    if refused is not None:
        return Written(diagnostics=(refused,))

    async def check(head: "Head") -> Diagnostic | None:
        if graph_address(call.graph) in head.envelope.protected:
            return _gated(lending.sandbox, call.graph)
        return await refusal(cluster, inner, place, lending, call.graph)

    async def act(stamp: Stamp) -> MergeReport:
        return await place.data.merge(place.root, trunk, stamp=stamp)

    def conflicts(report: MergeReport) -> str | None:
        if report.outcome != "conflicts":
            return None
        return f"the rows are in conflict ({report.conflict_count}); nothing was merged"

    # The ops of the sandbox are in its own journal, so that none of them is a parent here.
    write = call.write("branch_merge", MAIN)
    made = await write_branch(cluster, caller, write, act, check=check, refused=conflicts)
    told = made.value.diagnostics if made.value is not None else ()
    return msgspec.structs.replace(made, diagnostics=(*made.diagnostics, *told))


async def refusal(
    cluster: Cluster,
    inner: Cluster,
    place: Place,
    lending: Lending,
    graph: str,
    *,
    at: int | None = None,
) -> Diagnostic | None:
    """Returns why commit *at* of the sandbox's branch of a graph, or its head, cannot be merged now."""
    lent = lending.graphs.get(place.root)
    live = await observe_graph(cluster, graph)
    if lent is None or live.incarnation != lent.incarnation:
        return error(
            "sandbox_merge_refused",
            graph_address(graph),
            f"graph {graph} is not one that the sandbox {lending.sandbox} was lent",
            detail=live.error,
            remedy="A graph that was made in the sandbox comes home by its declaration, an apply"
            " and a load.",
        )
    return await waits(inner, place, lending, graph, at=at)


async def waits(
    inner: Cluster, place: Place, lending: Lending, graph: str, *, at: int | None = None
) -> Diagnostic | None:
    """Returns what the real graph needs first: the schema, where the sandbox has changed it by then."""
    within = cast("GraphData", inner.graphs.port)
    theirs = await within.schema_at(place.root, at=None if at is None else str(at))
    before = await within.schema_at(place.root, at=FIRST)
    if not plan_migration(before, catalog_of(theirs)).steps:
        return None
    ours = await place.data.schema_at(place.root)
    wanted = plan_migration(ours, catalog_of(theirs))
    if wanted.supported and not wanted.steps:
        return None
    words = "; ".join(step_words(step) for step in wanted.steps[:_WORDS_MAX])
    return error(
        "sandbox_merge_waits",
        schema_address(graph),
        f"the rows were written under a schema that graph {graph} does not have yet: {words}",
        remedy=f"Publish the change set of {target_of(lending.sandbox)} and apply it, then merge.",
    )


def _gated(sandbox_id: str, graph: str) -> Diagnostic:
    address = graph_address(graph)
    return error(
        "approval_required",
        address,
        f"graph {graph} is protected: to merge the rows of sandbox {sandbox_id} into it needs a"
        " human's decision",
        remedy="It was protected just now; propose the merge: agentctl changeset merge"
        f" {target_of(sandbox_id)} {graph}",
    )
