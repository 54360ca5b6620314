"""Nothing reaches the engine but through the one door. Source: access-and-faces 3.2."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agentctl.faces.cli.main import cli
from agentctl.faces.cli.verbs import LOCAL, VERBS
from agentctl.faces.mcp_server.projection import tools
from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS
from agentctl_tools.projections import http_operations

ROOT = Path(__file__).parents[2]
FACES = ("agentctl/faces", "tui", "evals")
BELOW = ("agentctl.engine", "agentctl.graph", "agentctl.adapters")
COMPOSITION_ROOT = "agentctl/faces/cli/compose.py"
COLLABORATORS = {
    "store",
    "home",
    "graphs",
    "ledger",
    "leases",
    "audit",
    "journal",
    "keys",
    "principals",
    "approvals",
    "drafts",
    "freezes",
    "catalog",
}
"""Attributes of a `Cluster` that a face has no business with."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for drawer in FACES:
        for path in sorted((ROOT / drawer).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


needs_checkout = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="runs in a checkout, not beside a wheel"
)


@needs_checkout
def test_only_the_composition_root_of_the_faces_knows_the_engine() -> None:
    reaching = [
        f"{path} imports {module}"
        for path, tree in sources()
        for module in imported(tree)
        if path != COMPOSITION_ROOT and module.startswith(BELOW)
    ]

    assert reaching == []


@needs_checkout
def test_no_face_takes_a_collaborator_out_of_an_opened_cluster() -> None:
    reaching = [
        f"{path}:{node.lineno} cluster.{node.attr}"
        for path, tree in sources()
        if path != COMPOSITION_ROOT
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in COLLABORATORS
        and isinstance(node.value, ast.Name | ast.Attribute)
        and ast.unparse(node.value).split(".")[-1] == "cluster"
    ]

    assert reaching == []


def test_every_verb_is_a_projection_of_the_registry_or_stands_in_the_one_list_of_local_verbs() -> (
    None
):
    for verb in VERBS.values():
        assert bool(verb.operations) != (verb.name in LOCAL), verb.name
        assert set(verb.operations) <= set(OPERATIONS), verb.name
    assert set(VERBS) >= LOCAL


def test_every_verb_can_be_loaded_and_bears_its_own_name() -> None:
    context = click.Context(cli)

    for name in VERBS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_every_tool_is_a_projection_of_the_registry_under_the_name_it_declares() -> None:
    for tool, operations in tools().items():
        for operation in operations:
            assert OPERATIONS[operation.name] is operation
            assert operation.mcp_tool == tool


def test_every_operation_has_a_projection() -> None:
    """What nobody can call is no operation of the runtime."""
    called = {name for verb in VERBS.values() for name in verb.operations}
    called |= {o.name for o in OPERATIONS.values() if o.mcp_tool is not None}
    called |= {o.name for o in http_operations()}
    behind_resources = {"plan_show"}

    assert set(OPERATIONS) - called - behind_resources == set()


def test_consent_has_no_projection_over_mcp() -> None:
    for operation in OPERATIONS.values():
        if operation.operation_class == "human_only":
            assert operation.mcp_tool is None
    assert set(tools()) & set(CONSENT_WORDS) == {"approve"}
    assert {o.name for o in tools()["approve"]} == {"request_approval", "submit_decision"}
