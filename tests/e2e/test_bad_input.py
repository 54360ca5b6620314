"""Bad input at the real command line: a diagnostic with place and remedy, the right end, nothing changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.testing.builders import QUERY, SCHEMA, cluster_yaml, folder_files
from agentctl.testing.shell import AUDIT, Shell

ATTEMPTS = (AUDIT, "__cluster/leases/", "graphs/supply.omni/leases/", "ops/")
"""That somebody tried is recorded, and that they held a lease meanwhile; nothing else may change."""


@pytest.fixture(scope="module")
def _founded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("founded")).begun(folder_files("supply"))


@pytest.fixture
def shell(_founded: Shell, tmp_path: Path) -> Shell:
    return _founded.copied(tmp_path / "user")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a command told about a mistake."""

    exit_code: int
    diagnostics: list[dict[str, Any]]
    text: str


def told(shell: Shell, *arguments: str | Path) -> Told:
    """Runs a command twice, for people and for machines, and sees that nothing changed."""
    before = shell.digests(without=ATTEMPTS)
    ended = shell.run(*arguments)
    machine = shell.run(*arguments, "--json")
    assert shell.digests(without=ATTEMPTS) == before, "nothing changed on disk"
    assert machine.returncode == ended.returncode
    assert "Traceback" not in ended.stderr
    document = json.loads(machine.stdout) if machine.stdout else {}
    return Told(
        exit_code=ended.returncode,
        diagnostics=document.get("report", document).get("diagnostics", []),
        text=ended.stderr,
    )


def the_error(found: Told) -> dict[str, Any]:
    errors = [d for d in found.diagnostics if d["severity"] == "error"]
    assert errors, found
    for one in errors:
        assert f"error[{one['code']}" in found.text
    return errors[0]


PARAMS = "query all_packages($name: String, $n: I64?) {\n  match { $p: Package { name: $name } }\n  return { $p.name }\n}\n"
FILES: dict[str, tuple[dict[str, str | None], str, str, int | None, str]] = {
    "a missing cluster.yaml": (
        {"cluster.yaml": None}, "cluster_config_read_error", "cluster.yaml", None, "init",
    ),
    "a missing schema file": ({"supply.pg": None}, "schema_file_missing", "supply.pg", None, ""),
    "a missing query file": ({"supply.gq": None}, "query_file_missing", "supply.gq", None, ""),
    "a tab in YAML": (
        {"cluster.yaml": "version: 1\ngraphs:\n\tsupply: {}\n"},
        "invalid_cluster_yaml", "cluster.yaml", 3, "space",
    ),
    "a duplicate key": (
        {"cluster.yaml": cluster_yaml("supply") + "version: 1\n"},
        "duplicate_yaml_key", "cluster.yaml", 8, "",
    ),
    "an unknown field with a near miss": (
        {"cluster.yaml": cluster_yaml("supply").replace("schema:", "shema:")},
        "invalid_cluster_yaml", "cluster.yaml", 5, "schema",
    ),
    "a type error in a query": (
        {"supply.gq": QUERY.replace("$p.version }", "$p.versoin }")},
        "query_typecheck_error", "supply.gq", 3, "version",
    ),
    "a syntax error in a query": (
        {"supply.gq": "query all_packages( {\n"}, "query_parse_error", "supply.gq", 1, "",
    ),
    "an unknown type in a schema": (
        {"supply.pg": SCHEMA.replace("String?", "Strng?", 1)},
        "schema_parse_error", "supply.pg", 3, "String",
    ),
    "a policy for a graph that is not there": (
        {
            "cluster.yaml": cluster_yaml(
                "supply",
                policies="policies:\n  p:\n    file: p.yaml\n    applies_to: [suply]",
            ),
            "p.yaml": "version: 1\n",
        },
        "dangling_graph_reference", "cluster.yaml", 11, "supply",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", FILES)
def test_a_mistake_in_the_folder_is_told_with_its_place(shell: Shell, case: str) -> None:
    files, code, file, line, remedy = FILES[case]
    shell.write(files)

    for verb in ("validate", "plan", "apply"):
        found = told(shell, verb)
        first = the_error(found)

        assert found.exit_code == 1, found
        assert first["code"] == code
        where = first.get("where", {})
        assert file in (where.get("file"), Path(first["path"]).name) or line is None, first
        if line is not None:
            assert where["line"] == line, first
            assert f"{file}:{line}" in found.text
        assert file in found.text
        assert remedy in first.get("remedy", "") + first["message"], first


def _lines(text: str) -> Callable[[Shell], list[str]]:
    def make(shell: Shell) -> list[str]:
        rows = shell.root / "rows.ndjson"
        rows.write_text(text)
        return ["load", "supply", str(rows)]

    return make


def _edit(path: str) -> Callable[[Shell], list[str]]:
    def make(shell: Shell) -> list[str]:
        source = shell.root / "source"
        source.write_text("x")
        return ["draft", "edit", path, "--from", str(source)]

    return make


GOOD = '{"type": "Package", "data": {"name": "a"}}\n'
ULID = "01J90000000000000000000000"
CALLS: dict[str, tuple[Callable[[Shell], list[str]] | tuple[str, ...], int, str, str]] = {
    "an edit outside the folder": (_edit("../x.gq"), 3, "path_not_config", "../x.gq"),
    "an edit of a hidden file": (_edit(".git/config"), 3, "path_not_config", ".git/config"),
    "an edit of state": (_edit("__cluster/state.json"), 3, "path_not_config", "__cluster"),
    "a missing param": (("query", "supply.all_packages"), 1, "param_missing", "name"),
    "an unknown param": (
        ("query", "supply.all_packages", "--params", '{"name": "a", "m": 1}'), 1, "param_unknown", "m",
    ),
    "an ill-typed param": (
        ("query", "supply.all_packages", "--params", '{"name": 1}'), 1, "param_invalid", "name",
    ),
    "an unknown query": (("query", "supply.al_packages"), 1, "query_not_found", "all_packages"),
    "a line that is no JSON": (_lines(GOOD + "nope\n"), 1, "load_line_invalid", ":2"),
    "a line of an unknown type": (
        _lines(GOOD + GOOD.replace("Package", "Pakage")), 1, "load_line_invalid", ":2",
    ),
    "a line without its key": (
        _lines('{"type": "Package", "data": {}}\n'), 1, "load_value_invalid", "name",
    ),
    "an edge to nowhere": (
        _lines('{"edge": "DependsOn", "from": "a", "to": "b", "data": {}}\n'), 1, "load", "a",
    ),
    "a missing file of rows": (("load", "supply", "none.ndjson"), 1, "load_file_missing", "none"),
    "a graph that is not there": (("graph", "show", "suply"), 1, "graph_not_found", "supply"),
    "an unknown lock": (("force-unlock", ULID), 1, "state_lock_missing", "lease"),
    "an unknown draft": (("plan", "--draft", ULID), 1, "draft_not_found", ULID),
    "an unknown request": (("approve", ULID), 1, "approval_not_found", ULID),
    "an unknown plan": (("apply", "0" * 64), 1, "plan_not_found", "0000"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CALLS)
def test_a_mistaken_call_is_told_and_changes_nothing(shell: Shell, case: str) -> None:
    made, exit_code, code, word = CALLS[case]
    shell.write({"supply.gq": PARAMS})
    shell.done("apply")
    arguments = made(shell) if callable(made) else list(made)

    found = told(shell, *arguments)
    first = the_error(found)

    assert found.exit_code == exit_code, found
    assert first["code"].startswith(code), first
    assert word in found.text
    assert first.get("remedy") or arguments[0] == "load", "a line says itself what it lacks"


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "params that are no JSON": (("query", "supply.q", "--params", "{no"), "--params"),
    "params that are no object": (("query", "supply.q", "--params", "[1]"), "--params"),
    "an unknown verb": (("aply",), "apply"),
    "an unknown option": (("plan", "--jsn"), "--json"),
    "a missing argument": (("query",), "GRAPH.NAME"),
    "a plan file that is not there": (("apply", "no-plan.json"), "no-plan.json"),
    "a mode that is none": (("load", "supply", "x", "--mode", "mend"), "merge"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", USAGE)
def test_a_command_line_that_is_none_is_a_usage_error(shell: Shell, case: str) -> None:
    arguments, word = USAGE[case]
    before = shell.digests()

    ended = shell.run(*arguments)

    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    assert word in ended.stderr
    assert shell.digests() == before


@pytest.mark.slow
def test_a_folder_that_is_not_there_is_told_with_what_makes_one(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    for verb in ("validate", "plan", "apply", "status"):
        ended = shell.run(verb)

        assert ended.returncode == 1
        assert "config_dir_not_found" in ended.stderr
        assert f"agentctl init {shell.folder}" in ended.stderr
        assert not shell.folder.exists()


@pytest.mark.slow
def test_a_stale_plan_is_a_lost_race_and_names_what_moved(shell: Shell) -> None:
    shell.write({"supply.gq": QUERY.replace("all_packages", "every_package")})
    plan = shell.root / "plan.json"
    shell.done("plan", "--out", plan)
    shell.write({"supply.gq": QUERY.replace("all_packages", "no_package")})
    by_id = shell.json("plan")

    found = told(shell, "apply", plan)
    first = the_error(found)

    assert by_id["ok"]
    assert found.exit_code == 4
    assert first["code"] == "plan_stale"
    assert "every_package" in found.text
    assert first.get("remedy"), first
