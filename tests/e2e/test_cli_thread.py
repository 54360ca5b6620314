"""The main job from the command line, by real processes: an agent asks over MCP, a human decides."""

from pathlib import Path

import pytest

from agentctl.faces.mcp_client.client import connect
from agentctl.testing.builders import ROWS, WIDER_SCHEMA, cluster_yaml, folder_files
from agentctl.testing.shell import Shell


@pytest.mark.slow
async def test_an_agent_changes_a_real_cluster_over_mcp_and_a_human_lets_it(
    tmp_path: Path,
) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply", "spare"))
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(ROWS)
    shell.done("load", "supply", rows)
    command, *arguments = shell.argv("mcp")

    async with connect(command, arguments, env=shell.env) as agent:

        async def call(tool: str, **given: object) -> dict[str, object]:
            failed, envelope = await agent.call(tool, given)
            assert isinstance(envelope, dict)
            assert not failed, envelope
            data = envelope["data"]
            assert isinstance(data, dict)
            return data

        edited = await call("draft_edit", path="supply.pg", content=WIDER_SCHEMA)
        draft = edited["draft"]
        first = await call("apply", intent="a note", idempotency_key="1", **{"in": draft})
        found = await call("run_query", query="supply.all_packages", params={})
        removal = await call("draft_edit", path="cluster.yaml", content=cluster_yaml("supply"))
        kept = {"in": removal["draft"]}
        held = await call(
            "apply",
            intent="clean up",
            idempotency_key="2",
            without_gated=True,
            **kept,
        )
        asked = await call(
            "approve", gate="graph.spare", intent="unused", idempotency_key="3", **kept
        )

        code, page = shell.on_a_terminal(
            "approve",
            str(asked["request_id"]),
            typed=[("to approve, anything else to leave it: ", "spare")],
        )
        waited = await call("approval_wait", id=asked["request_id"], timeout_s=5)
        done = await call("apply", intent="clean up", idempotency_key="4", **kept)

    assert first["converged"]
    assert (shell.folder / "supply.pg").read_text() == WIDER_SCHEMA
    assert found["row_count"] == 2
    assert not held["converged"]
    assert code == 0, page
    assert "DELETE GRAPH" in page
    assert waited["standing"] == "approved"
    assert done["converged"]
    assert "detached" in shell.done("graph", "list")
    assert "unbroken" in shell.run("audit", "verify").stderr
    assert "clean up" in shell.done("ops", "list")


@pytest.mark.slow
def test_a_denial_closes_the_gate_and_a_mistyped_name_leaves_it_open(tmp_path: Path) -> None:
    shell = Shell(tmp_path).begun(folder_files("supply", "spare"))
    shell.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    question = "to approve, anything else to leave it: "

    mistyped, _ = shell.on_a_terminal("approve", "graph.spare", typed=[(question, "supply")])
    without_terminal = shell.run("approve", "graph.spare")
    open_still = shell.json("plan")["approvals_required"][0]
    denied, _ = shell.on_a_terminal("deny", "graph.spare", "--reason", "still read")
    after = shell.json("plan")["approvals_required"][0]

    assert mistyped == 1
    assert without_terminal.returncode != 0
    assert (open_still["standing"], open_still["satisfied"]) == ("waiting", False)
    assert denied == 0
    assert (after["standing"], after["satisfied"]) == ("denied", False)
    assert not shell.json("apply")["converged"]
