"""A lent graph is held to what every graph port promises, by the very tests of the others.

What a sandbox does not do to a lent graph, and the graph that is made over one, have tests of their own.
"""

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from agentctl.graph.port import GraphPort
from tests.conformance import (
    test_graph_branches,
    test_graph_migrations,
    test_graph_peeks,
    test_graph_pins,
    test_graph_port,
)
from tests.conformance.test_graph_migrations import Graph
from tests.conformance.test_graph_port import MakeRig
from tests.graph.forking.forking_rig import LendingRig

pytestmark = pytest.mark.slow

SUITES: Final = (
    test_graph_branches,
    test_graph_migrations,
    test_graph_peeks,
    test_graph_pins,
    test_graph_port,
)
ELSEWHERE: Final = frozenset(
    {
        # It purges and erases no lent graph.
        "test_a_purge_that_broke_off_is_seen_and_goes_on",
        "test_a_purged_graph_cannot_be_restored_but_made_anew",
        "test_a_late_deleter_touches_its_own_incarnation_only",
        "test_what_was_purged_is_not_pinned",
        "test_nothing_is_erased_under_a_branch",
        # It makes none, but only graphs of its own, whose commits are counted from 1.
        "test_an_unfinished_create_is_gone_over_under_a_new_incarnation",
        "test_a_new_graph_of_that_id_has_none_of_the_old_ones_branches",
        "test_an_earlier_graph_of_that_id_is_not_gone_back_to",
        "test_a_foreign_root_is_seen_and_never_written",
        # Their story makes and purges one.
        "test_a_crash_at_any_write_leaves_old_or_new_and_repeating_converges",
        "test_a_crash_at_any_write_of_an_object_store_leaves_old_or_new",
    }
)

globals().update(
    {
        name: test
        for suite in SUITES
        for name, test in vars(suite).items()
        if name.startswith("test_") and callable(test) and name not in ELSEWHERE
    }
)


@pytest.fixture
async def make_rig(tmp_path: Path) -> AsyncIterator[MakeRig]:
    numbers = count()
    rigs: list[LendingRig] = []

    def make() -> LendingRig:
        rigs.append(LendingRig(tmp_path / str(next(numbers))))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.aclose()


@pytest.fixture
def ports(make_rig: MakeRig) -> Callable[[], GraphPort]:
    """Opens the same sandbox again and again."""
    rig = make_rig()
    return lambda: rig.port()[0]


@pytest.fixture
def graphs(make_rig: MakeRig) -> GraphPort:
    return make_rig().port()[0]


@pytest.fixture
def graph(graphs: GraphPort) -> Graph:
    return Graph(graphs)
