"""Help that shows an example for everything, options before or after the verb, one JSON document."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.main import cli

Run = Callable[..., Result]
OPENED_LATER = ("anyio", "asyncio", "mcp", "textual", "lance", "yaml", "cedarpy", "cryptography")


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


ALL = dict(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(run: Run, path: tuple[str, ...]) -> None:
    shown = run(*path, "--help")

    assert shown.exit_code == 0
    _, _, examples = shown.output.partition("Example:")
    assert f"agentctl {' '.join(path)}" in examples


def test_the_verbs_of_the_issue_are_all_there() -> None:
    """In the order of the help; a verb more or less is decided here, not come by."""
    wanted = (
        "init validate lint fmt deps plan apply reconcile rollback draft sandbox playbook changeset publish publication config policy approve tui deny "
        "approvals notify load query mutate queries graph branch schema status refresh import locks force-unlock upgrade "
        "freeze thaw state gc ops archive audit backup identity token context doctor mcp serve "
        "agent eval demo explain json-schema version"
    )

    assert tuple(wanted.split()) == tuple(path[0] for path in ALL if len(path) == 1)


def test_help_loads_nothing_that_only_some_verbs_need() -> None:
    code = (
        "import json, sys\n"
        "from agentctl.faces.cli.main import cli\n"
        "cli.main(['--help'], prog_name='agentctl', standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not loaded & set(OPENED_LATER)
    assert not {m for m in loaded if m.startswith(("agentctl.engine", "agentctl_tools"))}


def test_agentctl_alone_prints_a_short_guide(run: Run) -> None:
    shown = run()

    assert shown.exit_code == 0
    assert "agentctl init" in shown.stdout


def test_a_misspelt_verb_is_answered_with_the_near_one(run: Run) -> None:
    shown = run("aply")

    assert shown.exit_code == ExitCode.USAGE
    assert "Did you mean 'apply'?" in shown.stderr


def test_the_folder_is_named_before_the_verb_after_it_or_is_here(
    run: Run, supply: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run("--config", supply, "validate", "--json")
    after = run("validate", "--config", supply, "--json")
    inside = run("draft", "--config", supply, "list", "--json")
    monkeypatch.chdir(supply)
    here = run("validate", "--json")

    assert before.exit_code == after.exit_code == inside.exit_code == here.exit_code == 0
    assert json.loads(before.stdout) == json.loads(after.stdout)
    assert (
        json.loads(before.stdout)["resource_digests"] == json.loads(here.stdout)["resource_digests"]
    )


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (("validate",), {"ok", "config_dir", "config_file", "resource_digests", "resources"}),
        (("plan",), {"ok", "config_dir", "desired_revision", "changes", "blast_radius"}),
        (("status",), {"ok", "state_observations", "resource_statuses", "observations"}),
        (("locks",), {"locks"}),
        (("ops", "list"), {"ops"}),
        (("queries", "list"), {"queries"}),
        (("draft", "list"), {"drafts"}),
        (("graph", "list"), {"graphs"}),
        (("approvals", "list"), {"requests"}),
        (("audit", "verify"), {"ok", "length"}),
        (("audit", "export"), {"records"}),
        (("identity", "show"), {"cluster_id", "identity"}),
        (("identity", "list"), {"identities"}),
        (("doctor",), {"trust_column", "trust_line"}),
        (("version",), {"agentctl", "python"}),
        (("explain", "gate"), {"name", "about"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_json_is_one_document_on_stdout_and_nothing_else(
    run: Run, supply: Path, arguments: tuple[str, ...], fields: set[str]
) -> None:
    shown = run("--config", supply, *arguments, "--json")

    assert shown.exit_code == 0, shown.output
    assert fields <= set(json.loads(shown.stdout))
    assert shown.stderr == ""


def test_status_prints_exactly_the_fields_of_its_result(run: Run, supply: Path) -> None:
    shown = run("status", "--config", supply, "--json")

    assert list(json.loads(shown.stdout)) == [
        "ok",
        "config_dir",
        "state_observations",
        "resource_digests",
        "resource_statuses",
        "observations",
        "diagnostics",
    ]


def test_data_goes_to_stdout_and_talk_to_stderr(run: Run, supply: Path) -> None:
    shown = run("apply", "--config", supply)

    assert "done" in shown.stdout
    assert "Applying..." in shown.stderr
    assert "Applying..." not in shown.stdout


def test_as_sets_a_label_for_people_and_nothing_else(run: Run, supply: Path) -> None:
    run("apply", "--config", supply, "--as", "release robot")
    shown = json.loads(run("ops", "list", "--config", supply, "--json").stdout)
    identity = json.loads(run("--as", "x", "identity", "show", "--config", supply, "--json").stdout)

    newest = shown["ops"][0]
    assert newest["actor"]["identity"] == "release robot"
    assert newest["actor"]["nid"].startswith("z6Mk")
    assert newest["actor"]["source"] == "cli"
    assert identity["identity"]["id"] != "x"


def test_an_intent_defaults_to_the_verb_and_its_target(run: Run, supply: Path) -> None:
    run("apply", "--config", supply)
    run("refresh", "--config", supply, "-m", "look again")

    shown = json.loads(run("ops", "list", "--config", supply, "--json").stdout)
    assert [op["intent"] for op in shown["ops"]][:2] == ["look again", "apply the folder"]


def test_a_blank_intent_is_refused(run: Run, supply: Path) -> None:
    shown = run("apply", "--config", supply, "-m", "  ")

    assert shown.exit_code == ExitCode.ERRORS
    assert "intent_required" in shown.stderr
