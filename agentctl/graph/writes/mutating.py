"""Mutations: a checked query with its parameters, as one commit of a branch or none.

A query is written whole or not at all. Who loses the race for the commit reads the new head and does
it again where that means the same, as an insert does; an update, a delete and a conditional write
report the conflict. Source: graph-engine 1, 4.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.layout import MAIN, commit_id
from agentctl.graph.log import check_epoch, require_live
from agentctl.graph.port import ReadSetConflictError, Stamp
from agentctl.graph.roots import ATTEMPT_COUNT_MAX, GraphRoots
from agentctl.graph.violations import Violations
from agentctl.graph.writes.refusing import moved, schema_moved
from agentctl.graph.writes.report import MutationReport
from agentctl.ids import graph_address
from agentctl.languages.query.plan import CheckedQuery, Insert
from agentctl.languages.schema.ir import SchemaIr
from agentctl.languages.schema.temporal import parse_datetime

if TYPE_CHECKING:
    from agentctl.graph.snapshot import Snapshot
    from agentctl.graph.tables import Tables
    from agentctl.graph.writes.changes import Changes


class Mutation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done."""

    query: CheckedQuery
    params: Mapping[str, object]
    """By name, as `languages.query.params.bind_params` gives them."""
    branch: str = MAIN
    if_commit: str | None = None
    """Id of the commit that the branch must be at; None for any."""
    stamp: Stamp


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt came to."""

    nodes: int
    edges: int
    types: Mapping[str, TypeState] | None
    """None where nothing is to be written."""
    violations: Violations


async def mutate(
    roots: GraphRoots, graph_id: str, mutation: Mutation, *, mint: Callable[[], str]
) -> MutationReport:
    """Runs a mutation by one commit `write`; by none where it changes nothing or is refused.

    ``now()`` is the time of the stamp. With the nonce of a recent commit nothing is done, and the
    answer is that commit's.

    Args:
        roots: the graphs.
        graph_id: whose rows.
        mutation: the query, its parameters, the branch, the stamp.
        mint: gives the ids of new nodes without a key, and of edges.

    Raises:
        ReadSetConflictError: the branch is not at `if_commit`, or another writer was faster and the
            query is not one that may simply be done again.
        GraphError: there is no such graph or branch, or its schema is another than the query's.
    """
    assert mutation.query.mutates, "a read is run, not written"
    head = require_live(graph_id, await roots.head(graph_id, mutation.branch))
    done = await roots.done_lately(head, graph_id, mutation.stamp)
    if done is not None:
        return await _as_done(roots, graph_id, mutation, done, mint=mint)
    check_epoch(graph_id, head, mutation.stamp.epoch)
    if mutation.if_commit not in (None, commit_id(head.n, head.branch)):
        raise moved(graph_id, expected=str(mutation.if_commit), actual=head)
    for _ in range(ATTEMPT_COUNT_MAX - 1):
        try:
            return await _once(roots, graph_id, mutation, head, mint=mint)
        except ReadSetConflictError:
            now = require_live(graph_id, await roots.head(graph_id, mutation.branch))
            if not _may_repeat(mutation) or now.schema != head.schema:
                raise
            head = now
    return await _once(roots, graph_id, mutation, head, mint=mint)


def _may_repeat(mutation: Mutation) -> bool:
    """An insert means the same on any head; what chose its rows on one head does not on another."""
    inserts = all(isinstance(m, Insert) for m in mutation.query.mutations)
    return inserts and mutation.if_commit is None


async def _once(
    roots: GraphRoots,
    graph_id: str,
    mutation: Mutation,
    head: Commit,
    *,
    mint: Callable[[], str],
) -> MutationReport:
    ir = await _ir(roots, graph_id, mutation, head)
    tag = roots.tag(head.n + 1, mutation.stamp, head.branch)

    def write(tables: "Tables") -> _Made:
        from agentctl.graph.snapshot import Snapshot

        snapshot = Snapshot(head, ir, tables)
        changes, made = _evaluated(snapshot, mutation, mint)
        return _written(tables, snapshot, changes, made, tag)

    made = await roots.on_tables(graph_id, head.incarnation, write)
    report = _report(mutation, made)
    if made.types is None:
        path = graph_address(graph_id)
        return msgspec.structs.replace(report, diagnostics=made.violations.diagnostics(path))
    commit = next_commit(head, "write", mutation.stamp, types=made.types)
    number = await roots.log.append(graph_id, commit, head=head)
    return msgspec.structs.replace(report, commit=commit_id(number, head.branch))


async def _as_done(
    roots: GraphRoots,
    graph_id: str,
    mutation: Mutation,
    number: int,
    *,
    mint: Callable[[], str],
) -> MutationReport:
    """Returns the answer of the commit that did it: what the query does to the commit before it."""
    before = await roots.log.at(graph_id, number - 1, mutation.branch)
    await _ir(roots, graph_id, mutation, before)

    def look(snapshot: "Snapshot") -> _Made:
        return _evaluated(snapshot, mutation, mint)[1]

    made = await roots.on_snapshot(graph_id, before, look)
    return msgspec.structs.replace(
        _report(mutation, made), commit=commit_id(number, mutation.branch)
    )


async def _ir(roots: GraphRoots, graph_id: str, mutation: Mutation, commit: Commit) -> SchemaIr:
    """Returns the schema in force, if it has all types that the query is about."""
    ir = await roots.ir(graph_id, commit)
    facts = {*mutation.query.reads, *mutation.query.writes}
    missing = sorted(f.type_name for f in facts if ir.type_named(f.kind, f.type_name) is None)
    if missing:
        raise schema_moved(graph_id, missing)
    return ir


def _evaluated(
    snapshot: "Snapshot", mutation: Mutation, mint: Callable[[], str]
) -> tuple["Changes", _Made]:
    from agentctl.graph.writes.mutation import Mutating

    violations = Violations(of_load=False)
    now = parse_datetime(mutation.stamp.at)
    assert now is not None, "a stamp bears a time"
    mutating = Mutating(snapshot, mutation.params, now=now, mint=mint, violations=violations)
    changes = mutating.do(mutation.query.mutations)
    return changes, _Made(
        nodes=mutating.affected["node"],
        edges=mutating.affected["edge"],
        types=None,
        violations=violations,
    )


def _written(
    tables: "Tables", snapshot: "Snapshot", changes: "Changes", made: _Made, tag: str
) -> _Made:
    from agentctl.graph.writes.applying import apply_changes
    from agentctl.graph.writes.checking import check

    matched = check(snapshot, changes, made.violations)
    if made.violations.count:
        return msgspec.structs.replace(made, nodes=0, edges=0)
    if changes.is_empty:
        return made
    types = apply_changes(tables, snapshot, changes, tag, matched=matched)
    return msgspec.structs.replace(made, types=types)


def _report(mutation: Mutation, made: _Made) -> MutationReport:
    return MutationReport(
        query_name=mutation.query.name,
        branch=mutation.branch,
        commit=None,
        affected_nodes=made.nodes,
        affected_edges=made.edges,
    )
