"""Runs a checked read on a snapshot, and gives its reply or its batches. In a worker thread.

The query becomes a plan, rules improve it by what the commit says of the types' sizes, executors run
it. Source: graph-engine 3.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa

from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.layout import commit_id
from agentctl.graph.port import ReadReply
from agentctl.graph.reads.batches import BATCH_ROWS, batch_schema, batches
from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.cost import statistics_of
from agentctl.graph.reads.executing import Execution
from agentctl.graph.reads.executors.csr import CsrExpander, at_hand
from agentctl.graph.reads.executors.walk import walked
from agentctl.graph.reads.logical import Project
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.reads.reply_columns import column_infos
from agentctl.graph.reads.results import lowered
from agentctl.graph.reads.rules import optimised
from agentctl.graph.reads.searching import Searching
from agentctl.graph.reads.showing import shown_row_bytes, shown_rows
from agentctl.graph.reads.source import Source
from agentctl.graph.search.embedding import Vectors
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery

STANDARD: Final = ReadOptions()
NO_VECTORS: Final[Vectors] = {}


class Prepared:
    """A read that is planned and has not begun."""

    def __init__(
        self, plan: Project, execution: Execution, budget: Budget, snapshot: Snapshot
    ) -> None:
        self.plan = plan
        self.execution = execution
        self.budget = budget
        self.snapshot = snapshot


def run_query(  # what a read is given
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions = STANDARD,
    *,
    caches: ReadCaches | None = None,
    vectors: Vectors = NO_VECTORS,
) -> ReadReply:
    """Returns the reply of *query*, all its rows at once.

    Args:
        snapshot: what is read.
        query: a checked read.
        params: the values of all its parameters, as `bind_params` gives them.
        options: its bounds.
        caches: what it shares with other reads.
        vectors: what its `nearest` mean, as `search.embedding.query_vectors` gives them.

    Raises:
        GraphError: the answer would be wrong, too large or too late.
    """
    caches = caches if caches is not None else ReadCaches()
    rows = walked(snapshot, query, params, options, caches.adjacency)
    if rows is None:
        read = prepared(snapshot, query, params, options, caches=caches, vectors=vectors)
        frame = read.execution.frame(read.plan)
        read.budget.room(rows=frame.rows, row_bytes=shown_row_bytes(read.plan, frame))
        rows = shown_rows(read.plan, frame, snapshot.ir)
    commit = snapshot.commit
    return ReadReply(
        query_name=query.name,
        target={"branch": commit.branch},
        row_count=len(rows),
        columns=column_infos(query),
        rows=rows,
        graph_commit_id=commit_id(commit.n, commit.branch),
    )


def stream_query(  # noqa: PLR0913  # what a read is given
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions = STANDARD,
    *,
    caches: ReadCaches | None = None,
    vectors: Vectors = NO_VECTORS,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of *query* in order, in batches of at most *batch_rows* rows.

    What orders is read and held whole; what is only shown is read batch by batch. The first batch
    comes even where there are no rows, so that its schema is told: an entity is a struct, a Date a
    date32, a DateTime milliseconds in UTC.

    Raises:
        GraphError: the answer would be wrong, too large or too late; after some batches too.
    """
    read = prepared(snapshot, query, params, options, caches=caches, vectors=vectors)
    schema = batch_schema(read.plan, snapshot.ir)
    yield from batches(read.plan, read.execution, schema, snapshot.ir, batch_rows=batch_rows)


def prepared(  # what a read is given
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions = STANDARD,
    *,
    caches: ReadCaches | None = None,
    vectors: Vectors = NO_VECTORS,
) -> Prepared:
    """Returns *query* as an improved plan, and what runs it; nothing is read yet."""
    now = options.now if options.now is not None else time.time_ns() // 1_000_000
    caches = caches if caches is not None else ReadCaches()
    hot = at_hand(snapshot, caches.adjacency)
    plan = lowered(query, snapshot.ir, params, now=now, limit=options.limit)
    plan = optimised(plan, snapshot.ir, statistics_of(snapshot.ir, snapshot.rows, hot))
    budget = Budget(memory_bytes=options.memory_bytes, deadline_s=options.deadline_s)
    lookups = {"index": True, "arrow": False}.get(options.executor)
    held = Adjacencies(snapshot, caches.adjacency)
    by_position = options.executor in ("auto", "csr")
    source = Source(
        snapshot, budget, lookups=lookups, ids=held.warm_ids if by_position else lambda _: None
    )
    execution = Execution(
        source,
        budget,
        executor=options.executor,
        at_hand=hot,
        expanders={"csr": CsrExpander(source, budget, caches.adjacency)},
        missed=lambda edge, forward: held.missed(edge, forward=forward),
        searching=Searching(snapshot, params, cache=caches.search, vectors=vectors, budget=budget),
    )
    return Prepared(plan, execution, budget, snapshot)
