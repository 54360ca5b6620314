"""What a model may do with playbooks: only where the operator wants it, and only its own calls."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mcp import Client

from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import WIDER_SCHEMA
from agentctl_tools.entrance import Entrance
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk

ROW = '{"type": "Package", "data": {"name": "c"}}\n'
RUN = {"name": "p", "intent": "again", "idempotency_key": "k"}
SLOW = {"query": "query q() { match { $p: Package } return { $p.name } }", "graph": "supply"}
NOT_HERE = [
    ("query", {**SLOW, "deadline_s": 3600}, "invalid_arguments"),
    ("run_query", {"query": "supply.all_packages", "memory_bytes": 1 << 21}, "invalid_arguments"),
    ("mutate", {"query": "supply.add", "wait_s": 600}, "invalid_arguments"),
    ("locks", {}, "unknown_operation"),
    ("graph_list", {}, "unknown_operation"),
    ("load_rows", {"graph": "supply", "rows": ROW}, "unknown_operation"),
]
"""What a client cannot call of a server with playbooks alone."""
Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]


@asynccontextmanager
async def asking(at: Desk, *toolsets: str) -> AsyncIterator[Ask]:
    """Gives the calls of a client of a server with these toolsets."""
    offered = frozenset(toolsets)
    door = Entrance(at.cluster, at.bench.agent, toolsets=offered)
    async with Client(make_server(door, toolsets=offered)) as client:

        async def ask(tool: str, arguments: dict[str, Any]) -> Any:
            return (await client.call_tool(tool, arguments)).structured_content

        yield ask


def codes_of(told: Any) -> list[str]:
    return [d["code"] for d in told["diagnostics"]]


async def test_a_run_makes_no_call_that_is_no_tool(tmp_path: Path) -> None:
    """`load_rows` is none: what a model cannot call, it cannot have called by a playbook."""
    async with desk(tmp_path) as at:
        server = make_server(
            Entrance(at.cluster, at.bench.agent), toolsets=frozenset({"playbooks"})
        )
        async with Client(server) as client:

            async def ask(tool: str, arguments: dict[str, Any]) -> Any:
                return (await client.call_tool(tool, arguments)).structured_content

            opened = await ask("sandbox_open", {})
            box = opened["data"]["sandbox"]
            await ask("sandbox_write", {"in": box, "graph": "supply", "rows": ROW})
            made = await ask("playbook_from_sandbox", {"in": box, "name": "p"})
            inside = await ask("playbook_run", {**RUN, "in": box})
            real = await ask("playbook_run", {**RUN, "idempotency_key": "r"})

        assert [task["module"] for task in made["data"]["tasks"]] == ["load_rows"]
        for refused in (inside, real):
            assert [d["code"] for d in refused["diagnostics"]] == ["unknown_operation"]
            assert refused["summary"] == "No task was begun."
        assert await names_in(at.cluster, "supply") == ["a", "b"]


async def test_a_run_needs_a_key_and_the_same_key_is_the_same_run(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        server = make_server(
            Entrance(at.cluster, at.bench.agent), toolsets=frozenset({"playbooks"})
        )
        async with Client(server) as client:

            async def ask(tool: str, arguments: dict[str, Any]) -> Any:
                return (await client.call_tool(tool, arguments)).structured_content

            await ask("playbook_create", {"name": "p"})
            task = {"name": "p", "change": "add", "module": "validate"}
            await ask("playbook_edit", task)
            without = await ask("playbook_run", {"name": "p", "intent": "again"})
            first = await ask("playbook_run", RUN)
            second = await ask("playbook_run", RUN)
            shown = await ask("playbook_show", {"name": "p"})

        assert [d["code"] for d in without["diagnostics"]] == ["idempotency_key_required"]
        assert first["data"]["status"] == "done"
        assert second["data"]["run"] == first["data"]["run"]
        assert len(shown["data"]["runs"]) == 1


async def test_no_task_is_written_that_is_no_call_of_the_server(tmp_path: Path) -> None:
    async with desk(tmp_path) as at, asking(at, "playbooks") as ask:
        await ask("playbook_create", {"name": "p"})
        add = {"name": "p", "change": "add"}
        first = await ask("playbook_edit", {**add, "module": "validate"})
        task = first["data"]["tasks"][0]["id"]
        change = {"name": "p", "change": "update", "task": task}
        for module, params, code in NOT_HERE:
            for edit in (add, change):
                told = await ask("playbook_edit", {**edit, "module": module, "params": params})
                assert codes_of(told) == [code], (module, edit["change"])
        shown = await ask("playbook_show", {"name": "p"})

        assert [task["module"] for task in shown["data"]["tasks"]] == ["validate"]


@pytest.mark.parametrize(("module", "params", "code"), NOT_HERE)
async def test_no_task_is_run_that_is_no_call_of_the_server_whoever_wrote_it(
    tmp_path: Path, module: str, params: dict[str, object], code: str
) -> None:
    async with desk(tmp_path) as at, asking(at, "playbooks") as ask:
        await at.must("playbook_create", name="p")
        for task, given in (("validate", {}), (module, params)):
            await at.must("playbook_edit", name="p", change="add", module=task, params=given)

        told = await ask("playbook_run", RUN)

        assert (codes_of(told), told["summary"]) == ([code], "No task was begun.")
        assert (await at.must("playbook_show", name="p")).runs == ()


async def test_a_toolset_of_the_server_is_one_of_its_playbooks_too(tmp_path: Path) -> None:
    async with desk(tmp_path) as at, asking(at, "playbooks", "operator") as ask:
        await ask("playbook_create", {"name": "p"})
        edited = await ask("playbook_edit", {"name": "p", "change": "add", "module": "locks"})
        ran = await ask("playbook_run", RUN)

        assert edited["ok"], edited
        assert ran["data"]["status"] == "done"


async def test_a_run_begun_elsewhere_does_not_go_on_with_what_is_no_call_of_the_server(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at, asking(at, "playbooks") as ask:
        await at.must("playbook_create", name="p")
        failing = {"path": "supply.pg", "old": "none of it", "new": "x"}
        for task, given in (("locks", {}), ("draft_edit", failing), ("locks", {})):
            await at.must("playbook_edit", name="p", change="add", module=task, params=given)
        begun = await at.ask("playbook_run", name="p", intent="again")
        run: Any = begun.data

        told = await ask("playbook_run", {**RUN, "resume": run.run})

        assert (run.status, run.done, run.by) == ("failed", 1, at.bench.agent.id)
        assert (codes_of(told), told["data"]) == (["unknown_operation"], None)


async def test_what_was_done_in_a_sandbox_with_its_defaults_is_run_by_a_client(
    tmp_path: Path,
) -> None:
    """The history has every argument of an apply, also those that only the command line has."""
    async with desk(tmp_path) as at, asking(at, "playbooks") as ask:
        box = (await at.must("sandbox_open", name="try")).sandbox
        await at.must("draft_edit", in_=box, path="supply.pg", content=WIDER_SCHEMA)
        await at.must("apply", in_=box, intent="try")
        made = await at.must("playbook_from_sandbox", in_=box, name="p")

        ran = await ask("playbook_run", RUN)

        assert "wait_s" in msgspec.to_builtins(made.tasks[1].params)
        assert (ran["data"]["status"], ran["data"]["done"]) == ("done", 2)
