"""`agentctl policy`: check, ask, test and simulate, over what is declared and what is applied."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.domain.policy.request import schema_text
from agentctl.faces.cli.exit_codes import ExitCode

Run = Callable[..., Result]
BUNDLE = """\
version: 1
groups: { ops: [act-a], all: [act-a, act-b] }
protected_branches: [main]
rules:
  - id: r1
    allow: { actors: {group: all}, actions: [read, export] }
  - id: r2
    allow: { actors: {group: ops}, actions: [schema_apply], target_branch_scope: protected }
"""
CASES = """\
version: 1
cases:
  - {id: reads, actor: act-b, action: read, branch: main, expect: allow}
  - {id: applies, actor: act-b, action: schema_apply, target_branch: main, expect: deny}
"""


@pytest.fixture
def governed(run: Run, supply: Path) -> Path:
    """The example cluster with a bundle on its graph, applied."""
    text = (supply / "cluster.yaml").read_text(encoding="utf-8")
    (supply / "cluster.yaml").write_text(with_policy(text), encoding="utf-8")
    (supply / "graph.yaml").write_text(BUNDLE, encoding="utf-8")
    (supply / "cases.yaml").write_text(CASES, encoding="utf-8")
    applied = run("apply", "--config", supply)
    assert applied.exit_code == 0, applied.output
    return supply


def with_policy(text: str) -> str:
    entry = "  graph: {file: graph.yaml, applies_to: [supply]}\n"
    if "\npolicies:\n" in text:
        return text.replace("\npolicies:\n", f"\npolicies:\n{entry}")
    return f"{text}policies:\n{entry}"


def test_explain_says_whether_and_by_which_rule(run: Run, governed: Path) -> None:
    asked = ("policy", "explain", "--graph", "supply", "--config", governed)

    may = run(*asked, "--actor", "act-b", "--action", "read")
    may_not = run(*asked, "--actor", "act-c", "--action", "read", "--json")

    assert may.stdout == (
        "act-b (human, not enrolled) may read on graph.supply\ndecided by policy.graph (r1:read)\n"
    )
    told = json.loads(may_not.stdout)
    assert (told["allow"], told["policies"], told["bundles"]) == (False, [], ["graph"])
    assert may_not.exit_code == 0


def test_explain_asks_what_is_declared_where_that_is_wanted(run: Run, governed: Path) -> None:
    (governed / "graph.yaml").write_text(BUNDLE.replace("act-b", "act-c"), encoding="utf-8")
    asked = ("policy", "explain", "--graph", "supply", "--config", governed, "--actor", "act-b")

    applied = run(*asked, "--action", "read", "--json")
    desired = run(*asked, "--action", "read", "--desired", "--json")

    assert json.loads(applied.stdout)["allow"] is True
    assert json.loads(desired.stdout)["allow"] is False


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--action", "red"), "Did you mean `read`?"),
        (("--action", "change"), "--graph ID, or --on ADDRESS"),
        (("--action", "graph_list", "--on", "graph.supply"), "`graph_list` is about: cluster"),
    ],
)
def test_a_question_without_sense_is_answered_with_what_would_make_some(
    run: Run, governed: Path, arguments: tuple[str, ...], told: str
) -> None:
    asked = run("policy", "explain", "--config", governed, "--actor", "act-a", *arguments)

    assert asked.exit_code == ExitCode.USAGE
    assert told in asked.stderr


def test_test_is_green_where_all_is_as_expected_and_names_what_is_not(
    run: Run, governed: Path
) -> None:
    asked = ("policy", "test", "--graph", "supply", "--config", governed, "--tests")

    green = run(*asked, governed / "cases.yaml")
    (governed / "cases.yaml").write_text(CASES.replace("deny", "allow"), encoding="utf-8")
    red = run(*asked, governed / "cases.yaml", "--json")
    told = run(*asked, governed / "cases.yaml").stderr

    assert (green.exit_code, green.stdout) == (0, "2 cases: 2 as expected, 0 not.\n")
    assert red.exit_code == ExitCode.ERRORS
    assert [c["got"] for c in json.loads(red.stdout)["cases"]] == ["allow", "deny"]
    assert "error[policy_test_failed]: expected allow for act-b to schema_apply" in told


def test_a_test_file_with_a_mistake_is_refused(run: Run, governed: Path) -> None:
    (governed / "cases.yaml").write_text("version: 1\ncase: []\n", encoding="utf-8")

    asked = run(
        "policy", "test", "--config", governed, "--tests", governed / "cases.yaml", "--graph", "g"
    )

    assert asked.exit_code == ExitCode.ERRORS
    assert "policy_tests_invalid" in asked.stderr


def test_simulate_and_the_plan_say_the_same_of_what_changes_for_whom(
    run: Run, governed: Path
) -> None:
    (governed / "graph.yaml").write_text(BUNDLE.replace("[act-a]", "[act-a, act-b]"))
    line = "act-b may now schema_apply on graph.supply"

    simulated = run("policy", "simulate", "--config", governed)
    planned = run("plan", "--config", governed)
    shown = run("plan", "--config", governed, "--markdown")
    told = json.loads(run("plan", "--config", governed, "--json").stdout)

    assert f"What changes for whom\n  + {line}\n" in simulated.stdout
    assert f"What changes for whom\n  + {line}\n" in planned.stdout
    assert "#### What changes for whom" in shown.stdout
    assert "1 change of authority (undecided)." in planned.stdout
    assert told["policy_impact"]["widening"] == ["graph"]


def test_simulate_says_where_nothing_would_change(run: Run, governed: Path) -> None:
    assert run("policy", "simulate", "--config", governed).stdout == "No policy would change.\n"


def test_validate_lists_the_policies_and_tells_what_is_wrong_with_them(
    run: Run, governed: Path
) -> None:
    good = run("policy", "validate", "--config", governed)
    (governed / "graph.yaml").write_text("version: 1\nrule: []\n", encoding="utf-8")
    bad = run("policy", "validate", "--config", governed)
    applied = run("policy", "validate", "--applied", "--config", governed)

    assert "policy.graph (yaml) on graph.supply: 5 permit, 0 forbid" in good.stdout
    assert bad.exit_code == ExitCode.ERRORS
    assert "policy_invalid" in bad.stderr
    assert applied.exit_code == 0


def test_the_schema_is_printed_as_it_is(run: Run, governed: Path) -> None:
    assert run("policy", "schema", "--config", governed).stdout == schema_text()
