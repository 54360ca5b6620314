"""Every command, struck at every one of its writes, in every way: the next command mends it.

The commands are the cases of `agentctl.testing.crash_cases`; their writes are counted, not listed.
Before each point the storage is copied from a template. Some points of each case are struck, by the
seed of the run, and all of them under the long profile.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.engine import moving
from agentctl.engine.cluster import Cluster
from agentctl.testing.crash_cases.every import BY_NAME, CASES
from agentctl.testing.crash_cases.words import applied
from agentctl.testing.crash_suite import ALL_FAULTS, Case, points, strike, survey
from agentctl.testing.sampling import sampled
from agentctl.testing.simulation.world import Bug
from agentctl.testing.sites import Disk, LocalDisk, MemoryDisk, Site
from agentctl_tools.operation import Envelope

OF_MEMORY, OF_A_DISK = 5, 5
"""How many points of a case are struck: by the seed of the run, or all under the long profile."""
IN_MEMORY = tuple(f for f in ALL_FAULTS if f != "torn")
"""A write in memory is one moment: there is nothing in the middle of it."""
ALL = 10_000
Evidence = Callable[[str, object], None]


def name_of(case: Case) -> str:
    return case.name


def struck_everywhere(case: Case, path: Path, disk: Disk, *, count: int) -> str:
    """Strikes a case at so many points; returns what was done, in words."""
    surveyed = survey(case, path, disk)
    faults = IN_MEMORY if isinstance(disk, MemoryDisk) else ALL_FAULTS
    chosen = sampled(list(points(surveyed.writes, faults)), count, of=case.name)
    for at, fault in chosen:
        strike(surveyed, path / f"{at}-{fault}", at, fault)
    return f"{case.name}: {surveyed.writes} writes, {len(chosen)} runs"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_write_is_a_crash_point_in_memory(
    case: Case, tmp_path: Path, record_property: Evidence
) -> None:
    told = struck_everywhere(case, tmp_path, MemoryDisk(), count=OF_MEMORY)

    record_property("evidence", f"crash suite, memory, {told}")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_write_is_a_crash_point_on_a_disk(
    case: Case, tmp_path: Path, record_property: Evidence
) -> None:
    disk = LocalDisk(tmp_path / "disk")

    told = struck_everywhere(case, tmp_path, disk, count=OF_A_DISK)

    record_property("evidence", f"crash suite, disk, {told}")


async def skipped(*_: object) -> None:
    """What a planted bug does in place of a write."""


def test_a_step_without_its_sidecar_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "write_sidecar", skipped)

    with pytest.raises((AssertionError, Bug), match="graph migrate"):
        struck_everywhere(BY_NAME["apply: schema"], tmp_path, MemoryDisk(), count=ALL)


async def applied_twice_at_once(site: Site, cluster: Cluster) -> Envelope:
    """Two applies begin together; one of them is told that the other holds the lease."""
    one, two = await asyncio.gather(applied(site, cluster), applied(site, cluster))
    return one if one.ok else two


AT_ONCE = msgspec.structs.replace(
    BY_NAME["apply: create"], name="apply: twice at once", command=applied_twice_at_once
)
creates = MemoryStore.create


async def overwriting(store: MemoryStore, key: str, data: bytes) -> bool:
    """What a store does that forgets the condition, though its probe went well."""
    if "probe" in key:
        return await creates(store, key, data)
    await store.replace(key, data)
    return True


def test_two_applies_at_once_survive_a_lost_answer(tmp_path: Path) -> None:
    surveyed = survey(AT_ONCE, tmp_path, MemoryDisk())

    for at in range(1, surveyed.writes + 1, 3):
        strike(surveyed, tmp_path / str(at), at, "lost")


def test_a_store_that_ignores_create_only_is_caught_by_the_crash_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryStore, "create", overwriting)

    with pytest.raises((AssertionError, Bug), match=r"does not record|twice|does not hold|left"):
        struck_everywhere(AT_ONCE, tmp_path, MemoryDisk(), count=ALL)
