"""Merging one branch into another: one commit `merge` with two parents, or the conflicts and nothing.

The commit on our branch names what the merge left, and both commits that it came from as its
parents, ours first: what is merged later starts from there. A merge that lost the race for its
number is decided anew above the winner. Source: graph-engine 1, 5, ADR 26.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.branching.ancestry import merge_bases
from agentctl.graph.branching.conflicts import Found, diagnostics_of, element_of
from agentctl.graph.branching.names import parse_commit_id
from agentctl.graph.branching.outcomes import MergeOutcome, merged_schema, outcome_of
from agentctl.graph.branching.told import MergeCounts, MergeReport
from agentctl.graph.branching.twins import are_twins
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import Commit, SchemaRef, TypeState, next_commit
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.log import check_epoch, require_live
from agentctl.graph.port import GraphError, ReadSetConflictError, Stamp
from agentctl.graph.refusals import collected, conflict, corrupt
from agentctl.graph.roots import ATTEMPT_COUNT_MAX, GraphRoots
from agentctl.ids import graph_address

if TYPE_CHECKING:
    from agentctl.graph.branching.merge import MergePlan
    from agentctl.graph.tables import Tables
    from agentctl.languages.schema.ir import SchemaIr


class _Met(msgspec.Struct, frozen=True, kw_only=True):
    """The three commits of one attempt, with the schema of the merged graph."""

    base: Commit
    ours: Commit
    theirs: Commit
    schema: SchemaRef
    crossed: tuple[Commit, ...] = ()
    """Where merges crossed, the other commits that are as much the base."""

    @property
    def outcome(self) -> MergeOutcome:
        """What the merge is by what the commits name; one that depends on the base is looked at."""
        found = {outcome_of(b, self.ours, self.theirs) for b in (self.base, *self.crossed)}
        return found.pop() if len(found) == 1 else "merged"

    def report(self, outcome: MergeOutcome) -> MergeReport:
        """Returns what is told of a merge that looks at no rows."""
        return MergeReport(
            outcome=outcome,
            commit=None,
            base=commit_id(self.base.n, self.base.branch),
            ours=commit_id(self.ours.n, self.ours.branch),
            theirs=commit_id(self.theirs.n, self.theirs.branch),
        )


async def preview(
    roots: GraphRoots, graph_id: str, source: str, *, into: str = MAIN, at: int | None = None
) -> MergeReport:
    """Returns what `merge` would say now, with the counts of a fast-forward too; writes nothing.

    Raises:
        GraphError: as `merge`.
    """
    ours = require_live(graph_id, await roots.head(graph_id, into))
    met = await _met(roots, graph_id, ours, await _theirs(roots, graph_id, source, at))
    outcome = met.outcome
    if outcome == "already_up_to_date":
        return met.report(outcome)
    await _check_kept(roots, graph_id, met)
    report = _reported(graph_id, met, await _planned(roots, graph_id, met))
    return report if outcome == "merged" else msgspec.structs.replace(report, outcome=outcome)


async def merge(  # noqa: PLR0913  # what is merged, into what, and by whom
    roots: GraphRoots,
    graph_id: str,
    source: str,
    *,
    into: str = MAIN,
    at: int | None = None,
    stamp: Stamp,
    if_commit: str | None = None,
) -> MergeReport:
    """Merges branch *source* into branch *into*.

    Repeating it with the same nonce writes nothing more and reports the same commit.

    Args:
        roots: where the graph lies.
        graph_id: the graph.
        source: the branch that is merged ("theirs"); it stays as it is.
        into: the branch that gets the commit ("ours"); the caller holds its lease.
        at: the number of the commit of *source* that is merged; its head where it is not given.
        stamp: who, why, and the nonce of the commit.
        if_commit: id of the commit that must be the head of *into*; no other is merged into.

    Raises:
        GraphError: `graph_branch_missing`, `graph_detached`, `lease_lost`, `merge_schema_diverged`, `graph_collected` where the data of the commit at which the
            branches parted is gone, `graph_busy`.
        ReadSetConflictError: *if_commit* is not the head, or other writers kept being faster.
    """
    for _ in range(ATTEMPT_COUNT_MAX - 1):
        try:
            return await _attempt(roots, graph_id, (source, at), into, stamp, if_commit)
        except ReadSetConflictError:
            if if_commit is not None:
                raise
    return await _attempt(roots, graph_id, (source, at), into, stamp, if_commit)


async def _attempt(  # as of `merge`
    roots: GraphRoots,
    graph_id: str,
    source: tuple[str, int | None],
    into: str,
    stamp: Stamp,
    if_commit: str | None,
) -> MergeReport:
    ours = require_live(graph_id, await roots.head(graph_id, into))
    done = await roots.done_lately(ours, graph_id, stamp)
    if done is not None:
        return await _as_done(roots, graph_id, await roots.log.at(graph_id, done, into))
    check_epoch(graph_id, ours, stamp.epoch)
    _check_expected(graph_id, ours, if_commit)
    theirs = await _theirs(roots, graph_id, *source)
    return await _merge_commits(roots, graph_id, ours, theirs, stamp)


async def _theirs(roots: GraphRoots, graph_id: str, source: str, at: int | None) -> Commit:
    head = require_live(graph_id, await roots.head(graph_id, source))
    return head if at is None else await roots.log.at(graph_id, at, source)


async def _merge_commits(
    roots: GraphRoots, graph_id: str, ours: Commit, theirs: Commit, stamp: Stamp
) -> MergeReport:
    met = await _met(roots, graph_id, ours, theirs)
    outcome = met.outcome
    if outcome == "already_up_to_date":
        return met.report(outcome)
    if outcome == "fast_forward":
        types = await _fast_forward(roots, graph_id, met, stamp)
        return await _committed(roots, graph_id, met, types, stamp, met.report(outcome))
    await _check_kept(roots, graph_id, met)
    plan, types = await _merged(roots, graph_id, met, stamp)
    report = _reported(graph_id, met, plan)
    if report.outcome == "conflicts":
        return report
    return await _committed(roots, graph_id, met, types, stamp, report)


async def _met(roots: GraphRoots, graph_id: str, ours: Commit, theirs: Commit) -> _Met:
    bases = await merge_bases(roots, graph_id, ours, theirs)
    if not bases:
        named = " and ".join(commit_id(c.n, c.branch) for c in (ours, theirs))
        raise corrupt(graph_id, f"{named} grew from no common commit")
    schemas = [merged_schema(b.schema, ours.schema, theirs.schema) for b in bases]
    schema = schemas[0] if all(schema == schemas[0] for schema in schemas) else None
    if schema is None and await _are_twins(roots, graph_id, ours, theirs):
        schema = ours.schema
    if schema is None:
        raise _schema_diverged(graph_id, ours, theirs)
    return _Met(base=bases[0], ours=ours, theirs=theirs, schema=schema, crossed=bases[1:])


async def _are_twins(roots: GraphRoots, graph_id: str, ours: Commit, theirs: Commit) -> bool:
    """Returns whether the schemas, which both moved on, are one but for the ids."""
    if ours.schema.shape_digest != theirs.schema.shape_digest:
        return False
    return are_twins(await roots.ir(graph_id, ours), await roots.ir(graph_id, theirs))


async def _fast_forward(
    roots: GraphRoots, graph_id: str, met: _Met, stamp: Stamp
) -> Mapping[str, TypeState]:
    """Returns the types of their commit, pinned for ours: no row is read or written."""
    irs = [await roots.ir(graph_id, commit) for commit in (met.ours, met.theirs)]
    tag = roots.tag(met.ours.n + 1, stamp, met.ours.branch)

    def pin(tables: "Tables") -> Mapping[str, TypeState]:
        from agentctl.graph.branching.merge import pin_new
        from agentctl.graph.snapshot import Snapshot

        ours, theirs = (
            Snapshot(commit, ir, tables)
            for commit, ir in zip((met.ours, met.theirs), irs, strict=True)
        )
        pin_new(tables, ours, theirs, (), tag)
        return met.theirs.types

    return await roots.on_tables(graph_id, met.ours.incarnation, pin)


async def _merged(
    roots: GraphRoots, graph_id: str, met: _Met, stamp: Stamp
) -> tuple["MergePlan", Mapping[str, TypeState]]:
    """Decides, and writes what was decided where there is no conflict."""
    tag = roots.tag(met.ours.n + 1, stamp, met.ours.branch)
    decide = await _decision(roots, graph_id, met)

    def act(tables: "Tables") -> tuple["MergePlan", Mapping[str, TypeState]]:
        from agentctl.graph.branching.merge import written

        plan = decide(tables)
        return plan, {} if plan.found.count else written(tables, plan, tag)

    return await roots.on_tables(graph_id, met.ours.incarnation, act)


async def _planned(roots: GraphRoots, graph_id: str, met: _Met) -> "MergePlan":
    decide = await _decision(roots, graph_id, met)
    return await roots.on_tables(graph_id, met.ours.incarnation, decide)


async def _decision(
    roots: GraphRoots, graph_id: str, met: _Met
) -> Callable[["Tables"], "MergePlan"]:
    """Returns what decides, beside the tables, what the merge does to each row."""
    commits = (met.base, met.ours, met.theirs, *met.crossed)
    irs: list[SchemaIr] = [await roots.ir(graph_id, commit) for commit in commits]

    def decide(tables: "Tables") -> "MergePlan":
        from agentctl.graph.branching.merge import Three, planned
        from agentctl.graph.snapshot import Snapshot

        base, ours, theirs, *crossed = (
            Snapshot(commit, ir, tables) for commit, ir in zip(commits, irs, strict=True)
        )
        takes_theirs = met.schema.ir_digest != met.ours.schema.ir_digest
        three = Three(
            base=base,
            ours=ours,
            theirs=theirs,
            takes_theirs=takes_theirs,
            crossed=tuple(crossed),
        )
        return planned(three)

    return decide


async def _committed(  # the commit, and what is told of it
    roots: GraphRoots,
    graph_id: str,
    met: _Met,
    types: Mapping[str, TypeState],
    stamp: Stamp,
    report: MergeReport,
) -> MergeReport:
    commit = msgspec.structs.replace(
        next_commit(met.ours, "merge", stamp, schema=met.schema, types=types),
        parents=(report.ours, report.theirs),
    )
    number = await roots.log.append(graph_id, commit, head=met.ours)
    return msgspec.structs.replace(report, commit=commit_id(number, commit.branch))


def _reported(graph_id: str, met: _Met, plan: "MergePlan") -> MergeReport:
    found: Found = plan.found
    counts = [
        MergeCounts(
            element=element_of(ir_type),
            type=ir_type.name,
            inserted=rows.inserted,
            updated=rows.updated,
            deleted=rows.deleted,
        )
        for ir_type in plan.three.target.ir.types
        if (rows := plan.rows.get(ir_type.id)) is not None
    ]
    return MergeReport(
        outcome="conflicts" if found.count else "merged",
        commit=None,
        base=commit_id(met.base.n, met.base.branch),
        ours=commit_id(met.ours.n, met.ours.branch),
        theirs=commit_id(met.theirs.n, met.theirs.branch),
        counts=tuple(counts),
        conflicts=found.listed,
        conflict_count=found.count,
        diagnostics=diagnostics_of(found, graph_address(graph_id)),
    )


async def _as_done(roots: GraphRoots, graph_id: str, commit: Commit) -> MergeReport:
    """Returns the report of a merge whose commit is there already; without counts."""
    ours, theirs = [await _named(roots, graph_id, parent) for parent in commit.parents]
    met = await _met(roots, graph_id, ours, theirs)
    report = met.report(met.outcome)
    return msgspec.structs.replace(report, commit=commit_id(commit.n, commit.branch))


async def _named(roots: GraphRoots, graph_id: str, named: str) -> Commit:
    found = parse_commit_id(named)
    assert found is not None, named
    return await roots.log.at(graph_id, found.n, found.branch)


async def _check_kept(roots: GraphRoots, graph_id: str, met: _Met) -> None:
    """Refuses a merge from a base whose data a cleanup let go of."""
    cleanup = await newest_cleanup(roots.store, graph_id)
    for base in (met.base, *met.crossed):
        if has_let_go(cleanup, base):
            raise collected(graph_id, base)


def _check_expected(graph_id: str, head: Commit, if_commit: str | None) -> None:
    if if_commit is None or commit_id(head.n, head.branch) == if_commit:
        return
    expected = parse_commit_id(if_commit)
    number = expected.n if expected is not None and expected.branch == head.branch else None
    raise conflict(graph_id, expected=number, actual=head, branch=head.branch)


def _schema_diverged(graph_id: str, ours: Commit, theirs: Commit) -> GraphError:
    return GraphError(
        error(
            "merge_schema_diverged",
            graph_address(graph_id),
            f"The schema was changed on {ours.branch!r} and, otherwise, on {theirs.branch!r}.",
            detail="A merge takes the schema of the branch that changed it; here both did since"
            " they parted, and nobody has said what the two changes are together.",
            remedy=f"Migrate {theirs.branch!r} to the schema of {ours.branch!r}, then merge.",
        )
    )
