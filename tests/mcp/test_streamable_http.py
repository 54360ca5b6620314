"""The server over streamable HTTP: tokens, metadata, Host and Origin, both revisions."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import mcp_types as types
import pytest
import uvicorn
from mcp import Client, MCPDeprecationWarning
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from agentctl.engine.cluster import Cluster
from agentctl.faces.mcp_server import streamable
from agentctl.faces.mcp_server.streamable import Bearer, BearerOf, BearerUnknownError, mcp_app
from agentctl.testing.builders import QUERY, Bench, folder_files
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


def bearer_of_tokens(cluster: Cluster) -> BearerOf:
    async def bearer_of(secret: str) -> Bearer | None:
        human = TOKENS.get(secret)
        if human is None:
            return None
        agent = caller(f"agent:local:{human}", "agent", "mcp", on_behalf_of=human)
        scopes = frozenset(() if human == "bob" else {"mcp"})
        return Bearer(door=Entrance(cluster, agent), principal=agent.id, scopes=scopes)

    return bearer_of


@asynccontextmanager
async def http(cluster: Cluster, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = mcp_app(bearer_of_tokens(cluster), url=URL, scopes=["mcp"])
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(
            transport=transport, base_url=BASE, headers=headers, timeout=20
        ) as client:
            yield client


async def test_while_nobody_can_tell_whose_a_token_is_it_is_not_called_a_bad_one() -> None:
    async def bearer_of(_secret: str) -> Bearer | None:
        msg = "the storage does not answer"
        raise BearerUnknownError(msg)

    app = mcp_app(bearer_of, url=URL)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as web,
    ):
        answer = await web.post("/mcp", json={}, headers={"Authorization": "Bearer any"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "www-authenticate" not in answer.headers


@both_eras
async def test_a_revoked_token_ends_the_next_call_also_within_a_session(
    tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cluster = await begun(tmp_path)
    monkeypatch.setitem(TOKENS, "secret-of-dan", "dan")

    async with http(cluster, Authorization="Bearer secret-of-dan") as web:
        transport = streamable_http_client(URL, http_client=web)
        async with Client(transport, mode=mode) as client:
            before = await client.call_tool("status", {})
            monkeypatch.delitem(TOKENS, "secret-of-dan")
            with pytest.raises(MCPError), anyio.fail_after(10):
                await client.call_tool("status", {})

    assert not before.is_error


@both_eras
async def test_subscribers_hear_of_news_over_http(tmp_path: Path, mode: Mode) -> None:
    bench, cluster = await begun(tmp_path)
    news = anyio.Event()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            news.set()

    async with served(cluster) as url:
        headers = {"Authorization": "Bearer secret-of-ann"}
        async with httpx2.AsyncClient(headers=headers, timeout=20) as web:
            transport = streamable_http_client(url, http_client=web)
            async with Client(transport, mode=mode, message_handler=hear) as client:
                with anyio.fail_after(20):
                    if mode == "legacy":
                        with pytest.warns(MCPDeprecationWarning):
                            await client.subscribe_resource("agentctl://cluster")
                        await refresh(bench, cluster)
                        await news.wait()
                    else:
                        uris = ["agentctl://cluster"]
                        async with client.listen(resource_subscriptions=uris) as stream:
                            await refresh(bench, cluster)
                            await anext(aiter(stream))


async def refresh(bench: Bench, cluster: Cluster) -> None:
    """Another process moves the ledger."""
    bench.write({"supply.gq": f"{QUERY}\n{QUERY.replace('all_packages', 'names')}"})
    done = await call(cluster, bench.sarah, "apply", {"intent": "more"})
    assert done.ok, done


@asynccontextmanager
async def served(cluster: Cluster) -> AsyncIterator[str]:
    """The app behind a real listener: the in-process transport holds no open stream."""
    taken = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{taken.getsockname()[1]}/mcp"
    app = mcp_app(bearer_of_tokens(cluster), url=url, scopes=["mcp"], poll_s=0.02)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(server.serve, sockets=[taken]))
        yield url
        server.should_exit = True


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


async def test_no_principal_takes_all_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cluster = await begun(tmp_path)
    monkeypatch.setattr(streamable, "SESSIONS_OF_ONE_MAX", 2)
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "a test", "version": "1"},
        },
    }
    accept = {"accept": "application/json, text/event-stream"}

    async def begin(client: httpx2.AsyncClient, who: str) -> int:
        headers = {"authorization": f"Bearer secret-of-{who}", **accept}
        return (await client.post("/mcp", json=hello, headers=headers)).status_code

    async with http(cluster) as client:
        with anyio.fail_after(20):
            statuses = [await begin(client, who) for who in ("ann", "ann", "ann", "eve")]

    assert statuses == [200, 200, 503, 200]
