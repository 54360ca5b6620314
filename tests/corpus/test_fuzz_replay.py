"""What a fuzzer kept, what once broke an invariant, and every source of the pages: all of it holds.

The invariants stand in `agentctl.testing.fuzz.targets`; `make fuzz` looks for more.
"""

from pathlib import Path

import pytest

from agentctl.testing.fuzz.seeds import page_seeds
from agentctl.testing.fuzz.targets import TARGETS, Target

PAGES = Path(__file__).parent
KEPT = PAGES / "fuzz"
TOTAL_BYTES_MAX = 1_100_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_inputs_that_a_fuzzer_kept_are_answered(target: Target) -> None:
    inputs = sorted((KEPT / target.name).iterdir())

    assert inputs
    for path in inputs:
        replay(target, path.read_bytes(), path.name)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_the_sources_of_every_page_are_answered(target: Target) -> None:
    seeds = page_seeds(PAGES, target.name)

    assert seeds
    for data in seeds:
        replay(target, data, repr(data[:80]))


def test_what_is_kept_stays_small() -> None:
    assert sum(p.stat().st_size for p in KEPT.rglob("*") if p.is_file()) < TOTAL_BYTES_MAX


def replay(target: Target, data: bytes, name: str) -> None:
    try:
        target.run(data)
    except Exception as failed:
        failed.add_note(f"replaying {name} of {target.name}")
        raise
