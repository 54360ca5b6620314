"""Every command again, struck at every one of its writes, with its storage on S3.

The product's own client signs, sends and reads; moto answers in this process. The graphs stay in
memory: those on S3 are the graph engine's, whose own writes `tests/conformance` looks at.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.testing.crash_cases.every import CASES
from agentctl.testing.crash_suite import ALL_FAULTS, Case, points, strike, survey
from agentctl.testing.sampling import sampled
from agentctl.testing.sites import Disk

CASE_COUNT = 20
COUNT = 3
"""Of points of a case. Both by the seed of the run, which strikes every case on a disk as well; all
under the long profile."""
ON_S3 = tuple(f for f in ALL_FAULTS if f != "torn")
"""S3 takes an object whole: a write that breaks off is one that did not happen."""


@pytest.mark.slow
@pytest.mark.parametrize("case", sampled(CASES, CASE_COUNT, of="S3"), ids=lambda case: case.name)
def test_every_write_is_a_crash_point_on_s3(
    case: Case, tmp_path: Path, bucket_disk: Disk, record_property: Callable[[str, object], None]
) -> None:
    surveyed = survey(case, tmp_path, bucket_disk)
    chosen = sampled(list(points(surveyed.writes, ON_S3)), COUNT, of=case.name)

    for at, fault in chosen:
        strike(surveyed, tmp_path / f"{at}-{fault}", at, fault)

    told = f"{case.name}: {surveyed.writes} writes, {len(chosen)} runs"
    record_property("evidence", f"crash suite, S3, {told}")
