"""A command stood still in the middle for so long that others settled its op: it says so, or goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agentctl.engine.bracket import LEASELESS_LIFE
from agentctl.testing.builders import WIDER_SCHEMA
from agentctl.testing.crash_cases.words import two_with_rows
from agentctl.testing.faults import Faults
from agentctl.testing.simulation.loop import run_virtually
from agentctl.testing.sites import MemoryDisk, Site, do
from agentctl_tools.operation import Envelope

T = TypeVar("T")
LONG_S = LEASELESS_LIFE.total_seconds() + 60


class Standstill(Faults):
    """The process stands still after it has written that its op runs; others go on."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.start())
        self._site = site
        self.stood = False

    async def around(
        self, label: str, act: Callable[[], Awaitable[T]], tear: Callable[[], None] | None = None
    ) -> T:
        done = await super().around(label, act, tear)
        if label.endswith("status-001.json") and not self.stood:
            self.stood = True
            await asyncio.sleep(LONG_S)
            await self._site.must("refresh", {"intent": "meanwhile", "wait_s": 60.0})
        return done


async def stood_still(site: Site, operation: str, arguments: dict[str, object]) -> Envelope:
    """Runs an operation that stands still; what it began is over when it goes on."""
    await two_with_rows(site)
    site.write({"supply.pg": WIDER_SCHEMA})
    faults = Standstill(site)
    envelope = await do(await site.opened(faults), operation, arguments)
    assert faults.stood
    return envelope


def test_a_plan_is_kept_though_its_op_was_settled(tmp_path: Path) -> None:
    async def story() -> None:
        envelope = await stood_still(Site(tmp_path, MemoryDisk()), "plan", {"keep": True})

        assert envelope.ok, envelope.diagnostics

    run_virtually(story)


@pytest.mark.parametrize("operation", ["refresh", "apply"])
def test_a_command_under_a_lease_is_told_that_it_lost_it(operation: str, tmp_path: Path) -> None:
    async def story() -> None:
        site = Site(tmp_path, MemoryDisk())
        envelope = await stood_still(site, operation, {"intent": "what it says"})

        assert not envelope.ok
        assert {d.code for d in envelope.diagnostics} <= {"lease_lost", "op_illegal_transition"}
        done = await do(await site.open(), "apply", {"intent": "what it says", "wait_s": 60.0})
        assert done.data.converged, done.diagnostics  # type: ignore[attr-defined]

    run_virtually(story)
