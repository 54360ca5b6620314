"""`--json` prints one document, whatever was wrong with the command line. Source: control-plane 3.6."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from agentctl.faces.cli.exit_codes import ExitCode

Run = Callable[..., Result]
MISTAKEN = {
    "an unknown verb": (("aply", "--json"), "apply"),
    "an unknown option": (("plan", "--json", "--nope"), "--nope"),
    "an unknown option before the verb": (("--nope", "--json", "plan"), "--nope"),
    "a missing option": (("backup", "create", "--json"), "--to"),
    "a missing verb": (("--json", "draft"), "Missing command"),
    "a missing verb behind an option": (("draft", "--json"), "Missing command"),
    "options that exclude each other": (("plan", "--markdown", "--json"), "--markdown"),
    "params that are no JSON": (("query", "g.q", "--params", "{no", "--json"), "--params"),
}


@pytest.mark.parametrize("case", MISTAKEN)
def test_a_mistaken_command_line_is_told_to_machines_and_to_people(run: Run, case: str) -> None:
    arguments, word = MISTAKEN[case]

    ended = run(*arguments)

    document = json.loads(ended.stdout)
    (told,) = document["diagnostics"]
    assert ended.exit_code == ExitCode.USAGE
    assert document["ok"] is False
    assert told["code"] == "invalid_arguments"
    assert word in told["message"]
    assert told["remedy"].endswith("--help")
    assert "agentctl" in ended.stderr, "a person reads it, too"


def test_without_json_a_mistake_is_for_people_alone(run: Run) -> None:
    for arguments in (("aply",), ("audit", "verify", "--nope", "--", "--json")):
        ended = run(*arguments)

        assert ended.exit_code == ExitCode.USAGE
        assert ended.stdout == ""


def test_a_key_that_is_there_already_is_a_mistake_and_no_bug(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "supply"
    assert run("init", folder, "--no-passphrase").exit_code == ExitCode.DONE
    words = ("identity", "new", "agent:ci", "--config", folder)
    assert run(*words).exit_code == ExitCode.DONE

    again = run(*words, "--json")

    assert again.exit_code == ExitCode.USAGE
    assert "not overwritten" in json.loads(again.stdout)["diagnostics"][0]["message"]
    assert "Traceback" not in again.output
