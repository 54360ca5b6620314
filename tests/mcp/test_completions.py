"""Completions of addresses and ids, from what the caller may read."""

from pathlib import Path
from typing import Any, Literal

import mcp_types as types
import pytest
from mcp import Client

from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

Mode = Literal["auto", "legacy"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_addresses_and_ids_are_completed(tmp_path: Path, mode: Mode) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "old"))
    await call(cluster, bench.sarah, "apply", {"intent": "begin"})
    bench.write({**folder_files("supply"), "old.pg": None, "old.gq": None})
    asked: Any = (
        await call(
            cluster,
            bench.agent,
            "request_approval",
            {"gate": "graph.old", "intent": "unused", "idempotency_key": "1"},
        )
    ).data
    ops: Any = (await call(cluster, bench.sarah, "ops", {})).data
    request = await cluster.approvals.find(asked.request_id)
    assert request is not None

    async with Client(make_server(Entrance(cluster, bench.agent)), mode=mode) as client:

        async def found(template: str, name: str, value: str) -> list[str]:
            ref = types.ResourceTemplateReference(type="ref/resource", uri=f"agentctl://{template}")
            done = await client.complete(ref, {"name": name, "value": value})
            return done.completion.values

        prompt = types.PromptReference(type="ref/prompt", name="agent/ask_approval")
        resources = await client.complete(prompt, {"name": "resource", "value": "graph."})
        told = {
            "graphs": await found("schema/{graph}", "graph", "s"),
            "queries": await found("rows/{query}/{params}", "query", "supply.all"),
            "ops": await found("op/{id}", "id", ""),
            "codes": await found("explain/{what}", "what", "plan_st"),
            "nothing": await found("op/{id}", "other", ""),
        }

    assert resources.completion.values == ["graph.old", "graph.supply"]
    assert told["graphs"] == ["supply"]
    assert told["queries"] == ["supply.all_packages"]
    assert set(told["ops"]) == {o.id for o in ops.ops}
    assert told["codes"][0] == "plan_stale"
    assert told["nothing"] == []


async def test_at_most_a_hundred_are_told_and_that_there_are_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    async with Client(make_server(Entrance(cluster, bench.agent))) as client:
        ref = types.ResourceTemplateReference(type="ref/resource", uri="agentctl://explain/{what}")
        done = await client.complete(ref, {"name": "what", "value": ""})

    assert len(done.completion.values) == 100
    assert done.completion.has_more
    assert (done.completion.total or 0) > 200
