"""The composition root is handed in by a test's own process, and by nothing else."""

import ast
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.faces.cli.compose import make_graphs
from agentctl_tools.absent_graphs import AbsentGraphs

Run = Callable[..., Result]
CHILD = Path(__file__).with_name("dying_load.py")


@pytest.mark.slow
@pytest.mark.parametrize("write", [1, 4, 9])
def test_a_command_killed_at_a_write_is_finished_by_the_next_one(
    run: Run, supply: Path, write: int
) -> None:
    died = subprocess.run(
        [sys.executable, str(CHILD), str(write), "apply", "--config", str(supply)],
        capture_output=True,
        check=False,
    )

    again = run("apply", "--config", supply, "--wait", "30")
    plan = run("plan", "--config", supply, "--exit-code")

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert again.exit_code == 0, again.output
    assert plan.exit_code == 0, plan.output


def test_no_flag_and_no_variable_of_the_product_wraps_a_store() -> None:
    import agentctl.faces.cli.compose as root

    faces = Path(root.__file__).parents[1]
    wrapping = {
        path.relative_to(faces).as_posix()
        for path in faces.rglob("*.py")
        if "wrap_store" in path.read_text(encoding="utf-8")
    }
    touching = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(Path(root.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and "wrap_store" in ast.unparse(node)
    ]

    assert wrapping == {"cli/compose.py"}
    assert touching
    assert not [function for function in touching if "environ" in function or "argv" in function]


def test_the_environment_says_where_a_store_is_and_never_whether_it_is_another(
    run: Run, supply: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "--config", supply)
    plain = json.loads(run("status", "--config", supply, "--json").stdout)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AGENTCTL_WRAP_STORE", "agentctl.testing.faults")

    told = json.loads(run("status", "--config", supply, "--json").stdout)

    assert told == plain


def test_without_the_graph_engine_everything_says_the_one_line_to_install(
    run: Run, supply: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "--config", supply)
    monkeypatch.setattr("agentctl.faces.cli.compose.make_graphs", lambda s: AbsentGraphs(s.uri))

    asked = run("query", "supply.impact", "--params", '{"name":"x"}', "--config", supply)
    plan = run("plan", "--config", supply)
    status = run("status", "--config", supply, "--json")

    assert make_graphs is not None
    assert asked.exit_code == 1
    assert "pip install 'agentctl[graph]'" in asked.stderr
    assert plan.exit_code == 0, plan.output
    assert json.loads(status.stdout)["ok"]
