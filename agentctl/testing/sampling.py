"""Which of many slow cases are run: all of them under the long profile, else some, by a printed seed.

The seed is `AGENTCTL_TEST_SEED`, or drawn at the start of the run; every process of a run has the same.
"""

import os
import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

PROFILE: Final = "AGENTCTL_TEST_PROFILE"
SEED: Final = "AGENTCTL_TEST_SEED"
LONG: Final = os.environ.get(PROFILE) == "long"
"""Whether `make check-long` runs: the full counts that an issue asks for."""


def seed_of_run() -> str:
    """Returns the seed of this run, which is drawn here where nobody has set it."""
    return os.environ.setdefault(SEED, str(random.SystemRandom().randrange(10**9)))


def sampled(cases: Sequence[T], count: int, *, of: str) -> list[T]:
    """Returns *count* of *cases* in their order, or all where that is as many or the run is long.

    *of* tells the samples of one run apart: the same words and seed choose the same.
    """
    if LONG or len(cases) <= count:
        return list(cases)
    rng = random.Random(f"{seed_of_run()}:{of}")  # noqa: S311  # a choice of tests
    chosen = rng.sample(range(len(cases)), count)
    return [cases[at] for at in sorted(chosen)]
