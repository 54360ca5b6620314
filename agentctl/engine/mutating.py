"""Stored mutations: a checked query of the applied revision with arguments, as one op and one commit.

Source: graph-engine 4, access-and-faces 3.3.
"""

from collections.abc import Mapping

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ops.record import Op
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.graph_data import branch_commits, place_of
from agentctl.engine.stored import stored_query, wrong_kind
from agentctl.engine.write_events import OnEvent, tell_begun
from agentctl.engine.writing import BranchWrite, write_branch
from agentctl.graph.asking import Point
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, Stamp
from agentctl.graph.writes.report import MutationReport
from agentctl.languages.query.params import bind_params

__all__ = ["Asked", "Mutated", "Race", "mutate"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a stored mutation."""

    address: str
    """Of the query."""
    params: Mapping[str, object]
    branch: str = MAIN
    if_commit: str | None = None
    """Id of the commit that the branch must be at; None for any."""
    intent: str
    wait_s: float = 0
    """How long a lease that somebody else holds is waited for, in seconds."""
    op_id: str | None = None
    """Where it was minted before."""
    on_event: OnEvent | None = None
    """Takes the op, once it is there."""


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """A write that lost to another one."""

    expected: str | None
    """The commit that it was meant for; None for whichever it found."""
    actual: str | None
    """Where the branch is now; None where that cannot be read."""


class Mutated(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mutation."""

    report: MutationReport | None
    """None where it was refused."""
    op: Op | None = None
    race: Race | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was done, also where it changed nothing."""
        return self.report is not None and not has_errors(self.diagnostics)


async def mutate(cluster: Cluster, caller: Caller, asked: Asked) -> Mutated:
    """Runs a stored mutation on a branch, by one commit or none.

    Raises:
        FrozenError: the graph or the cluster is frozen.
        StateLockHeldError: another writer holds the branch, for longer than it is waited.
    """
    found = await stored_query(cluster, asked.address, Point(branch=asked.branch))
    if found.query is None:
        return Mutated(report=None, diagnostics=found.diagnostics)
    other = wrong_kind(found.query, asked.address, changes=True)
    if other is not None:
        return Mutated(report=None, diagnostics=(other,))
    bound = bind_params(found.query, asked.params, path=asked.address)
    if has_errors(bound.diagnostics):
        return Mutated(report=None, diagnostics=bound.diagnostics)
    try:
        place = await place_of(cluster, found.graph)
    except GraphError as failure:
        return Mutated(report=None, diagnostics=(failure.diagnostic,))
    query = found.query

    async def act(stamp: Stamp) -> MutationReport:
        await tell_begun(asked.on_event, stamp.op)
        return await place.data.mutate(
            place.root,
            query,
            bound.values,
            branch=asked.branch,
            if_commit=asked.if_commit,
            stamp=stamp,
        )

    def refused(report: MutationReport) -> str | None:
        return (
            "the schema does not permit it; nothing was changed"
            if has_errors(report.diagnostics)
            else None
        )

    write = BranchWrite(
        action="mutate",
        graph=found.graph,
        branch=asked.branch,
        intent=asked.intent,
        wait_s=asked.wait_s,
        op_id=asked.op_id,
    )
    done = await write_branch(cluster, caller, write, act, refused=refused)
    race = await _race(cluster, found.graph, asked) if done.is_race else None
    told = done.diagnostics if done.value is None else done.value.diagnostics
    return Mutated(report=done.value, op=done.op, race=race, diagnostics=told)


async def _race(cluster: Cluster, graph: str, asked: Asked) -> Race:
    try:
        newest = await branch_commits(cluster, graph, asked.branch, limit=1)
    except GraphError:
        newest = ()
    return Race(expected=asked.if_commit, actual=newest[0].id if newest else None)
