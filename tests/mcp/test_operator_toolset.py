"""The operator's tools: off by default, never a human's, and each through the door."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp import Client

from agentctl.engine.cluster import Cluster
from agentctl.faces.cli.main import cli
from agentctl.faces.mcp_server.projection import TOOLSETS, tool_list, tools
from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import QUERY, Bench, folder_files
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

PLAYBOOKS = [
    "playbook_create",
    "playbook_list",
    "playbook_show",
    "playbook_delete",
    "playbook_from_sandbox",
    "playbook_edit",
    "playbook_reorder",
    "playbook_run",
]
OPERATORS = ["refresh", "reconcile", "import", "locks", "force_unlock"]


async def begun(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "old"))
    done = await call(cluster, bench.sarah, "apply", {"intent": "begin"})
    assert done.ok, done
    return bench, cluster


@pytest.mark.parametrize(
    ("toolset", "added"),
    [
        ("operator", OPERATORS),
        ("commands", ["sandbox_start", "sandbox_run", "sandbox_look"]),
        ("rows", ["sandbox_merge"]),
        ("playbooks", PLAYBOOKS),
    ],
)
def test_a_toolset_adds_exactly_these(toolset: str, added: list[str]) -> None:
    more = tool_list(frozenset({toolset}))

    assert toolset in TOOLSETS
    assert [t.name for t in more if t not in tool_list()] == added
    assert len({t.name for t in more}) == len(more)


def test_what_only_a_human_may_do_is_in_no_toolset() -> None:
    for behind in tools(frozenset(TOOLSETS)).values():
        assert all(o.operation_class != "human_only" for o in behind)
    for operation in OPERATIONS.values():
        assert operation.toolset is None or operation.mcp_tool is not None


@pytest.mark.parametrize("name", [*OPERATORS, *PLAYBOOKS, "sandbox_merge"])
async def test_a_tool_of_a_toolset_that_is_off_is_no_tool(tmp_path: Path, name: str) -> None:
    bench, cluster = await begun(tmp_path)

    async with Client(make_server(Entrance(cluster, bench.agent))) as client:
        result = await client.call_tool(name, {"intent": "x"})

    told: Any = result.structured_content
    assert [d["code"] for d in told["diagnostics"]] == ["unknown_operation"]


async def test_reconcile_does_what_is_reversible_and_asks_for_the_rest(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    second = QUERY.replace("all_packages", "names")
    bench.write({**folder_files("supply"), "old.pg": None, "old.gq": None})
    bench.write({"supply.gq": f"{QUERY}\n{second}"})

    server = make_server(Entrance(cluster, bench.agent), toolsets=frozenset(TOOLSETS))
    async with Client(server) as client:
        result = await client.call_tool("reconcile", {"intent": "keep it so"})
        status = await client.call_tool("status", {})

    told: Any = result.structured_content
    standing: Any = status.structured_content
    assert told["ok"], told
    assert [w["resource"] for w in standing["data"]["waiting"]] == ["graph.old"]
    listed: Any = (await call(cluster, bench.sarah, "queries", {"graph": "supply"})).data
    assert {q.name for q in listed.queries} == {"all_packages", "names"}
    assert (await cluster.graphs.observe("old")).presence == "live"


@pytest.mark.parametrize("arguments", [{"once": False}, {"interval_s": 1}, {"ref": "main"}])
async def test_reconcile_over_mcp_ends(tmp_path: Path, arguments: dict[str, object]) -> None:
    """A call that never ends is no call: what makes it a loop is no argument here."""
    bench, cluster = await begun(tmp_path)

    server = make_server(Entrance(cluster, bench.agent), toolsets=frozenset(TOOLSETS))
    async with Client(server) as client:
        result = await client.call_tool("reconcile", {"intent": "x", **arguments})

    told: Any = result.structured_content
    assert [d["code"] for d in told["diagnostics"]] == ["invalid_arguments"]


def test_the_command_line_names_the_toolsets_there_are(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["mcp", "--config", str(tmp_path), "--toolsets", "operators"])

    assert done.exit_code == 2
    assert "operator" in done.output
