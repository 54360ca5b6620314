"""What waits for a human and for how long an answer holds, by real processes on a real disk."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentctl.faces.mcp_client.client import connect
from agentctl.testing.builders import QUERY, SCHEMA, cluster_yaml, folder_files
from agentctl.testing.shell import AUDIT, Shell

POLICIES = "policies:\n  base:\n    file: base.yaml\n    applies_to: [supply]\n"
REBOUND = POLICIES.replace("[supply]", "[supply, spare]")
POLICY = "version: 1\n"
WIDER = """\
version: 1
groups: { team: [act-bob] }
rules:
  - id: branches
    allow: { actors: {group: team}, actions: [schema_apply], target_branch_scope: any }
"""
QUESTION = "to approve, anything else to leave it: "


def gates(shell: Shell, *target: str) -> dict[str, str]:
    """What waits, and how it stands."""
    plan = shell.json("plan", *target)
    assert plan["ok"], plan["diagnostics"]
    return {n["resource"]: n.get("standing", "none") for n in plan["approvals_required"]}


def classes(shell: Shell, resource: str) -> list[str]:
    (change,) = [c for c in shell.json("plan")["changes"] if c["resource"] == resource]
    found = change["classes"]
    assert isinstance(found, list)
    return found


def approve(shell: Shell, resource: str) -> None:
    name = resource.partition(".")[2]
    code, received = shell.on_a_terminal("approve", resource, typed=[(QUESTION, name)])
    assert code == 0, received


def draft_of(shell: Shell, path: str, text: str, draft: str | None = None) -> tuple[str, int]:
    """Edits a draft; returns its id and the exit code."""
    source = shell.root / "edited"
    source.write_text(text, encoding="utf-8")
    more = ["--draft", draft] if draft else []
    ended = shell.run("draft", "edit", path, "--from", source, *more)
    return (ended.stdout.split() or [""])[0], ended.returncode


@pytest.fixture
def governed(shell: Shell) -> Shell:
    """The cluster with a policy applied, which is its first."""
    shell.write({"cluster.yaml": cluster_yaml("supply", "spare", policies=POLICIES)})
    shell.write({"base.yaml": POLICY})
    assert gates(shell) == {}, "the first policy of a cluster goes through"
    applied = shell.json("apply")
    assert applied["converged"], applied
    return shell


@pytest.mark.slow
def test_deleting_the_policies_waits_for_a_human_in_the_folder_and_in_a_draft(
    governed: Shell,
) -> None:
    without = cluster_yaml("supply", "spare")
    draft, _ = draft_of(governed, "cluster.yaml", without)
    assert gates(governed, "--draft", draft) == {"policy.base": "none"}

    governed.write({"cluster.yaml": without})
    applied = governed.json("apply")

    assert classes(governed, "policy.base") == ["authority"]
    assert not applied["converged"]
    assert governed.run("apply", "--require-converged").returncode == 6
    assert "policy.base" in governed.json("status")["resource_digests"]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["update", "rebinding", "a second one"])
def test_every_later_change_that_widens_or_rebinds_waits(governed: Shell, change: str) -> None:
    """Source: control-plane 3.3."""
    files = {
        "update": {"base.yaml": WIDER},
        "rebinding": {"cluster.yaml": cluster_yaml("supply", "spare", policies=REBOUND)},
        "a second one": {
            "cluster.yaml": cluster_yaml(
                "supply",
                "spare",
                policies=POLICIES + "  more:\n    file: more.yaml\n    applies_to: [spare]\n",
            ),
            "more.yaml": WIDER,
        },
    }
    governed.write(files[change])

    assert set(gates(governed).values()) == {"none"}
    assert not governed.json("apply")["converged"]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["a comment", "a second one that takes away"])
def test_a_change_of_policies_that_lets_nobody_do_more_goes_through(
    governed: Shell, change: str
) -> None:
    second = POLICIES + "  more:\n    file: base.yaml\n    applies_to: [spare]\n"
    files = {
        "a comment": {"base.yaml": "version: 1\n# as ever\n"},
        "a second one that takes away": {
            "cluster.yaml": cluster_yaml("supply", "spare", policies=second)
        },
    }
    governed.write(files[change])

    assert gates(governed) == {}
    assert governed.json("apply")["converged"]


@pytest.mark.slow
def test_an_approval_outlives_what_does_not_concern_it_and_then_opens_its_gate_once(
    removing: Shell,
) -> None:
    approve(removing, "graph.spare")
    recorded = len(list((removing.folder / AUDIT).iterdir()))
    assert recorded, "its own audit record is there"
    removing.done("refresh")
    more = removing.root / "more.ndjson"
    more.write_text('{"type": "Package", "data": {"name": "z"}}\n')
    removing.done("load", "supply", more)
    removing.write({"supply.gq": QUERY.replace("all_packages", "every_package")})
    draft, _ = draft_of(removing, "supply.pg", SCHEMA + "\nnode Extra {\n  name: String @key\n}\n")
    removing.done("apply", "--draft", draft, "--as", "somebody else")

    graph = removing.json("graph", "list")

    assert "detached" in json.dumps(graph)
    assert "every_package" in json.dumps(removing.json("queries", "list"))
    assert removing.json("apply")["converged"]


@pytest.mark.slow
def test_an_approval_dies_with_the_rows_that_came_after_it_and_names_them(removing: Shell) -> None:
    approve(removing, "graph.spare")
    more = removing.root / "more.ndjson"
    more.write_text(
        "".join(f'{{"type": "Package", "data": {{"name": "n{n}"}}}}\n' for n in range(101))
    )
    removing.done("load", "spare", more)

    applied = removing.json("apply")
    shown = removing.run("apply", "--require-converged")

    assert gates(removing) == {"graph.spare": "stale"}
    told = [d for d in applied["diagnostics"] if d["code"] == "approval_stale"]
    assert told[0]["path"] == "graph.spare"
    assert "rows" in told[0]["detail"]
    assert "2 -> 103" in told[0]["detail"]
    assert shown.returncode == 6
    assert (removing.folder / "graphs" / "spare.omni").is_dir()
    assert "detached" not in json.dumps(removing.json("graph", "list"))


@pytest.mark.slow
def test_an_approval_dies_with_the_graph_it_was_given_for(removing: Shell) -> None:
    """Consent to delete one graph is none to delete another that got its name meanwhile."""
    approve(removing, "graph.spare")
    shutil.rmtree(removing.folder / "graphs" / "spare.omni")
    removing.write(folder_files("supply", "spare"))
    removing.run("refresh")
    approve(removing, "graph.spare")
    assert removing.json("apply")["converged"], "a human let it be made again"
    removing.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})

    applied = removing.json("apply")

    assert not applied["converged"]
    assert gates(removing) == {"graph.spare": "stale"}
    told = [d for d in applied["diagnostics"] if d["code"] == "approval_stale"]
    assert "incarnation" in told[0]["detail"]
    assert (removing.folder / "graphs" / "spare.omni").is_dir()


@pytest.mark.slow
def test_an_approval_means_nothing_in_another_cluster_with_the_same_resources(
    removing: Shell, tmp_path: Path
) -> None:
    """Same person, same key, same folder, same rows: another cluster."""
    other = Shell(tmp_path / "other")
    shutil.copytree(removing.home, other.home, dirs_exist_ok=True)
    other.begun(folder_files("supply", "spare"))
    other.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    approve(removing, "graph.spare")
    assert gates(removing) == {"graph.spare": "approved"}

    shutil.copytree(
        removing.folder / "__cluster" / "approvals", other.folder / "__cluster" / "approvals"
    )
    (decided,) = [
        p for p in (other.folder / "__cluster" / "approvals").iterdir() if p.name.count(".") == 1
    ]
    handed_in = other.run("approvals", "submit", decided)

    assert gates(other) == {"graph.spare": "none"}
    assert handed_in.returncode != 0
    assert not other.json("apply")["converged"]


def _storage(where: str) -> str:
    return cluster_yaml("supply", "spare", more=f"storage: {where}")


@pytest.mark.slow
def test_a_configuration_cannot_move_the_storage(shell: Shell, tmp_path: Path) -> None:
    tried = (AUDIT, "sandboxes/", "__cluster/leases/", "cluster.yaml")
    before = shell.digests(without=tried)
    elsewhere = str(tmp_path / "elsewhere")
    draft, edited = draft_of(shell, "cluster.yaml", _storage(elsewhere))
    ends = {"edit": edited}
    for verb in ("validate", "plan", "apply"):
        ended = shell.run(verb, "--draft", draft) if draft else None
        if ended is not None and verb != "validate":
            ends[verb] = ended.returncode
            assert "storage_root_moved" in ended.stderr
    shell.write({"cluster.yaml": _storage(elsewhere)})
    for verb in ("plan", "apply", "status", "mcp"):
        ended = shell.run(verb)
        ends[f"folder {verb}"] = ended.returncode
        assert "storage_root_moved" in ended.stderr

    assert {k: v for k, v in ends.items() if k != "edit"} == dict.fromkeys(
        (k for k in ends if k != "edit"), 3
    )
    assert not (tmp_path / "elsewhere").exists()
    assert shell.digests(without=tried) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["../escape.gq", "/tmp/escape.gq", "a/../../escape.gq", ".git/hooks/pre-commit", ".env",
     "q/.hidden.gq", "__cluster/state.json", "graphs/spare.omni/format.json"],
)  # fmt: skip
def test_a_draft_holds_configuration_and_nothing_else(shell: Shell, path: str) -> None:
    before = shell.digests(without=(AUDIT,))

    draft, code = draft_of(shell, path, "x")

    assert (draft, code) == ("", 3)
    after = shell.digests(without=(AUDIT, "sandboxes/"))
    assert after == before


@pytest.mark.slow
def test_an_applied_draft_is_in_the_folder(shell: Shell) -> None:
    wider = QUERY.replace("all_packages", "every_package")
    draft, _ = draft_of(shell, "supply.gq", wider)
    assert (shell.folder / "supply.gq").read_text() == QUERY

    shell.done("apply", "--draft", draft)

    status: Any = shell.json("status")
    assert (shell.folder / "supply.gq").read_text() == wider
    assert status["ok"]
    assert status["diagnostics"] == []
    assert shell.json("plan")["changes"] == []
    assert not list((shell.folder / "__cluster" / "homecoming").glob("*.json"))


@pytest.mark.slow
async def test_an_agent_does_not_read_through_a_link_out_of_the_folder(shell: Shell) -> None:
    """The operator's own process may; what comes over MCP is confined."""
    secret = shell.root / "secret.pg"
    secret.write_text(SCHEMA + "\nnode TopSecret {\n  name: String @key\n}\n")
    (shell.folder / "supply.pg").unlink()
    (shell.folder / "supply.pg").symlink_to(secret)
    command, *arguments = shell.argv("mcp")

    async with connect(command, arguments, env=shell.env) as agent:
        answers = [
            await agent.call(tool, given)
            for tool, given in (
                ("validate", {}),
                ("plan", {}),
                ("config_read", {"path": "supply.pg"}),
                ("apply", {"intent": "x", "idempotency_key": "1", "in": "cluster"}),
            )
        ]

    assert shell.run("validate").returncode == 0
    for failed, envelope in answers:
        assert "TopSecret" not in json.dumps(envelope), envelope
        assert failed, envelope
        told = json.dumps(envelope)
        assert "path_outside_folder" in told or "path_not_config" in told
