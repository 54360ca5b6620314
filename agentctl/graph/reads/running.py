"""Runs a checked read on a snapshot, and gives its reply or its batches. In a worker thread.

The query becomes a plan, rules improve it by what the commit says of the types' sizes, executors run
it. A caller has asked `agentctl.graph.runnable` before. Source: graph-engine 3.
"""

import time
from collections.abc import Mapping


from agentctl.graph.layout import commit_id
from agentctl.graph.port import ReadReply
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.cost import Statistics, statistics_of
from agentctl.graph.reads.executing import Execution
from agentctl.graph.reads.logical import Project
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.reads.results import lowered
from agentctl.graph.reads.rules import optimised
from agentctl.graph.reads.showing import column_infos, shown_rows
from agentctl.graph.reads.source import Source
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery

STANDARD = ReadOptions()


def run_query(
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions = STANDARD,
) -> ReadReply:
    """Returns the reply of *query*, all its rows at once.

    Args:
        snapshot: what is read.
        query: a checked read.
        params: the values of all its parameters, as `bind_params` gives them.
        options: its bounds.

    Raises:
        GraphError: the answer would be wrong, too large or too late.
    """
    plan, execution = prepared(snapshot, query, params, options)
    rows = shown_rows(plan, execution.frame(plan), snapshot.ir)
    commit = snapshot.commit
    return ReadReply(
        query_name=query.name,
        target={"branch": commit.branch},
        row_count=len(rows),
        columns=column_infos(query),
        rows=rows,
        graph_commit_id=commit_id(commit.n, commit.branch),
    )


def prepared(
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions = STANDARD,
) -> tuple[Project, Execution]:
    """Returns the improved plan of *query*, and what runs it."""
    now = options.now if options.now is not None else time.time_ns() // 1_000_000
    plan = lowered(query, snapshot.ir, params, now=now, limit=options.limit)
    plan = optimised(plan, snapshot.ir, statistics(snapshot))
    budget = Budget(memory_bytes=options.memory_bytes, deadline_s=options.deadline_s)
    lookups = {"index": True, "arrow": False}.get(options.executor)
    source = Source(snapshot, budget, lookups=lookups)
    return plan, Execution(source, budget, executor=options.executor)


def statistics(snapshot: Snapshot) -> Statistics:
    """Returns what a snapshot's commit says of the types' sizes."""
    return statistics_of(snapshot.ir, snapshot.rows)


