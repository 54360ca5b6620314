"""Searches and ranks over rows: what `agentctl.graph.search` says of their nodes. In a worker thread."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.expressions import Column, Constant
from agentctl.graph.reads.frame import Frame, flat
from agentctl.graph.reads.logical import Rank, Scan, Search
from agentctl.graph.search.cache import SearchCache
from agentctl.graph.search.embedding import Vectors
from agentctl.graph.search.ranking import RankedRows, Ranking
from agentctl.graph.search.searches import Searches
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import Fusion, PropertyRef

if TYPE_CHECKING:
    import pyarrow as pa


class Searching:
    """Answers the searches of one read."""

    def __init__(
        self,
        snapshot: Snapshot,
        params: Mapping[str, object],
        *,
        cache: SearchCache | None,
        vectors: Vectors,
        budget: Budget,
    ) -> None:
        self._snapshot = snapshot
        self._searches = Searches(snapshot, params, cache=cache, note=budget.note)
        self._ranking = Ranking(self._searches, params, vectors)

    def answered(self, plan: Search | Rank, frame: Frame) -> Frame:
        """Returns the rows with what a search says of each, or those that a rank ranks with their cost."""
        return (
            self._searched(plan, frame) if isinstance(plan, Search) else self._ranked(plan, frame)
        )

    def of_all(self, plan: Rank) -> Frame | None:
        """Returns the rows of a rank over all nodes of one type, which are then not read before.

        None where the rank is of anything else.
        """
        scan, rank = plan.input, plan.rank
        parts = (rank.first, rank.second) if isinstance(rank, Fusion) else (rank,)
        whole = isinstance(scan, Scan) and not scan.tests and not scan.reads
        if not whole or any(isinstance(part.query, PropertyRef) for part in parts):
            return None
        (node, *_) = plan.nodes
        found = self._ranking.of_type(rank, self._snapshot.node(node.type_name), count=plan.count)
        return Frame(len(found), {node.var: flat(found["id"]), plan.name: flat(found["cost"])})

    def _searched(self, plan: Search, frame: Frame) -> Frame:
        queries = None
        if isinstance(plan.query, Column):
            queries = frame[plan.query.name]
        else:
            assert isinstance(plan.query, Constant)
        owner = self._snapshot.node(plan.node.type_name)
        told = self._searches.text_truths(
            owner, plan.search, ids=frame[plan.node.var], queries=queries
        )
        return frame.having({plan.name: flat(told)})

    def _ranked(self, plan: Rank, frame: Frame) -> Frame:
        rank = plan.rank
        parts = (rank.first, rank.second) if isinstance(rank, Fusion) else (rank,)
        texts: dict[tuple[str, str], pa.Array] = {}
        for part in parts:
            query = part.query
            if isinstance(query, PropertyRef):
                texts[query.var, query.property] = frame[f"{query.var}.{query.property}"]
        rows = RankedRows(
            types={n.var: self._snapshot.node(n.type_name) for n in plan.nodes},
            ids={n.var: frame[n.var] for n in plan.nodes},
            texts=texts,
        )
        costs = flat(self._ranking.costs(rank, rows, count=plan.count))
        return frame.having({plan.name: costs}).filter(costs.is_valid())
