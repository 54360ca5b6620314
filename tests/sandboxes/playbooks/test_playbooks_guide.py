"""docs/guides/playbooks.md is followed literally, at the command line, in a new cluster."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.main import cli

Run = Callable[..., Result]
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "playbooks.md"

needs_guide = pytest.mark.skipif(
    not GUIDE.exists(), reason="runs in a checkout, not beside a wheel"
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a new folder, its home beside it."""
    home, folder = tmp_path / "home", tmp_path / "supply"
    home.mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments), prog_name="agentctl")

    assert invoke("init", str(folder), "--no-passphrase").exit_code == 0
    monkeypatch.chdir(folder)
    assert invoke("apply").exit_code == 0
    row = '{"type": "Package", "data": {"name": "yaml"}}\n'
    (folder / "rows.ndjson").write_text(row, encoding="utf-8")
    return invoke


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def as_json(run: Run, *arguments: str) -> Any:
    shown = run(*arguments, "--json")
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)


@needs_guide
def test_the_guide_is_followed_from_its_beginning_to_its_end(run: Run) -> None:
    (example,) = blocks("yaml")
    ended: dict[str, str] = {}
    names: dict[str, str] = {}
    for line in "".join(blocks("sh")).splitlines():
        for name, task in names.items():
            line = line.replace(name, task)  # noqa: PLW2901  # the reader's own ids
        program, *arguments = shlex.split(line)
        assert program == "agentctl"
        shown = run(*arguments)
        assert shown.exit_code == 0, (line, shown.output)
        ended[" ".join(arguments[:3])] = shown.stdout
        if arguments[:2] == ["playbook", "edit"] and "--add" in arguments:
            tasks = as_json(run, "playbook", "show", "rows")["tasks"]
            names = {"$FIRST": tasks[0]["id"], "$LAST": tasks[-1]["id"]}

    assert yaml.safe_load(example) == yaml.safe_load(ended["playbook show rows"])
    assert "done, 1 of 1 done" in ended["playbook run rows"]
    assert "by" in ended["playbook list"]
    assert as_json(run, "playbook", "list") == {"playbooks": []}


def test_a_run_that_waits_ends_with_its_own_code_and_one_that_failed_tells_why(run: Run) -> None:
    changed = Path("cluster.yaml").read_text(encoding="utf-8").partition("graphs:")[0]
    made = ("playbook", "edit", "p", "--add")
    assert run("playbook", "create", "p", "--only-sandboxes").exit_code == 0
    assert run(*made, "apply").exit_code == 0
    refused = run("playbook", "run", "p")
    assert "playbook_task_refused" in refused.output
    assert run("playbook", "delete", "p").exit_code == 0
    assert run("playbook", "create", "p").exit_code == 0
    edit = json.dumps({"path": "cluster.yaml", "content": changed})
    assert run(*made, "draft_edit", "--params", edit).exit_code == 0
    assert run(*made, "apply").exit_code == 0

    waiting = run("playbook", "run", "p")

    assert waiting.exit_code == ExitCode.WAITING, waiting.output
    known = as_json(run, "playbook", "show", "p")["runs"][0]
    assert (known["status"], known["done"]) == ("waiting", 1)
    assert f"--resume {known['run']}" in waiting.stdout
    assert run("playbook", "edit", "p").exit_code == ExitCode.USAGE
