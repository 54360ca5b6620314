"""What a read would do, step by step with estimates, and what it did, with rows and times.

The plan that is told is the one that runs. In a worker thread. Source: graph-engine 3.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from agentctl.graph.reads.caches import ReadCaches
from agentctl.graph.reads.cost import Statistics, chosen, estimated_rows, statistics_of
from agentctl.graph.reads.executors.csr import at_hand
from agentctl.graph.reads.explained import Explained, Step
from agentctl.graph.reads.logical import Expand, Plan, Reach
from agentctl.graph.reads.options import ReadOptions
from agentctl.graph.reads.running import NO_VECTORS, STANDARD, Prepared, prepared
from agentctl.graph.reads.shape import parts
from agentctl.graph.reads.telling import told
from agentctl.graph.search.embedding import Vectors
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import CheckedQuery

ROWS_MAX: Final = 1e15
"""Estimates beyond it are told as this."""


def explained(  # noqa: PLR0913  # what a read is given
    snapshot: Snapshot,
    query: CheckedQuery,
    params: Mapping[str, object],
    options: ReadOptions = STANDARD,
    *,
    analyze: bool = False,
    caches: ReadCaches | None = None,
    vectors: Vectors = NO_VECTORS,
) -> Explained:
    """Returns the plan of *query*; with *analyze* it is run first.

    Raises:
        GraphError: with *analyze*, what the run is refused or stopped with.
    """
    caches = caches if caches is not None else ReadCaches()
    hot = at_hand(snapshot, caches.adjacency)
    statistics = statistics_of(snapshot.ir, snapshot.rows, hot)
    read = prepared(snapshot, query, params, options, caches=caches, vectors=vectors)
    if analyze:
        read.execution.frame(read.plan)
    steps = tuple(_steps(read, read.plan, 0, statistics, options))
    return Explained(
        query_name=query.name,
        steps=steps,
        analyzed=analyze,
        rows=steps[0].rows,
        ms=steps[0].ms,
        peak_bytes=read.budget.peak_bytes if analyze else None,
    )


def _steps(
    read: Prepared, plan: Plan, depth: int, statistics: Statistics, options: ReadOptions
) -> Iterator[Step]:
    operator, detail = told(plan)
    done = read.execution.done.get(id(plan))
    executor = done.executor if done is not None else None
    if executor is None and isinstance(plan, Expand | Reach):
        executor = _likely(plan, statistics, options)
    yield Step(
        depth=depth,
        operator=operator,
        detail=detail,
        estimate=round(min(estimated_rows(plan, statistics), ROWS_MAX)),
        executor=executor,
        rows=None if done is None else done.rows,
        ms=None if done is None else round(done.seconds * 1000, 3),
    )
    for part in parts(plan):
        yield from _steps(read, part, depth + 1, statistics, options)


def _likely(plan: Expand | Reach, statistics: Statistics, options: ReadOptions) -> str:
    """Returns how the edges of a hop would be followed by what is estimated."""
    if options.executor != "auto":
        return options.executor
    names = plan.hop.edge_types
    return chosen(
        estimated_rows(plan.input, statistics),
        sum(statistics.edges.get(name, 0) for name in names),
        cached=all(name in statistics.cached for name in names),
        repeated=plan.hop.hops[1],
    )
