"""A graph that is created in a sandbox is held to what every graph port promises, whole."""

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.forking.fork import Fork
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.layout import format_key
from agentctl.graph.port import GraphPort
from agentctl.testing.crash import NEVER, CrashingStore, How
from tests.conformance import test_graph_branches, test_graph_pins, test_graph_port
from tests.conformance.test_graph_port import MakeRig, minter
from tests.graph.forking.forking_rig import SANDBOX, graphs_on

pytestmark = pytest.mark.slow

SUITES: Final = (test_graph_branches, test_graph_pins, test_graph_port)
ELSEWHERE: Final = frozenset(
    {
        # They name the ports that they are for.
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


class OwningRig:
    """The storage of a sandbox that was lent nothing."""

    def __init__(self, folder: Path) -> None:
        self.real = LocalStore(folder)
        self.own = LocalStore(folder / "sandboxes" / SANDBOX)

    def port(self, at: int = NEVER, how: How = "before") -> tuple[GraphPort, CrashingStore]:
        crashing = CrashingStore(self.own, at, how)
        fork = Fork(sandbox=SANDBOX, lent={})
        return ForkedGraphs(
            graphs_on(CrashingStore(self.real)), graphs_on(crashing, minter()), fork
        ), crashing

    async def plant_foreign(self, graph_id: str) -> None:
        await self.own.create(format_key(graph_id), b'{"format": "omnigraph", "version": 6}')

    async def aclose(self) -> None:
        await self.real.aclose()
        await self.own.aclose()


@pytest.fixture
async def make_rig(tmp_path: Path) -> AsyncIterator[MakeRig]:
    numbers = count()
    rigs: list[OwningRig] = []

    def make() -> OwningRig:
        rigs.append(OwningRig(tmp_path / str(next(numbers))))
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
