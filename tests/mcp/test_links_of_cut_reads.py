"""A read whose rows do not fit a result links to all of them, at the very commit that was read."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from agentctl.engine.cluster import Cluster
from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

ROWS = 200
TEXT = "query q($n: String) { match { $p: Package $p.name >= $n } return { $p.name } }"


async def begun(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply"))
    assert (await call(cluster, bench.sarah, "apply", {"intent": "begin"})).ok
    await load(cluster, bench, "p")
    return cluster


async def load(cluster: Cluster, bench: Bench, prefix: str) -> None:
    lines = [
        json.dumps({"type": "Package", "data": {"name": f"{prefix}{n:04d}/{'x' * 60}"}})
        for n in range(ROWS)
    ]
    asked = {"graph": "supply", "rows": "\n".join(lines), "intent": "rows"}
    done = await call(cluster, bench.sarah, "load_rows", asked)
    assert done.ok, done


async def test_the_link_of_an_ad_hoc_read_gives_every_row_of_its_commit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    asked = {"graph": "supply", "query": TEXT, "params": {"n": "p"}, "limit": 1000}

    async with Client(make_server(Entrance(cluster, bench.agent))) as client:
        cut: Any = (await client.call_tool("query", asked)).structured_content
        await load(cluster, bench, "q")
        whole = await client.read_resource(cut["more"])
        with pytest.raises(MCPError, match="deadline_s"):
            await client.read_resource(cut["more"].replace("%22graph%22", "%22deadline_s%22"))

    data = cut["data"]
    assert data["cut"] is True
    assert (data["row_count"], data["rows_total"]) == (ROWS, ROWS)
    assert len(data["rows"]) < ROWS
    (page,) = whole.contents
    reply = json.loads(getattr(page, "text", ""))
    assert (len(reply["rows"]), reply["graph_commit_id"]) == (ROWS, data["graph_commit_id"])


async def test_a_text_that_is_too_long_for_a_link_is_cut_and_has_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, where="lance")
    cluster = await begun(bench)
    query = TEXT.replace("match", f"// {'y' * 3_000}\n  match")

    async with Client(make_server(Entrance(cluster, bench.agent))) as client:
        asked = {"graph": "supply", "query": query, "params": {"n": "p"}, "limit": 1000}
        cut: Any = (await client.call_tool("query", asked)).structured_content

    assert (cut["ok"], cut["more"]) == (True, None)
    assert (cut["data"]["cut"], cut["data"]["rows_total"]) == (True, ROWS)
