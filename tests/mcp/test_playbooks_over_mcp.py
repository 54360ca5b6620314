"""What a model may do with playbooks: only where the operator wants it, and only its own calls."""

from pathlib import Path
from typing import Any

from mcp import Client

from agentctl.faces.mcp_server.server import make_server
from agentctl_tools.entrance import Entrance
from tests.sandboxes.inside.inside_rig import names_in
from tests.sandboxes.tools.sandbox_desk import desk

ROW = '{"type": "Package", "data": {"name": "c"}}\n'
RUN = {"name": "p", "intent": "again", "idempotency_key": "k"}


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
            assert (refused["data"]["status"], refused["data"]["done"]) == ("failed", 0)
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
