"""Plans that travel as files, drafts that come home, and how a command ends where something moved."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.canonical import sha256_hex

Run = Callable[..., Result]
MORE = "\nquery names() {\n  match { $p: Package }\n  return { $p.name }\n}\n"


def add_query(folder: Path) -> None:
    (folder / "queries" / "names.gq").write_text(MORE)


def test_the_main_job_from_a_folder_to_rows(run: Run, supply: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.ndjson"
    rows.write_text(
        '{"type":"Package","data":{"name":"app"}}\n'
        '{"type":"Package","data":{"name":"json"}}\n'
        '{"edge":"DependsOn","from":"app","to":"json","data":{}}\n'
    )

    for arguments in (("validate",), ("plan",), ("apply",), ("load", "supply", rows)):
        shown = run("--config", supply, *arguments)
        assert shown.exit_code == 0, shown.output
    asked = run("--config", supply, "query", "supply.impact", "--params", '{"name":"json"}')
    reply = run(
        "--config", supply, "query", "supply.impact", "--params", '{"name":"json"}', "--json"
    )

    assert asked.stdout.split()[:2] == ["package", "app"]
    assert json.loads(reply.stdout)["rows"] == [{"package": "app"}]
    assert json.loads(reply.stdout)["row_count"] == 1


def test_exit_code_ten_says_that_there_is_something_to_do(run: Run, supply: Path) -> None:
    before = run("plan", "--config", supply, "--exit-code")
    run("apply", "--config", supply)
    after = run("plan", "--config", supply, "--exit-code")

    assert (before.exit_code, after.exit_code) == (10, 0)


def test_a_plan_in_a_file_names_its_sources_and_holds_no_content(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plan.json"

    shown = run("plan", "--config", supply, "--out", out)

    kept = json.loads(out.read_bytes())
    assert shown.exit_code == 0
    assert sorted(kept) == ["digest", "format", "made_at", "made_by", "plan", "sources"]
    assert kept["sources"]["supply.pg"] == sha256_hex((supply / "supply.pg").read_bytes())
    assert b"Packages, and what they depend on" not in out.read_bytes()


def test_a_plan_file_is_applied_only_while_nothing_moved(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plan.json"
    run("plan", "--config", supply, "--out", out)
    add_query(supply)

    moved = run("apply", out, "--config", supply)
    (supply / "queries" / "names.gq").unlink()
    same = run("apply", out, "--config", supply)

    assert moved.exit_code == 4, moved.output
    assert "plan_stale" in moved.stderr
    assert same.exit_code == 0, same.output


def test_same_effects_goes_on_where_only_the_ground_moved(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    run("apply", "--config", supply)
    add_query(supply)
    out = tmp_path / "plan.json"
    run("plan", "--config", supply, "--out", out)
    run("refresh", "--config", supply)

    exact = run("apply", out, "--config", supply)
    same = run("apply", "--same-effects", out, "--config", supply)

    assert exact.exit_code == 4, exact.output
    assert same.exit_code == 0, same.output


def test_a_plan_file_that_is_none_is_a_usage_error_or_told(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")

    missing = run("apply", tmp_path / "nowhere.json", "--config", supply)
    wrong = run("apply", broken, "--config", supply)

    assert missing.exit_code == 2
    assert wrong.exit_code == 1
    assert wrong.stderr


def test_a_draft_is_edited_planned_and_applied_and_its_files_come_home(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    run("apply", "--config", supply)
    source = tmp_path / "names.gq"
    source.write_text(MORE)

    edited = run(
        "draft", "edit", "queries/names.gq", "--from", source, "--config", supply, "--json"
    )
    draft = json.loads(edited.stdout)["draft"]
    diff = run("draft", "diff", draft, "--config", supply)
    planned = run("plan", "--draft", draft, "--config", supply, "--json")
    applied = run("apply", "--draft", draft, "--config", supply)

    assert "+query names()" in diff.stdout
    assert [c["resource"] for c in json.loads(planned.stdout)["changes"]] == [
        "graph.supply",
        "query.supply.names",
    ]
    assert applied.exit_code == 0, applied.output
    assert (supply / "queries" / "names.gq").read_text() == MORE


def test_a_removal_waits_and_convergence_can_be_required(run: Run, supply: Path) -> None:
    run("apply", "--config", supply)
    (supply / "cluster.yaml").write_text("version: 1\nmetadata:\n  name: supply\n")

    partly = run("apply", "--config", supply)
    required = run("apply", "--config", supply, "--require-converged")
    listed = run("status", "--config", supply, "--json")

    assert partly.exit_code == 0, partly.output
    assert required.exit_code == 6, required.output
    assert "graph.supply" in json.loads(listed.stdout)["resource_digests"]


def test_a_restored_graph_is_live_again(run: Run, supply: Path) -> None:
    run("apply", "--config", supply)

    shown = run("graph", "restore", "supply", "--config", supply)

    assert shown.exit_code == 1
    assert "graph_not_detached" in shown.stderr


BAD: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a missing file": (
        lambda f: (f / "supply.pg").unlink(),
        "schema_file_missing",
        "supply.pg",
    ),
    "a tab in YAML": (
        lambda f: (f / "cluster.yaml").write_text("version: 1\ngraphs:\n\tsupply: {}\n"),
        "invalid_cluster_yaml",
        "cluster.yaml:3",
    ),
    "a duplicate key": (
        lambda f: (f / "cluster.yaml").write_text("version: 1\nversion: 1\n"),
        "duplicate_yaml_key",
        "cluster.yaml:2",
    ),
    "an unknown field": (
        lambda f: (f / "cluster.yaml").write_text("version: 1\ngraphz: {}\n"),
        "invalid_cluster_yaml",
        "graphs",
    ),
    "a type error in a query": (
        lambda f: (f / "queries" / "impact.gq").write_text(
            "query impact() {\n  match { $p: Package { nam: 1 } }\n  return { $p.name }\n}\n"
        ),
        "query_typecheck_error",
        "impact.gq:2",
    ),
    "a policy for a graph that is not there": (
        lambda f: (
            (f / "p.yaml").write_text("version: 1\n"),
            (f / "cluster.yaml").write_text(
                "version: 1\npolicies:\n  p:\n    file: p.yaml\n    applies_to: [ghost]\n"
            ),
        ),
        "dangling_graph_reference",
        "ghost",
    ),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("verb", ["validate", "plan", "apply"])
def test_bad_input_is_a_diagnostic_with_place_and_nothing_changes(
    run: Run, supply: Path, case: str, verb: str
) -> None:
    run("apply", "--config", supply)
    spoil, code, place = BAD[case]
    spoil(supply)
    before = json.loads(run("status", "--config", supply, "--json").stdout)["state_observations"]

    shown = run(verb, "--config", supply)

    assert shown.exit_code == 1, shown.output
    assert code in shown.stderr
    assert place in shown.stderr
    after = json.loads(run("status", "--config", supply, "--json").stdout)["state_observations"]
    assert after["state_cas"] == before["state_cas"]
    assert after["seq"] == before["seq"]


def test_a_draft_edit_outside_the_folder_is_denied(run: Run, supply: Path, tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_text("x")

    shown = run("draft", "edit", "../escape.gq", "--from", source, "--config", supply)

    assert shown.exit_code == 3
    assert "path_not_config" in shown.stderr
    assert not (supply.parent / "escape.gq").exists()


@pytest.mark.parametrize("params", ["{", "[]", "1"])
def test_params_that_are_no_object_are_a_usage_error(run: Run, supply: Path, params: str) -> None:
    shown = run("query", "supply.impact", "--params", params, "--config", supply)

    assert shown.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("query", "supply.nothing"), "query_not_found"),
        (("query", "supply.impact"), "param_missing"),
        (("query", "not an address"), "query_not_found"),
        (("query", "supply.impact", "--params", '{"nam":"x"}'), "param_unknown"),
        (("graph", "show", "ghost"), "graph_not_found"),
        (("ops", "show", "nobody:0"), "op_not_found"),
        (("approvals", "show", "01J90000000000000000000000"), "approval_not_found"),
        (("approvals", "show", "graph.supply"), "approval_not_found"),
        (("explain", "plan_stail"), "unknown_code"),
        (("force-unlock", "01J90000000000000000000000"), "state_lock_missing"),
        (("load", "supply", "nowhere.ndjson"), "load_file_missing"),
        (("draft", "show", "01J90000000000000000000000"), "draft_not_found"),
        (("import",), "state_already_exists"),
        (("mcp", "--principal", "agent:nobody"), "principal_not_found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_there_is_told_by_its_code(
    run: Run, supply: Path, arguments: tuple[str, ...], code: str
) -> None:
    run("apply", "--config", supply)

    shown = run("--config", supply, *arguments)

    assert shown.exit_code == 1, shown.output
    assert code in shown.stderr
