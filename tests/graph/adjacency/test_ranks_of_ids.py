"""Ranks order positions as their ids are ordered, and are made when they are worth it."""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.graph.adjacency.building import Adjacencies
from agentctl.graph.adjacency.cache import AdjacencyCache
from agentctl.graph.adjacency.id_index import id_index
from agentctl.graph.adjacency.ranks import IDS_OF_A_WALK, ascending, sorted_ranks
from tests.graph.adjacency.small_graph import SmallGraph


@settings(deadline=None, max_examples=80)
@given(ids=st.lists(st.text(max_size=4), unique=True, max_size=30))
def test_ranks_order_positions_as_python_orders_the_ids(ids: list[str]) -> None:
    index = id_index(pa.array(ids, pa.utf8()))
    places = np.arange(len(ids))

    found = sorted_ranks(index).at(places)

    assert [ids[place] for place in np.argsort(found)] == sorted(ids)
    by_place = ascending(index)
    assert (by_place is not None) == (ids == sorted(ids))
    assert by_place is None or by_place.at(places).tolist() == found.tolist()


@pytest.mark.parametrize("count", [1, IDS_OF_A_WALK, 2 * IDS_OF_A_WALK + 1])
def test_ids_that_do_not_ascend_are_sorted_when_so_many_have_asked(
    tmp_path: Path, count: int
) -> None:
    graph = SmallGraph(tmp_path)
    names = [f"p{n:04}" for n in range(count, -1, -1)]
    graph.add("Person", *names)
    cache = AdjacencyCache()
    kept = Adjacencies(graph.snapshot(), cache)
    person = graph.type("Person")
    ids = kept.ids(person)
    before = cache.size_bytes

    asked = next(n for n in itertools.count() if kept.ranks(person, ids) is not None)

    assert asked == -(-len(names) // IDS_OF_A_WALK)
    assert cache.size_bytes == before + 4 * len(names)
    again = kept.ranks(person, ids)
    assert again is not None
    assert again.at(np.arange(2)).tolist() == [count, count - 1]


def test_ids_that_ascend_have_their_ranks_at_once_and_for_nothing(tmp_path: Path) -> None:
    graph = SmallGraph(tmp_path)
    graph.add("Person", *(f"p{n:04}" for n in range(300)))
    cache = AdjacencyCache()
    kept = Adjacencies(graph.snapshot(), cache)
    person = graph.type("Person")
    ids = kept.ids(person)
    before = cache.size_bytes

    found = kept.ranks(person, ids)

    assert found is not None
    assert found.at(np.array([7, 3])).tolist() == [7, 3]
    assert cache.size_bytes == before
