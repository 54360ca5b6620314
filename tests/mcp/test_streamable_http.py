"""The server over streamable HTTP: tokens, metadata, Host and Origin, both revisions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agentctl.engine.cluster import Cluster
from agentctl.faces.mcp_server.streamable import Bearer, mcp_app
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import caller
from agentctl_tools.door import call
from agentctl_tools.entrance import Entrance

Mode = Literal["auto", "legacy"]
BASE = "http://127.0.0.1:8932"
URL = f"{BASE}/mcp"
TOKENS = {"secret-of-ann": "ann", "secret-of-bob": "bob", "secret-of-eve": "eve"}
both_eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def begun(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    done = await call(cluster, bench.sarah, "apply", {"intent": "begin"})
    assert done.ok, done
    return bench, cluster


@asynccontextmanager
async def http(cluster: Cluster, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    async def bearer_of(secret: str) -> Bearer | None:
        human = TOKENS.get(secret)
        if human is None:
            return None
        agent = caller(f"agent:local:{human}", "agent", "mcp", on_behalf_of=human)
        scopes = frozenset(() if human == "bob" else {"mcp"})
        return Bearer(door=Entrance(cluster, agent), principal=agent.id, scopes=scopes)

    app = mcp_app(bearer_of, url=URL, scopes=["mcp"])
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(
            transport=transport, base_url=BASE, headers=headers, timeout=20
        ) as client:
            yield client


@both_eras
async def test_a_token_says_who_calls(tmp_path: Path, mode: Mode) -> None:
    _, cluster = await begun(tmp_path)

    async with http(cluster, Authorization="Bearer secret-of-ann") as web:
        transport = streamable_http_client(URL, http_client=web)
        async with Client(transport, mode=mode) as client:
            result = await client.call_tool("status", {})

    you: Any = (result.structured_content or {})["data"]["you"]
    assert (you["principal"], you["kind"]) == ("agent:local:ann", "agent")
    assert you["on_behalf_of"] == "ann"


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, "/mcp", 401),
        ({}, "/mcp?access_token=secret-of-ann", 401),
        ({"Authorization": "Bearer wrong"}, "/mcp", 401),
        ({"Authorization": "Bearer secret-of-bob"}, "/mcp", 403),
        ({"Authorization": "Bearer secret-of-ann", "Host": "evil.example"}, "/mcp", 421),
        ({"Authorization": "Bearer secret-of-ann", "Origin": "http://evil.example"}, "/mcp", 403),
    ],
)
async def test_who_shows_no_good_token_or_comes_from_elsewhere_is_refused(
    tmp_path: Path, headers: dict[str, str], path: str, status: int
) -> None:
    _, cluster = await begun(tmp_path)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    async with http(cluster) as web:
        answer = await web.post(
            path, json=message, headers={"Accept": "application/json, text/event-stream", **headers}
        )
        told = answer.headers.get("www-authenticate", "")

    assert answer.status_code == status
    assert "secret" not in answer.text
    if status == 401:
        assert f'resource_metadata="{BASE}/.well-known/oauth-protected-resource/mcp"' in told


async def test_the_resource_says_where_it_is_and_what_it_wants(tmp_path: Path) -> None:
    """Source: RFC 9728, 3.2."""
    _, cluster = await begun(tmp_path)

    async with http(cluster) as web:
        told = [
            await web.get(f"/.well-known/oauth-protected-resource{path}") for path in ("", "/mcp")
        ]

    for answer in told:
        assert answer.status_code == 200
        assert answer.json() == {
            "resource": URL,
            "resource_name": "agentctl",
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["mcp"],
        }


async def test_a_session_of_one_token_is_none_for_another(tmp_path: Path) -> None:
    _, cluster = await begun(tmp_path)
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }
    accept = {"Accept": "application/json, text/event-stream"}
    following = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

    async with http(cluster) as web:
        opened = await web.post(
            "/mcp", json=opening, headers={**accept, "Authorization": "Bearer secret-of-ann"}
        )
        accept |= {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        stolen = await web.post(
            "/mcp", json=following, headers={**accept, "Authorization": "Bearer secret-of-eve"}
        )

    assert opened.status_code == 200
    assert stolen.status_code == 404
