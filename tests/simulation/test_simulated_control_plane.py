"""The whole control plane on a virtual clock: seeds hold, a seed replays, and a planted bug is found."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from agentctl.engine import moving
from agentctl.testing.sampling import LONG
from agentctl.testing.simulation.network import SimulatedStore
from agentctl.testing.simulation.run import Outcome, simulate

SEEDS = 10_000 if LONG else 24
CHUNKS = 50 if LONG else 2
PLANTED_SEEDS = 60
FAULTS = {
    "clock jump",
    "died before the request left",
    "killed",
    "late",
    "lost",
    "outage",
    "paused",
    "refused",
    "request of a dead process arrives",
    "stalled",
}
"""Every class that the simulation has."""
CHILD = "import sys; from agentctl.testing.simulation.run import simulate; sys.stdout.buffer.write(simulate(7).trace)"


def replay(outcome: Outcome) -> str:
    return f"make simulate SEED={outcome.seed}: {outcome.bug}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_all_holds_when_it_is_quiet_again(
    chunk: int, record_property: Callable[[str, object], None]
) -> None:
    each = SEEDS // CHUNKS
    seeds = range(chunk * each, (chunk + 1) * each)
    faults: Counter[str] = Counter()
    transitions: Counter[str] = Counter()
    commands = 0
    for seed in seeds:
        outcome = simulate(seed)
        assert outcome.bug is None, replay(outcome)
        faults += outcome.faults
        transitions += outcome.transitions
        commands += outcome.commands
    told = f"simulation, seeds {seeds.start}..{seeds.stop - 1}, {commands} commands"
    record_property("evidence", f"{told}, faults {dict(sorted(faults.items()))}")
    record_property("evidence", f"{told}, transitions {dict(sorted(transitions.items()))}")
    if LONG:
        assert set(faults) == FAULTS


def test_a_seed_gives_the_same_trace_byte_for_byte() -> None:
    assert simulate(7).trace == simulate(7).trace
    assert simulate(7).trace != simulate(8).trace


@pytest.mark.slow
def test_another_process_with_another_order_of_its_sets_gives_the_same_trace() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", CHILD],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("0", "1", "4711")
    }

    assert traces == {simulate(7).trace}


def found_by_some_seed(wanted: Callable[[str], bool], seeds: int = PLANTED_SEEDS) -> bool:
    bugs = (simulate(seed).bug for seed in range(seeds))
    return any(bug is not None and wanted(bug) for bug in bugs)


async def overwriting(store: SimulatedStore, key: str, data: bytes) -> bool:
    await store.replace(key, data)
    return True


async def nothing(*_: object) -> None:
    return None


def test_a_store_that_ignores_create_only_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedStore, "create", overwriting)

    assert found_by_some_seed(bool)


@pytest.mark.slow
def test_a_step_without_its_sidecar_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed in a hundred dies at the one moment that a sidecar is for."""
    monkeypatch.setattr(moving, "write_sidecar", nothing)

    assert found_by_some_seed(
        lambda bug: "the ledger says" in bug or "not succeed" in bug, PLANTED_SEEDS * 20
    )
