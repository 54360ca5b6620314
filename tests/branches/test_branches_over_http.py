"""Branches, merges, feeds and exports over HTTP, in the forms of OmniGraph 0.10."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from agentctl.domain.policy.tokens import TokenRecord, cluster_audience
from agentctl.engine import history_of_graphs
from agentctl.engine.tokens import Tokens
from agentctl.faces.http.app import make_server
from agentctl.faces.http.line_stream import CutOffError
from agentctl.faces.http.service import Service
from agentctl.graph.refusals import corrupt
from agentctl.instants import format_instant
from agentctl_tools.serving import Premises
from tests.branches.branches_rig import Site, package

pytestmark = pytest.mark.slow

URL = "http://127.0.0.1:7077"
HERE = "/graphs/supply"
TORN = corrupt("supply", "A file is torn")


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """Serves the cluster to sarah's token."""
    cluster = site.cluster
    now = cluster.world.now()
    registry = await cluster.principals.registry()
    fields = {
        "principal": "sarah",
        "label": "a test",
        "scopes": ("look", "try", "real"),
        "audience": cluster_audience(registry.cluster_id),
        "created_at": format_instant(now),
        "expires_at": format_instant(now + timedelta(hours=1)),
        "by": "sarah",
    }
    made = await Tokens(cluster.store, cluster.world).make(msgspec.convert(fields, TokenRecord))
    premises = Premises(cluster, URL)
    service = Service(
        identify=premises.identify,
        door=premises.door,
        refuse=premises.refuse,
        now=premises.now,
        standing=premises.standing,
    )
    app = make_server(service).app
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url=URL,
            headers={"authorization": f"Bearer {made[1]}"},
        ) as client,
    ):
        yield client


async def test_a_branch_lives_from_its_cut_to_its_end(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    async with served(site) as client:
        created = await client.post(f"{HERE}/branches", json={"branch": "team/try"})
        await site.put("team/try", package("c", "1"))
        listed = (await client.get(f"{HERE}/branches")).json()
        kept = await client.delete(f"{HERE}/branches/team/try")
        merged = await client.post(f"{HERE}/branches/merge", json={"source": "team/try"})
        deleted = await client.delete(f"{HERE}/branches/team/try")
        gone = await client.delete(f"{HERE}/branches/team/try")

    assert (created.status_code, created.json()["name"]) == (200, "team/try")
    assert [b["name"] for b in listed["branches"]] == ["main", "team/try"]
    assert (kept.status_code, kept.json()["code"]) == (409, "branch_unmerged")
    assert (merged.json()["outcome"], merged.json()["commit"]) == ("fast_forward", "main:3")
    assert deleted.json() == {"branch": "team/try"}
    assert (gone.status_code, gone.json()["code"]) == (404, "graph_branch_missing")


async def test_conflicts_are_told_with_their_sides(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.done("branch_create", branch="try")
    await site.put("try", package("a", "2"))
    await site.put("main", package("a", "3"))

    async with served(site) as client:
        answer = await client.post(f"{HERE}/branches/merge", json={"source": "try"})

    (conflict,) = answer.json()["merge_conflicts"]
    assert (answer.status_code, answer.json()["code"]) == (409, "merge_conflict")
    assert (conflict["kind"], conflict["id"]) == ("DivergentUpdate", "a")
    assert conflict["theirs"]["version"] == "2"


async def test_a_write_that_is_sent_again_under_its_key_is_done_once(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    keyed: dict[str, Any] = {"json": {"branch": "try"}, "headers": {"idempotency-key": "k1"}}

    async with served(site) as client:
        first = await client.post(f"{HERE}/branches", **keyed)
        again = await client.post(f"{HERE}/branches", **keyed)

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()


async def test_an_export_is_the_lines_that_a_load_reads(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    _, lines = await site.exported()

    async with served(site) as client:
        answer = await client.post(f"{HERE}/export", json={})
        earlier = await client.post(f"{HERE}/export", json={"at": "main:1"})
        missing = await client.post(f"{HERE}/export", json={"branch": "nope"})
        wrong = await client.post(f"{HERE}/export", json={"what": 1})
        listed = await client.post("/v1/ops/graph_export", json={"graph": "supply"})

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.content.splitlines() == lines
    assert (earlier.status_code, earlier.content) == (200, b"")
    assert (missing.status_code, missing.json()["code"]) == (404, "graph_branch_missing")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_arguments")
    assert listed.json()["diagnostics"][0]["code"] == "unknown_operation"


async def test_an_export_that_breaks_off_is_no_whole_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await Site(tmp_path).begin()

    async def torn(*_: object, **__: object) -> AsyncIterator[bytes]:
        yield b"{}\n"
        raise TORN

    monkeypatch.setattr(history_of_graphs, "graph_export", torn)
    async with served(site) as client:
        with pytest.raises(CutOffError):
            await client.post(f"{HERE}/export", json={})


async def test_changes_are_followed_from_a_baseline_on(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    async with served(site) as client:
        baseline = (await client.post(f"{HERE}/changes/baseline", json={})).json()
        await site.put("main", package("c", "1"))
        query = {"since": baseline["cursor"]}
        feed = (await client.get(f"{HERE}/changes", params=query)).json()
        commit = (await client.get(f"{HERE}/commits/main:3/changes")).json()
        none = await client.get(f"{HERE}/commits/nothing/changes")
        bad = await client.get(f"{HERE}/changes", params={"limit": "many"})

    assert baseline["commit"]["id"] == "main:2"
    assert [c["id"] for page in feed["commits"] for c in page["changes"]] == ["c"]
    assert (feed["cursor"], feed["is_all"]) == ("main:3", True)
    assert (commit["before"], commit["after"]) == ("main:2", "main:3")
    assert [(t["type"], t["inserted"]) for t in commit["types"]] == [("Package", 1)]
    assert (none.status_code, none.json()["code"]) == (404, "commit_not_found")
    assert bad.status_code == 400
