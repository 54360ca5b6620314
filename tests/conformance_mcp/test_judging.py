"""How the results of the official suites are judged; the suites themselves run by `make conformance`."""

import json
from pathlib import Path

from tests.conformance_mcp.suites import read_report


def write(folder: Path, scenario: str, *statuses: str) -> None:
    result = folder / f"server-{scenario}-2026-11-21T16-35-46-123Z"
    result.mkdir(parents=True)
    checks = [{"id": f"{scenario}-{n}", "status": s, "name": "x"} for n, s in enumerate(statuses)]
    (result / "checks.json").write_text(json.dumps(checks), encoding="utf-8")


def test_a_required_scenario_passes_only_where_something_was_checked_and_nothing_failed(
    tmp_path: Path,
) -> None:
    write(tmp_path, "good", "SUCCESS", "INFO")
    write(tmp_path, "warned", "SUCCESS", "WARNING")
    write(tmp_path, "half", "SUCCESS", "FAILURE")
    write(tmp_path, "idle", "SKIPPED")

    report = read_report("suite", ("good", "warned", "half", "idle", "absent"), tmp_path)

    assert report.failed == ("half", "idle", "absent")


def test_what_is_not_required_is_reported_and_fails_nothing(tmp_path: Path) -> None:
    write(tmp_path, "good", "SUCCESS")
    write(tmp_path, "tasks-lifecycle", "FAILURE")

    report = read_report("suite", ("good",), tmp_path)

    assert report.failed == ()
    assert report.unscored == ("tasks-lifecycle",)
    assert "  not  tasks-lifecycle: 1 failure  (reported, not required)" in list(report.lines())


def test_a_should_that_is_missed_is_told(tmp_path: Path) -> None:
    write(tmp_path, "warned", "SUCCESS", "WARNING")

    told = list(read_report("suite", ("warned",), tmp_path).lines())

    assert told[0] == "suite: 1 of 1 required server scenarios pass"
    assert told[2].strip().startswith("warning warned-1")
