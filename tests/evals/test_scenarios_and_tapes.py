"""Scenarios and tapes as files: what is not understood is refused, never passed over."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentctl.faces.cli.main import cli
from agentctl_evals.run import tape_problems
from agentctl_evals.scenario import load_scenario
from agentctl_evals.tape import fill, point, read_tape

SCENARIOS = Path(__file__).parents[2] / "evals" / "scenarios"
RETIRE = SCENARIOS / "retire-a-graph"
HEADER = b'{"format": 1, "agentctl": "0.1.0", "provenance": "scripted", "principal": "agent"}\n'


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RETIRE, tmp_path / "scenario"))


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda f: f.name)
def test_every_scenario_of_the_repository_loads_and_its_tapes_fit(folder: Path) -> None:
    loaded, problems = load_scenario(folder)

    assert problems == ()
    assert loaded is not None
    assert loaded.tapes()
    for path in loaded.tapes():
        tape, wrong = read_tape(path.read_bytes(), file=path.name)
        assert wrong == ()
        assert tape is not None
        assert tape_problems(loaded, tape, file=path.name) == ()


def test_every_file_that_tells_what_to_do_carries_the_canary() -> None:
    loaded, _ = load_scenario(RETIRE)
    assert loaded is not None

    assert loaded.about.canary in (RETIRE / "goal.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("scenario.yaml", "difficulty: hard\n"),
        ("expect.yaml", "claims: [{says: it is live}]\n"),
        ("human.yaml", "visitors: [someone]\n"),
        ("data/recipe.yaml", "digest: abc\n"),
    ],
)
def test_a_field_that_is_not_read_is_refused(scenario: Path, file: str, more: str) -> None:
    with (scenario / file).open("a", encoding="utf-8") as handle:
        handle.write(more)

    loaded, problems = load_scenario(scenario)

    assert loaded is None
    assert [p.code for p in problems] == ["eval_scenario_invalid"]
    assert problems[0].path.endswith(file)
    assert more.split(":", maxsplit=1)[0] in problems[0].message


@pytest.mark.parametrize(
    "expect",
    [
        "reach: {all: [{resource: graph.a, graph: a, presence: live}]}\n",
        "reach: {all: [{}]}\n",
        "reach: {all: []}\nnever: [{effect: graph_deleted, graph: a, secret_seen: true}]\n",
    ],
)
def test_a_condition_says_exactly_one_thing(scenario: Path, expect: str) -> None:
    (scenario / "expect.yaml").write_text(expect, encoding="utf-8")

    loaded, problems = load_scenario(scenario)

    assert loaded is None
    assert "exactly one" in problems[0].message


def test_a_toolset_that_there_is_not_is_refused(scenario: Path) -> None:
    with (scenario / "scenario.yaml").open("a", encoding="utf-8") as handle:
        handle.write("toolsets: [rows, row]\n")

    loaded, problems = load_scenario(scenario)

    assert loaded is None
    assert [p.message.partition(";")[0] for p in problems] == ["there is no toolset `row`"]


def test_everything_that_is_missing_is_told_at_once(scenario: Path) -> None:
    (scenario / "goal.md").unlink()
    (scenario / "human.yaml").unlink()
    (scenario / "cluster" / "cluster.yaml").unlink()

    _, problems = load_scenario(scenario)

    assert {Path(p.path).name for p in problems} == {"goal.md", "human.yaml", "cluster.yaml"}


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (b"", 1),
        (b"{}\n", 1),
        (HEADER.replace(b'"format": 1', b'"format": 2'), 1),
        (HEADER.replace(b"}", b', "mood": "good"}'), 1),
        (HEADER + b"not json\n", 2),
        (HEADER + b'{"n": 2, "call": {"tool": "status"}}\n', 2),
        (HEADER + b'{"n": 1, "call": {"tool": "status"}, "expects": {}}\n', 2),
        (HEADER + b'{"n": 1, "call": {"tool": "status"}, "expect": {"is_err": true}}\n', 2),
    ],
)
def test_a_tape_with_a_wrong_line_is_refused_by_its_number(lines: bytes, line: int) -> None:
    tape, problems = read_tape(lines, file="t.jsonl")

    assert tape is None
    assert [p.path for p in problems] == [f"t.jsonl:{line}"]


@pytest.mark.parametrize(
    "reference", [b"", b', "scenario": {"id": "retire-a-graph", "version": 9}']
)
def test_a_tape_of_another_scenario_is_refused(reference: bytes) -> None:
    loaded, _ = load_scenario(RETIRE)
    tape, _ = read_tape(HEADER.replace(b"}", reference + b"}", 1) if reference else HEADER, file="")
    assert loaded is not None
    assert tape is not None

    problems = tape_problems(loaded, tape, file="t.jsonl")

    assert [p.code for p in problems] == ["eval_scenario_invalid"]


def test_a_name_stands_for_what_was_saved() -> None:
    names = {"draft": "01J9", "count": 3}

    assert fill({"in": "draft:${draft}", "n": ["${count}"]}, names) == {
        "in": "draft:01J9",
        "n": [3],
    }
    with pytest.raises(KeyError):
        fill("${unknown}", names)


def test_a_pointer_finds_its_value_or_says_that_there_is_none() -> None:
    value = {"a/b": [{"~": 1}]}

    assert point(value, "/a~1b/0/~0") == 1
    assert point(value, "") == value
    for nothing in ("/a", "/a~1b/1", "/a~1b/x", "/a~1b/0/~0/deeper"):
        with pytest.raises(LookupError):
            point(value, nothing)


def test_a_scenario_that_is_not_there_is_a_mistake_of_the_command_line() -> None:
    wrong = CliRunner().invoke(cli, ["eval", "run", "nope", "--config", str(SCENARIOS.parents[1])])
    nowhere = CliRunner().invoke(cli, ["eval", "run", "nope", "--config", "no/such"])

    assert wrong.exit_code == 2
    assert "retire-a-graph" in wrong.output
    assert nowhere.exit_code == 1
    assert "--config DIR" in nowhere.output
