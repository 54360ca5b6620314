"""A process of another machine died with a lease: whoever waits out its time to live takes it over.

Its beat is all that others see of it, so nobody who does not wait can know.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentctl.domain.storage.lease import TTL_S
from agentctl.testing.builders import ROWS, WIDER_SCHEMA, folder_files
from agentctl.testing.simulation.loop import run_virtually
from agentctl.testing.simulation.machines import Machine
from agentctl.testing.sites import MemoryDisk, Site, died_holding, do

GRAPH = "graph.supply@main"


async def left_held(site: Site, resource: str) -> None:
    """A process elsewhere takes the lease and is killed."""
    elsewhere = Machine("elsewhere", asyncio.get_running_loop())
    await died_holding(site, elsewhere.start("gone", "elsewhere"), resource)


def over(tmp_path: Path, story: Callable[[Site], Awaitable[None]]) -> None:
    async def told() -> None:
        site = Site(tmp_path, MemoryDisk())
        await site.begun(folder_files("supply"))
        await site.must("apply", {"intent": "begin"})
        await story(site)

    run_virtually(told)


def test_a_load_takes_a_graph_over_when_it_may_wait(tmp_path: Path) -> None:
    file = tmp_path / "rows.ndjson"
    file.write_bytes(ROWS)
    arguments = {"graph": "supply", "file": str(file), "intent": "rows"}

    async def story(site: Site) -> None:
        await left_held(site, GRAPH)
        at_once = await do(await site.open(), "load", arguments)
        patient = await do(await site.open(), "load", arguments | {"wait_s": TTL_S + 2})

        assert [d.code for d in at_once.diagnostics] == ["state_lock_held"]
        assert patient.ok, patient.diagnostics

    over(tmp_path, story)


def test_a_step_of_an_apply_waits_long_enough_by_itself(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        await left_held(site, GRAPH)
        site.write({"supply.pg": WIDER_SCHEMA})
        done = await do(await site.open(), "apply", {"intent": "wider"})

        assert done.ok
        assert done.data.converged, done.diagnostics  # type: ignore[attr-defined]

    over(tmp_path, story)


@pytest.mark.parametrize("operation", ["refresh", "apply"])
def test_a_command_takes_the_cluster_over_when_it_may_wait(operation: str, tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        await left_held(site, "cluster")
        at_once = await do(await site.open(), operation, {"intent": "a look"})
        patient = await do(await site.open(), operation, {"intent": "a look", "wait_s": TTL_S + 2})

        assert [d.code for d in at_once.diagnostics] == ["state_lock_held"]
        assert patient.ok, patient.diagnostics

    over(tmp_path, story)
