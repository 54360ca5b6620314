"""The rank of rows: what `bm25`, `nearest` and `rrf` say of each. Source: ADR 25.

A row has a cost, the less the better; null where the rank says nothing about it, and such a row is
not part of the result.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.search.best import fused, shares_of
from agentctl.graph.search.embedding import Vectors
from agentctl.graph.search.refusals import param_invalid
from agentctl.graph.search.searches import Searches
from agentctl.graph.search.text_query import constant
from agentctl.languages.query.plan import Fusion, Nearest, PropertyRef, Rank, TextSearch
from agentctl.languages.schema.ir import IrType

FUSION_K: Final = 60
"""Where the query does not say. Source: languages 2.2."""


class RankedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that are ranked, as columns of one length."""

    types: Mapping[str, IrType]
    """Of the variables that the rank is about."""
    ids: Mapping[str, pa.Array]
    """Of their nodes; null where an optional variable is not bound."""
    texts: Mapping[tuple[str, str], pa.Array] = {}
    """Of variable and property, where a property is what is searched for."""


class Ranking:
    """Ranks rows over one snapshot; used by one thread."""

    def __init__(self, searches: Searches, params: Mapping[str, object], vectors: Vectors) -> None:
        self._searches = searches
        self._params = params
        self._vectors = vectors

    def costs(self, rank: Rank, rows: RankedRows, *, count: int | None = None) -> pa.Array:
        """Returns the cost of each row, float64, less is better; null where nothing is said.

        Args:
            rank: what ranks.
            rows: all rows that matched.
            count: how many are wanted at most; rows that are surely not among them may get null.

        Raises:
            GraphError: `param_invalid`.
        """
        if isinstance(rank, Fusion):
            return self._fused(rank, rows)
        return self._costs(rank, rows, count)

    def of_type(self, rank: Rank, ir_type: IrType, *, count: int | None = None) -> pa.Table:
        """Returns ``id`` and ``cost`` of all nodes of a type that *rank* ranks, the best first.

        What `costs` says of them, without looking at the nodes first.

        Args:
            rank: of one variable, and looking for the same in all rows.
            ir_type: the type of that variable.
            count: how many are wanted; those that tie with the last one come too.

        Raises:
            GraphError: `param_invalid`.
        """
        if isinstance(rank, Fusion):
            k = self._k(rank)
            first, second = (self._table(r, ir_type, None, None) for r in (rank.first, rank.second))
            table = fused(first, second, k, count=count)
        else:
            table = self._table(rank, ir_type, None, count)
        sign = 1.0 if isinstance(rank, Nearest) else -1.0
        return pa.table({"id": table["id"], "cost": pc.multiply(table["score"], sign)})

    def _costs(self, rank: TextSearch | Nearest, rows: RankedRows, count: int | None) -> pa.Array:
        var = rank.field.var
        ir_type, ids = rows.types[var], rows.ids[var]
        if isinstance(rank, TextSearch) and isinstance(rank.query, PropertyRef):
            return self._costs_by_row(rank, rank.query, rows)
        table = self._table(rank, ir_type, pc.unique(ids.drop_null()), count)
        return _looked_up(ids, table, sign=1 if isinstance(rank, Nearest) else -1)

    def _table(
        self,
        rank: TextSearch | Nearest,
        ir_type: IrType,
        among: pa.Array | None,
        count: int | None,
    ) -> pa.Table:
        if isinstance(rank, Nearest):
            vector = self._vectors[rank]
            return self._searches.distances(ir_type, rank, vector, among=among, count=count)
        return self._searches.text_scores(ir_type, rank, among=among, count=count)

    def _costs_by_row(self, search: TextSearch, query: PropertyRef, rows: RankedRows) -> pa.Array:
        ids = rows.ids[search.field.var]
        texts = rows.texts[query.var, query.property]
        found = pa.nulls(len(ids), type=pa.float64())
        for text in pc.unique(texts.drop_null()).to_pylist():
            mine = pc.and_(pc.fill_null(pc.equal(texts, text), fill_value=False), ids.is_valid())
            some = ids.filter(mine)
            ir_type = rows.types[search.field.var]
            table = self._searches.scores_of(ir_type, search, text, among=pc.unique(some))
            found = pc.replace_with_mask(found, mine, _looked_up(some, table, sign=-1))
        return found

    def _fused(self, rank: Fusion, rows: RankedRows) -> pa.Array:
        k = self._k(rank)
        whole = np.zeros(len(rows.ids[rank.first.field.var]))
        said = np.zeros(len(whole), dtype=bool)
        for part in (rank.first, rank.second):
            costs = self._costs(part, rows, None)
            query = part.query
            texts = (
                rows.texts[query.var, query.property] if isinstance(query, PropertyRef) else None
            )
            places = _places(costs, rows.ids[part.field.var], texts)
            ranked = places > 0
            whole[ranked] -= shares_of(places[ranked], k)
            said |= ranked
        return pa.array(whole, mask=~said)

    def _k(self, rank: Fusion) -> int:
        given = FUSION_K if rank.k is None else constant(rank.k, self._params)
        if given is None:
            return FUSION_K
        assert isinstance(given, int), "the checker has seen to it"
        if given < 1:
            raise param_invalid(rank.k, "the `k` of `rrf` is 1 or more")
        return given


def _looked_up(ids: pa.Array, table: pa.Table, *, sign: int) -> pa.Array:
    """Returns the score of each of *ids*, times *sign*; null where the table has none."""
    at = pc.index_in(ids, value_set=table["id"].combine_chunks(), skip_nulls=True)
    return pc.multiply(table["score"].combine_chunks().take(at), float(sign))


def _places(costs: pa.Array, ids: pa.Array, texts: pa.Array | None) -> np.ndarray:
    """Returns the place of each row's node among the different nodes, from 1; 0 without a cost.

    Where what is searched for is a property, of its node and text among the different pairs.
    """
    places = np.zeros(len(costs), dtype=np.int64)
    ranked = np.flatnonzero(costs.is_valid().to_numpy(zero_copy_only=False))
    if not len(ranked):
        return places
    rows = pa.array(ranked)
    keys = {"cost": costs.take(rows), "id": ids.take(rows)}
    if texts is not None:
        keys["text"] = texts.take(rows)
    pairs = pa.table(keys)
    codes = pc.dictionary_encode(keys["id"]).indices.to_numpy().astype(np.int64)
    if texts is not None:
        of_texts = pc.dictionary_encode(keys["text"])
        codes = codes * len(of_texts.dictionary) + of_texts.indices.to_numpy()
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    order = pc.sort_indices(
        pairs.take(pa.array(first)), sort_keys=[(name, "ascending") for name in keys]
    ).to_numpy()
    place = np.empty(len(first), dtype=np.int64)
    place[order] = np.arange(1, len(first) + 1)
    places[ranked] = place[which]
    return places
