"""The searches of one read: what each function of the language answers. Source: ADR 25.

All ways to answer give the same: what is kept in memory, where it is or has to be; the few rows that
are asked for; or what an index of Lance proposes, looked at again.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.search.best import best_first, kept_ids
from agentctl.graph.search.cache import SearchCache
from agentctl.graph.search.segment import segment_of
from agentctl.graph.search.text_index import LiveSegment, TextIndex, truths
from agentctl.graph.search.text_indexes import text_index, warm_text_index
from agentctl.graph.search.text_query import TextQuery, query_text, text_query
from agentctl.graph.search.text_rows import ids_without, proposed, rows_of
from agentctl.graph.search.vectors import VectorSearch, nearest_ids
from agentctl.graph.search_indexes import has_text_index
from agentctl.graph.snapshot import Snapshot
from agentctl.languages.query.plan import Nearest, TextSearch
from agentctl.languages.schema.ir import IrType

FEW: Final = 1_000
"""So many rows at most are read by their ids."""
PROPOSED_MAX: Final = 20_000
"""Where Lance's index proposes more rows, all are looked at."""
_NULL: Final = pa.scalar(None, type=pa.bool_())


class Searches:
    """Over one snapshot with one set of parameters; used by one thread."""

    def __init__(
        self,
        snapshot: Snapshot,
        params: Mapping[str, object],
        *,
        cache: SearchCache | None = None,
        note: Callable[[int], None] = lambda _size_bytes: None,
    ) -> None:
        """Reads nothing yet.

        Args:
            snapshot: the graph.
            params: values of parameters; one that is left out is null.
            cache: what is kept between reads; without one it is made for each call.
            note: is told on the way how many bytes were read for one thing, and may stop it.
        """
        self._snapshot = snapshot
        self._params = params
        self._cache = cache
        self._note = note

    def text_scores(
        self,
        ir_type: IrType,
        search: TextSearch,
        *,
        among: pa.Array | None = None,
        count: int | None = None,
    ) -> pa.Table:
        """Returns ``id`` and ``score`` of the nodes that a search finds, best first, ties by id.

        The score is that of `bm25`, or 1.0 for all that a filter finds.

        Args:
            ir_type: the type of the searched variable.
            search: its query is a literal or a parameter.
            among: ids; others are left out.
            count: how many are wanted; those that tie with the last one come too.

        Raises:
            GraphError: `param_invalid`.
        """
        text = query_text(search, self._params)
        return self.scores_of(ir_type, search, text, among=among, count=count)

    def scores_of(
        self,
        ir_type: IrType,
        search: TextSearch,
        text: str | None,
        *,
        among: pa.Array | None = None,
        count: int | None = None,
    ) -> pa.Table:
        """Returns what `text_scores` does, for a query that is given: a property's value, say."""
        self._note(0)
        query = text_query(search, text or "", self._params)
        if not query.words:
            return best_first([], count=count, more_is_better=True)
        column = column_of(ir_type, search.field.property)
        if search.function == "bm25":
            index = self._text_index(ir_type, column)
            return index.scores(query, among=among, count=count)
        ids = self._index_for(ir_type, column, query, among).found(query)
        found = kept_ids(ids, np.ones(len(ids)), among)
        return best_first([found], count=count, more_is_better=True)

    def text_truths(
        self,
        ir_type: IrType,
        search: TextSearch,
        *,
        ids: pa.Array,
        queries: pa.Array | None = None,
    ) -> pa.Array:
        """Returns for each of *ids* whether a search finds it; null where text or query is null.

        Args:
            ir_type: the type of the searched variable.
            search: the search.
            ids: of nodes, in any order, with repeats; null where there is no node.
            queries: what is looked for, one text for each of *ids*; needed where it is a property.

        Raises:
            GraphError: `param_invalid`.
        """
        column = column_of(ir_type, search.field.property)
        answer = pa.nulls(len(ids), type=pa.bool_())
        if queries is None:
            text = query_text(search, self._params)
            if text is None:
                return answer
            told = self._told(ir_type, column, text_query(search, text, self._params), ids)
            return pc.if_else(ids.is_valid(), told, _NULL) if ids.null_count else told
        for text in pc.unique(queries).to_pylist():
            self._note(0)
            if text is None:
                continue
            query = text_query(search, text, self._params)
            mine = pc.and_(pc.fill_null(pc.equal(queries, text), fill_value=False), ids.is_valid())
            told = self._told(ir_type, column, query, ids.filter(mine))
            answer = pc.replace_with_mask(answer, mine, told)
        return answer

    def distances(
        self,
        ir_type: IrType,
        nearest: Nearest,
        vector: tuple[float, ...] | None,
        *,
        among: pa.Array | None = None,
        count: int | None = None,
    ) -> pa.Table:
        """Returns ``id`` and ``score`` of the nodes that have a vector, nearest first, ties by id.

        The score is the squared distance.

        Args:
            ir_type: the type of the searched variable.
            nearest: names the property.
            vector: what its query means (`embedding.query_vectors`); null ranks nothing.
            among: ids; others are left out.
            count: how many are wanted; those that tie with the last one come too.
        """
        if vector is None:
            return best_first([], count=count, more_is_better=False)
        column = column_of(ir_type, nearest.field.property)
        wanted = np.array(vector, dtype=np.float32)
        search = VectorSearch(column=column, wanted=wanted, among=among, count=count)
        return nearest_ids(self._snapshot, ir_type, search, self._cache, self._note)

    def _text_index(self, ir_type: IrType, column: str) -> TextIndex:
        return text_index(self._snapshot, ir_type, column, self._cache, self._note)

    def _told(self, ir_type: IrType, column: str, query: TextQuery, ids: pa.Array) -> pa.Array:
        few = pc.unique(ids.drop_null()) if len(ids) <= FEW else ids
        index = self._index_for(ir_type, column, query, few)
        if index.is_whole:
            return truths(ids, index, query)
        unknown = pc.is_in(ids, value_set=ids_without(self._snapshot.dataset(ir_type), column))
        return pc.if_else(unknown, _NULL, pc.is_in(ids, value_set=index.found(query)))

    def _index_for(
        self, ir_type: IrType, column: str, query: TextQuery, among: pa.Array | None
    ) -> TextIndex:
        """Returns an index of rows among which is every row of *among* that the filter finds."""
        warm = warm_text_index(self._snapshot, ir_type, column, self._cache)
        if warm is not None:
            return warm
        dataset = self._snapshot.dataset(ir_type)
        if among is not None and len(among) <= FEW:
            few = segment_of(rows_of(dataset, column, among.to_pylist()))
            return TextIndex([LiveSegment(few)])
        if query.words and query.function != "fuzzy" and has_text_index(dataset, column):
            rows = proposed(dataset, column, query, count_max=PROPOSED_MAX)
            if rows is not None:
                return TextIndex([LiveSegment(segment_of([rows]))], is_whole=False)
        return self._text_index(ir_type, column)


def column_of(ir_type: IrType, name: str) -> str:
    """Returns the column of a property that the type surely has."""
    return next(p.column for p in ir_type.properties if p.name == name)
