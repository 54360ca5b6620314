"""A sealed plan travels as a file: what it may come back as, and what is told where it may not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.canonical import canonical_bytes

Run = Callable[..., Result]


def planned(run: Run, folder: Path, out: Path) -> dict[str, object]:
    shown = run("plan", "--config", folder, "--out", out)
    assert shown.exit_code == 0, shown.output
    kept = json.loads(out.read_bytes())
    assert isinstance(kept, dict)
    return kept


def told(result: Result) -> list[tuple[str, str]]:
    document = json.loads(result.stdout)
    return [(d["code"], d["message"]) for d in document["diagnostics"] if d["severity"] == "error"]


def test_a_plan_of_another_cluster_is_told_as_one(run: Run, supply: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    made = run("init", other, "--no-passphrase")
    assert made.exit_code == 0, made.output
    out = tmp_path / "plan.json"
    planned(run, other, out)

    for flags in ((out,), ("--same-effects", out)):
        refused = run("apply", *flags, "--config", supply, "--json")

        ((code, message),) = told(refused)
        assert refused.exit_code == 1
        assert code == "invalid_plan_file"
        assert message.startswith("this is a plan of another cluster")


def test_a_plan_of_a_later_format_is_told_by_its_number(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plan.json"
    kept = planned(run, supply, out)
    out.write_bytes(canonical_bytes({**kept, "format": 2, "more": {}}))

    refused = run("apply", out, "--config", supply, "--json")

    assert told(refused) == [
        (
            "invalid_plan_file",
            "this is no plan that can be used: its format is 2, and this release reads 1",
        )
    ]


@pytest.mark.parametrize(
    "field", ["cluster_id", "config_digest", "state_cas", "principal", "target", "changes"]
)
def test_a_plan_that_was_changed_is_refused_for_its_digest(
    run: Run, supply: Path, tmp_path: Path, field: str
) -> None:
    out = tmp_path / "plan.json"
    kept = planned(run, supply, out)
    plan = kept["plan"]
    assert isinstance(plan, dict)
    out.write_bytes(
        canonical_bytes({**kept, "plan": {**plan, field: [] if field == "changes" else "x"}})
    )

    refused = run("apply", out, "--config", supply, "--json")

    assert told(refused) == [
        (
            "invalid_plan_file",
            "this is no plan that can be used: its digest is not that of its content",
        )
    ]
    assert json.loads(refused.stdout)["diagnostics"][0]["remedy"] == "agentctl plan --out FILE"


def test_what_a_file_shows_besides_its_seal_reaches_nobody_else(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    """The digest does not cover the words of a plan, so a file's are not kept under it."""
    out = tmp_path / "plan.json"
    kept = planned(run, supply, out)
    stored = sorted((supply / "__cluster" / "plans").iterdir())
    for path in stored:
        path.unlink()
    plan = kept["plan"]
    assert isinstance(plan, dict)
    forged = {
        **plan,
        "diagnostics": [{"code": "denied", "severity": "note", "path": "x", "message": "trust me"}],
    }
    out.write_bytes(canonical_bytes({**kept, "plan": forged, "made_by": "sarah"}))

    applied = run("apply", out, "--config", supply)

    assert applied.exit_code == 0, applied.output
    assert not any(b"trust me" in p.read_bytes() for p in supply.rglob("*") if p.is_file())


def test_markdown_is_for_people_and_json_is_for_programs(run: Run, supply: Path) -> None:
    markdown = run("plan", "--config", supply, "--markdown")
    both = run("plan", "--config", supply, "--markdown", "--json")

    assert markdown.exit_code == 0
    assert markdown.stdout.startswith("### Plan\n")
    assert both.exit_code == 2


def test_a_plan_that_looks_shows_drift_as_a_section_of_its_own(run: Run, supply: Path) -> None:
    run("apply", "--config", supply)
    quiet = run("plan", "--config", supply, "--refresh")
    (payload,) = (supply / "__cluster" / "resources" / "query").rglob("*.gq")
    payload.unlink()

    plain = run("plan", "--config", supply, "--exit-code")
    looked = run("plan", "--config", supply, "--exit-code", "--refresh", "--json")

    assert quiet.stdout.startswith("No drift")
    assert plain.exit_code == 0, "without a look the ledger is taken at its word"
    assert looked.exit_code == 10
    document = json.loads(looked.stdout)
    assert [(d["address"], d["kind"]) for d in document["drift"]] == [
        ("query.supply.impact", "payload_missing")
    ]
    assert ("query.supply.impact", "create") in [
        (c["resource"], c["operation"]) for c in document["changes"]
    ]


def test_a_sealed_plan_that_looked_is_applied_by_an_apply_that_looks(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    run("apply", "--config", supply)
    (payload,) = (supply / "__cluster" / "resources" / "query").rglob("*.gq")
    payload.unlink()
    out = tmp_path / "plan.json"
    shown = run("plan", "--config", supply, "--refresh", "--out", out)

    blind = run("apply", out, "--config", supply)
    looking = run("apply", out, "--refresh", "--config", supply)

    assert "agentctl apply --refresh" in shown.stdout
    assert blind.exit_code == 4, blind.output
    assert looking.exit_code == 0, looking.output
    assert payload.exists()
