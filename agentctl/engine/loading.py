"""Loads of files of any form into any branch, as one op and one commit; bad rows set aside up to a bound.

`agentctl.engine.data.load` takes the lines of `main`, which every engine of graphs can load; this
needs the data plane. Source: graph-engine 4.
"""

from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.data_plane import graph_data
from agentctl.engine.writing import Write, Written, write_branch
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, LoadOutcome, Source
from agentctl.graph.port import GraphError, LoadReport
from agentctl.ids import graph_address

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


class LoadTold(LoadReport, frozen=True, kw_only=True):
    """What a load did, and how much of its input it set aside."""

    rejected: int = 0
    """Rows or lines that were not loaded, each told of by a warning as far as the list goes."""


async def load_source(
    cluster: Cluster, caller: Caller, loading: Loading
) -> tuple[LoadTold, Op | None]:
    """Loads a source into a branch of a recorded graph by one commit, or nothing at all.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the branch, for longer than it is waited.
    """
    try:
        data, root = await graph_data(cluster, loading.graph)
    except GraphError as failure:
        return LoadTold(commit=None, rows={}, diagnostics=(failure.diagnostic,)), None

    async def act(stamp: "Stamp") -> LoadOutcome:
        await cluster.freezes.require_thawed(graph_address(loading.graph))
        return await data.load_from(
            root, [loading.source], branch=loading.branch, options=loading.options, stamp=stamp
        )

    write = Write(
        action="load",
        graph=loading.graph,
        branch=loading.branch,
        intent=loading.intent,
        replaces=loading.options.mode == "overwrite",
        wait_s=loading.wait_s,
        op_id=loading.op_id,
    )
    done = await write_branch(cluster, caller, write, act)
    if isinstance(done, Written):
        return LoadTold(commit=None, rows={}, diagnostics=(done.refusal,)), done.op
    outcome, op = done
    rows = {} if has_errors(outcome.diagnostics) else outcome.rows
    told = LoadTold(
        commit=outcome.commit,
        rows=rows,
        diagnostics=outcome.diagnostics,
        rejected=outcome.rejected,
    )
    return told, op
