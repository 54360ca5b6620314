"""Loads of files of any form into any branch, as one op and one commit; bad rows set aside up to a bound.

`agentctl.engine.data.load` takes the lines of `main` for engines of graphs without a data plane; all
others load here. Source: graph-engine 4.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import place_of
from agentctl.engine.write_events import OnEvent, while_told
from agentctl.engine.writing import BranchWrite, write_branch
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Progress, Source
from agentctl.graph.port import GraphError, LoadReport
from agentctl.ids import branch_address, graph_address

if TYPE_CHECKING:
    from agentctl.graph.port import Stamp


class Loading(msgspec.Struct, frozen=True, kw_only=True):
    """One load of one source."""

    graph: str
    source: Source
    branch: str = MAIN
    options: LoadOptions
    intent: str
    wait_s: float = 0
    """How long a lease that somebody else holds is waited for, in seconds."""
    op_id: str | None = None
    """Where it was minted before."""
    on_event: OnEvent | None = None
    """Takes the op, and then how far the load is."""


class LoadTold(LoadReport, frozen=True, kw_only=True):
    """What a load did, and how much of its input it set aside."""

    rejected: int = 0
    """Rows or lines that were not loaded, each told of by a warning as far as the list goes."""


def not_loaded(outcome: LoadOutcome | LoadReport) -> str | None:
    """Returns why a load made no commit; None where it was not refused."""
    refused = has_errors(outcome.diagnostics)
    return "the input has errors; nothing was loaded" if refused else None


async def load_source(
    cluster: Cluster, caller: Caller, loading: Loading
) -> tuple[LoadTold, Op | None]:
    """Loads a source into a branch of a recorded graph by one commit, or nothing at all.

    Whether the branch may be written to is looked at before the source is read, behind its last
    line, and before the commit: a freeze that comes meanwhile ends the load, and nothing is loaded.

    Raises:
        FrozenError: the graph, its branch or the cluster is frozen.
        StateLockHeldError: another writer holds the branch, for longer than it is waited.
    """
    try:
        place = await place_of(cluster, loading.graph)
    except GraphError as failure:
        return LoadTold(commit=None, rows={}, diagnostics=(failure.diagnostic,)), None

    async def permitted() -> None:
        await cluster.freezes.require_thawed(branch_address(loading.graph, loading.branch))

    async def act(stamp: "Stamp") -> LoadOutcome:
        await permitted()

        async def load(progress: Callable[[Progress], None] | None) -> LoadOutcome:
            options = msgspec.structs.replace(
                loading.options, progress=progress, permitted=permitted
            )
            return await place.data.load_from(
                place.root, [loading.source], branch=loading.branch, options=options, stamp=stamp
            )

        return await while_told(loading.on_event, stamp.op, load)

    write = BranchWrite(
        action="load",
        graph=loading.graph,
        branch=loading.branch,
        intent=loading.intent,
        replaces=loading.options.mode == "overwrite",
        wait_s=loading.wait_s,
        op_id=loading.op_id,
    )
    done = await write_branch(cluster, caller, write, act, refused=not_loaded)
    outcome, op = done.value, done.op
    if outcome is None:
        return LoadTold(commit=None, rows={}, diagnostics=done.diagnostics), op
    rows = {} if has_errors(outcome.diagnostics) else outcome.rows
    told = LoadTold(
        commit=outcome.commit,
        rows=rows,
        diagnostics=tuple(_of(loading.graph, place.root, d) for d in outcome.diagnostics),
        rejected=outcome.rejected,
    )
    return told, op


def _of(graph: str, root: str, told: Diagnostic) -> Diagnostic:
    """Returns what the engine tells of a root as told of the graph that has it."""
    if told.path != graph_address(root):
        return told
    return msgspec.structs.replace(told, path=graph_address(graph))
