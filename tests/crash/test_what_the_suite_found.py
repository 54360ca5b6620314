"""Faults that only a struck write showed, each at its write."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.testing.crash_cases.every import BY_NAME
from agentctl.testing.crash_suite import strike, survey
from agentctl.testing.faults import Fault
from agentctl.testing.sites import MemoryDisk

Picks = Callable[[str], bool]


def struck_where(picks: Picks, name: str, fault: Fault, path: Path) -> None:
    surveyed = survey(BY_NAME[name], path, MemoryDisk())
    at = next(n for n, label in enumerate(surveyed.labels, 1) if picks(label))
    strike(surveyed, path / "struck", at, fault)


def test_an_anchor_behind_a_line_that_broke_off_is_an_anchor(tmp_path: Path) -> None:
    struck_where(lambda label: label.startswith("append"), "audit anchor", "torn", tmp_path)


@pytest.mark.parametrize("fault", ["lost", "refused"])
@pytest.mark.parametrize("name", ["backup create", "backup restore"])
def test_a_copy_that_nobody_answered_is_told_as_what_it_is(
    name: str, fault: Fault, tmp_path: Path
) -> None:
    copied = "create objects/" if name == "backup create" else "create __cluster/origin/"

    struck_where(lambda label: label.startswith(copied), name, fault, tmp_path)


@pytest.mark.parametrize("fault", ["lost", "refused"])
def test_an_erasure_that_nobody_answered_is_gone_on_with_at_once(
    fault: Fault, tmp_path: Path
) -> None:
    struck_where(
        lambda label: label.startswith("graph erase"), "apply: graph erase", fault, tmp_path
    )
